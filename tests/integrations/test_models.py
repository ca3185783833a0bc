"""What the components of all frameworks stand on: one session for any thread and any event loop."""

from __future__ import annotations

import asyncio
import gc
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from aiohttp import web

from aiomlcommons import InvalidRequest, Session, SessionClosed
from aiomlcommons.api.models import GetModel
from aiomlcommons.blocking import Session as Blocking
from aiomlcommons.emulator.pool import CallNext
from aiomlcommons.integrations._extras import needs
from aiomlcommons.integrations._models import Call, ModelCalls, embeddings, ensured, scores, weights
from aiomlcommons.lifecycle.spec import Spec
from tests.support.emulator_with_models import EmulatorWithModels, sessions
from tests.support.forked import forked
from tests.support.seen_requests import predictions, requests
from tests.support.served_emulator import NOW

TEXTS = ["one", "two", "three"]


@pytest.fixture
def world(one_world: EmulatorWithModels) -> Iterator[EmulatorWithModels]:
    yield one_world
    one_world.emulator.faults.clear()


@pytest.fixture
def calls(world: EmulatorWithModels) -> Iterator[ModelCalls]:
    made = ModelCalls("Component", world.dense, world.url)
    yield made
    made.close()


def passages(texts: list[str]) -> Call[list[list[float]]]:
    return embeddings(texts, "passage")


class Hanging:
    """A fault that lets predictions hang, and tells when one has come and when its client is gone."""

    def __init__(self, world: EmulatorWithModels) -> None:
        self.came, self.gone = threading.Event(), threading.Event()
        world.emulator.faults.add(self)

    async def __call__(self, _request: web.BaseRequest, _next: CallNext) -> web.StreamResponse:
        self.came.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.gone.set()
        raise AssertionError("it hangs")


def deployed(world: EmulatorWithModels, model: Spec | str) -> str:
    """Register and deploy a model; return its id."""
    return str(world.ask(lambda ml: ml.models.ensure(model, backoff=NOW)))


# ---- threads and event loops ---------------------------------------------------------------------------------------


def test_vectors_are_those_of_embed_many(world: EmulatorWithModels, calls: ModelCalls) -> None:
    expected = world.vectors(TEXTS).tolist()
    assert calls.run(passages(TEXTS)) == expected
    assert asyncio.run(calls.run_async(passages(TEXTS))) == expected


def test_many_threads_and_event_loops_share_one_session_and_ensure_the_model_once(
    world: EmulatorWithModels, calls: ModelCalls
) -> None:
    async def both() -> list[list[list[float]]]:
        return list(await asyncio.gather(*(calls.run_async(passages(TEXTS)) for _ in range(3))))

    with requests(world, on=GetModel) as looked_up, ThreadPoolExecutor(8) as threads:
        some = [threads.submit(calls.run, passages(TEXTS)) for _ in range(4)]
        others = [threads.submit(asyncio.run, both()) for _ in range(4)]
        found = [one.result() for one in some] + [each for one in others for each in one.result()]
        assert sessions() == 1
    assert found == [world.vectors(TEXTS).tolist()] * 16
    once = len(looked_up)
    with requests(world, on=GetModel) as looked_up:
        other = ModelCalls("Component", world.dense, world.url)
        other.run(ensured)
        other.run(ensured)
        other.close()
    assert len(looked_up) == once


def test_a_call_that_is_cancelled_is_cancelled_at_the_server(world: EmulatorWithModels, calls: ModelCalls) -> None:
    async def cancel() -> None:
        call = asyncio.create_task(calls.run_async(passages(TEXTS)))
        await asyncio.to_thread(hanging.came.wait)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    hanging = Hanging(world)
    asyncio.run(cancel())
    assert hanging.gone.wait(20)
    assert calls.run(passages(TEXTS)) == world.vectors(TEXTS).tolist()


def test_a_call_that_is_cancelled_has_ended_when_the_await_ends(world: EmulatorWithModels, calls: ModelCalls) -> None:
    began, ended = threading.Event(), threading.Event()

    async def endless(ml: Session, model: str, how: object) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            with anyio.CancelScope(shield=True):
                for _ in range(10):
                    await asyncio.sleep(0)
            ended.set()

    async def cancel() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as limit:
                waiting = asyncio.create_task(asyncio.to_thread(began.wait))
                waiting.add_done_callback(lambda _: limit.reschedule(0))
                await calls.run_async(endless)
        assert ended.is_set()

    asyncio.run(cancel())


def test_what_runs_when_it_is_closed_says_so(world: EmulatorWithModels, calls: ModelCalls) -> None:
    async def close() -> None:
        call = asyncio.create_task(calls.run_async(passages(TEXTS)))
        await asyncio.to_thread(hanging.came.wait)
        await calls.close_async()
        with pytest.raises(SessionClosed, match="closed meanwhile"):
            await call

    hanging = Hanging(world)
    asyncio.run(close())
    assert sessions() == 0


def test_an_event_loop_goes_on_while_the_session_is_opened_and_asked(
    world: EmulatorWithModels, calls: ModelCalls
) -> None:
    async def other() -> list[str]:
        done: list[str] = []

        async def ask() -> None:
            await calls.run_async(passages(TEXTS))
            done.append("asked")

        async def go_on() -> None:
            await asyncio.to_thread(hanging.came.wait)
            done.append("went on")
            call.cancel()

        hanging = Hanging(world)
        call = asyncio.create_task(ask())
        await asyncio.gather(call, go_on(), return_exceptions=True)
        return done

    assert asyncio.run(other()) == ["went on"]


# ---- closing and copying -------------------------------------------------------------------------------------------


def test_closing_ends_the_thread_and_a_later_call_opens_another(world: EmulatorWithModels, calls: ModelCalls) -> None:
    assert sessions() == 0
    first = calls.run(passages(TEXTS))
    assert sessions() == 1
    calls.close()
    calls.close()
    assert sessions() == 0
    assert calls.run(passages(TEXTS)) == first
    asyncio.run(calls.close_async())
    assert sessions() == 0


def test_collecting_it_ends_the_thread(world: EmulatorWithModels) -> None:
    calls = ModelCalls("Component", world.dense, world.url)
    calls.run(ensured)
    assert sessions() == 1
    del calls
    gc.collect()
    assert sessions() == 0


def test_a_copy_opens_a_session_of_its_own(world: EmulatorWithModels, calls: ModelCalls) -> None:
    first = calls.run(passages(TEXTS))
    copy = pickle.loads(pickle.dumps(calls))  # noqa: S301 - made here
    assert copy.run(passages(TEXTS)) == first
    assert sessions() == 2
    copy.close()


def test_a_forked_process_opens_a_session_of_its_own(world: EmulatorWithModels, calls: ModelCalls) -> None:
    vectors = calls.run(passages(TEXTS))
    assert forked(lambda: calls.run(passages(TEXTS)) == vectors) == "True"
    assert calls.run(passages(TEXTS)) == vectors


# ---- a session that is given ---------------------------------------------------------------------------------------


def test_an_open_session_is_used_on_its_loop_and_stays_open(world: EmulatorWithModels) -> None:
    async def use() -> Any:
        async with Session(world.url) as ml:
            calls = ModelCalls("Component", world.dense, session=ml)
            found = await calls.run_async(passages(TEXTS))
            with pytest.raises(RuntimeError, match=r"Component was given an open session.*use the async methods"):
                calls.run(passages(TEXTS))
            with pytest.raises(TypeError, match=r"cannot be copied.*give url="):
                pickle.dumps(calls)
            with pytest.raises(SessionClosed, match="another event loop"):
                await asyncio.to_thread(asyncio.run, calls.run_async(passages(TEXTS)))
            await calls.close_async()
            assert calls.url == world.url
            assert await ml.ping()
            return found

    assert asyncio.run(use()) == world.vectors(TEXTS).tolist()
    assert sessions() == 0


# ---- the model -----------------------------------------------------------------------------------------------------


def test_a_model_that_is_undeployed_meanwhile_is_deployed_again(world: EmulatorWithModels, calls: ModelCalls) -> None:
    first = calls.run(passages(TEXTS))
    world.ask(lambda ml: ml.models.undeploy(world.dense))
    assert calls.run(passages(TEXTS)) == first


def test_a_model_that_does_not_exist_is_looked_for_with_each_call(world: EmulatorWithModels) -> None:
    calls = ModelCalls("Component", "no-such-model", world.url)
    for _ in range(2):
        with pytest.raises(Exception, match="no-such-model"):
            calls.run(passages(TEXTS))
    calls.close()


def test_only_an_asymmetric_model_is_told_what_is_a_query(
    world: EmulatorWithModels, calls: ModelCalls, asymmetric: str
) -> None:
    told = ModelCalls("Component", asymmetric, world.url)
    with requests(world) as seen:
        for each in (calls, told):
            each.run(embeddings(["a"], "query"))
            each.run(embeddings(["a"], "passage"))
            each.run(embeddings(["a"], None))
    told.close()
    asked = [one.side for one in seen if one.body is not None]
    assert asked == [None, None, None, "query", "passage", None]


def test_texts_travel_in_batches(world: EmulatorWithModels, reranker: str) -> None:
    for model, call, expected in (
        (world.dense, passages(TEXTS), world.vectors(TEXTS).tolist()),
        (world.sparse, weights(TEXTS), world.weights(TEXTS)),
        (reranker, scores("one", TEXTS), world.ask(lambda ml: ml.rerank(reranker, "one", TEXTS)).tolist()),
    ):
        calls = ModelCalls("Component", model, world.url, batch=2)
        with predictions(world) as seen:
            assert calls.run(call) == expected
        assert sorted(len(one.body["text_docs"]) for one in seen) == [1, 2]
        calls.close()


def test_weights_are_by_token_or_by_its_id(world: EmulatorWithModels) -> None:
    calls = ModelCalls("Component", world.sparse, world.url)
    (by_word,), (by_id,) = calls.run(weights(["one"])), calls.run(weights(["one"], "TOKEN_ID"))
    assert by_word.keys() == {"one"}
    assert all(key.isdecimal() for key in by_id)
    calls.close()


@pytest.mark.parametrize("make", [passages, weights, lambda texts: scores("q", texts)])
def test_no_texts_are_no_request(
    world: EmulatorWithModels, calls: ModelCalls, make: Callable[[Any], Call[Any]]
) -> None:
    calls.run(ensured)
    with requests(world) as seen:
        assert calls.run(make([])) == calls.run(make(())) == []
    assert seen == []
    for wrong in (None, "", "text", 3, [None], ["a", 3]):
        with pytest.raises(InvalidRequest, match="texts"):
            make(wrong)


# ---- options -------------------------------------------------------------------------------------------------------


def test_the_environment_names_the_cluster(world: EmulatorWithModels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSEARCH_URL", world.url)
    calls = ModelCalls("Component", world.dense)
    assert calls.url == world.url
    assert calls.run(passages(TEXTS)) == world.vectors(TEXTS).tolist()
    calls.close()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"model": 3}, TypeError, "model must be an id, a name or a spec such as PretrainedModel, not int"),
        ({"url": None}, ValueError, "OPENSEARCH_URL is not set: give Component url="),
        ({"session": {"tmeout": 3}}, TypeError, "no option 'tmeout'; did you mean 'timeout'"),
        ({"session": "s"}, TypeError, "session must be options of Session, or an open aiomlcommons.Session, not str"),
        ({"session": Blocking("http://h")}, TypeError, "not a synchronous one"),
        ({"session": Session("http://h")}, ValueError, "url is that of the open session"),
        ({"batch": 0}, ValueError, "batch must be a whole number of at least 1, not 0"),
        ({"concurrency": True}, TypeError, "concurrency must be a whole number"),
    ],
)
def test_an_invalid_option_is_refused_at_once(
    options: dict[str, Any], error: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENSEARCH_URL", raising=False)
    with pytest.raises(error, match=words):
        ModelCalls("Component", **{"model": "m", "url": "http://h", **options})


def test_no_password_is_shown() -> None:
    calls = ModelCalls("Component", "m", "https://user:secret@h:9200", session={"headers": {"x-key": "secret"}})
    assert repr(calls) == "Component('m', 'https://h:9200')"
    assert "secret" not in calls.url


def test_a_framework_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_core.documents", None)
    monkeypatch.delitem(sys.modules, "aiomlcommons.integrations.langchain", raising=False)
    with pytest.raises(
        ImportError, match=r'integrations\.langchain needs langchain-core .*"aiomlcommons\[langchain\]"'
    ):
        import aiomlcommons.integrations.langchain  # noqa: F401
    with pytest.raises(ImportError, match=r"integrations\.llama_index needs .*aiomlcommons\[llama-index\]"):
        with needs("llama-index-core", "llama-index"):
            import no_such_package  # type: ignore[import-not-found] # noqa: F401
