"""The synchronous session does what the async one does, on a thread of its own, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiomlcommons import ConnectError, NotFound, Progress, SessionClosed
from aiomlcommons.blocking import Session
from aiomlcommons.ingest import IndexSink, IndexSource
from tests.support.threaded_emulator import ThreadedEmulator

MODEL = "all-MiniLM-L6-v2"
EVERY: dict[str, Any] = {"query": {"match_all": {}}}


@pytest.fixture
def ml(served: ThreadedEmulator) -> Iterator[Session]:
    with Session(served.url) as ml:
        yield ml


@pytest.fixture
def model_id(ml: Session) -> str:
    return ml.models.ensure(MODEL, change_settings=True).model_id


def test_calls_return_what_awaiting_the_async_ones_gives(ml: Session, model_id: str) -> None:
    assert ml.ping()
    assert ml.models.get(model_id).name is not None
    assert ml.embed_one(model_id, "a text").shape == (384,)
    assert ml.request("GET", "/").json()["version"]["distribution"] == "opensearch"
    with pytest.raises(NotFound):
        ml.models.get("missing")


def test_a_search_is_iterated_over_or_gives_one_page(ml: Session, model_id: str) -> None:
    assert [hit.id for hit in ml.models.search(EVERY)] == [model_id]
    assert len(ml.models.search(EVERY).result()) == 1


def test_a_task_is_waited_for_or_gives_each_state(ml: Session, model_id: str) -> None:
    ml.models.undeploy(model_id)
    started = ml.models.deploy(model_id)
    assert ml.task(started).result().state == "COMPLETED"
    assert [info.state for info in ml.task(started)] == ["COMPLETED"]


def test_rows_stream_through_a_model_one_by_one_and_in_batches(ml: Session, model_id: str) -> None:
    texts = [f"text {number}" for number in range(100)]
    wanted = ml.embed_many(model_id, texts)
    with ml.embed(model_id, iter(texts), batch=7) as embedded:
        pairs = list(embedded)
    assert [text for text, _ in pairs] == texts
    assert np.array_equal([vector for _, vector in pairs], wanted)
    with ml.embed(model_id, texts, batch=7) as embedded:
        assert np.array_equal(np.concatenate([batch.vectors for batch in embedded.batches()]), wanted)


def test_a_job_is_waited_for_into_a_file_and_into_an_index(ml: Session, model_id: str, tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(100)]
    for sink in (tmp_path / "out.npy", IndexSink(ml.async_session, "docs", create=True)):
        with ml.ingest(texts, model=model_id, sink=sink) as job:
            report = job.result()
        assert report.written == job.stats.written == 100
    assert ml.request("GET", "/docs/_count").json()["count"] == 100


def test_an_index_is_searched_for_a_page_or_for_every_hit(ml: Session, model_id: str) -> None:
    ml.ingest(["a", "b", "c"], model=model_id, sink=IndexSink(ml.async_session, "docs", create=True)).result()
    hits = ml.search_text("docs", "b", model_id, hybrid=False, size=1).result()
    assert [hit.source["text"] for hit in hits] == ["b"]
    assert hits.sent is not None
    assert len(list(ml.search("docs", hits.sent.query, size=1))) == 3
    assert ml.search("docs", into=lambda document: document["text"]).result()[0].source in {"a", "b", "c"}


def test_a_job_runs_to_its_end(ml: Session, model_id: str, tmp_path: Path) -> None:
    assert ml.ingest(["a", "b"], model=model_id, sink=tmp_path / "out.npy").result().written == 2


def test_a_context_is_neither_iterated_over_nor_waited_for(ml: Session, model_id: str) -> None:
    context: Any = ml.embed(model_id, ["a"])
    with pytest.raises(TypeError, match=r"<blocking ml\.embed\(\.\.\.\)> cannot be iterated over"):
        list(context)
    with pytest.raises(TypeError, match=r"<blocking ml\.embed\(\.\.\.\)> cannot be waited for"):
        context.result()


def test_what_is_opened_by_with_is_closed_by_it(ml: Session, model_id: str) -> None:
    with ml.models.deployed(model_id) as model:
        assert model.model_id == model_id
    with pytest.raises(ZeroDivisionError), ml.embed(model_id, ["a"] * 1000, batch=1) as embedded:
        next(iter(embedded))
        raise ZeroDivisionError


def test_a_view_shares_the_session(ml: Session, model_id: str) -> None:
    view = ml.options(retries=0)
    assert view.models.get(model_id).name == ml.models.get(model_id).name
    with pytest.raises(TypeError, match="cannot be iterated over"):
        list(view.models)  # type: ignore[call-overload]  # the types tell it, too


def test_threads_share_a_session_and_their_calls_run_concurrently(
    served: ThreadedEmulator, ml: Session, model_id: str
) -> None:
    together = threading.Barrier(8, timeout=60)

    def counted(text: str) -> str:
        together.wait()  # which only eight calls at once pass
        return text

    def embedded(number: int) -> Any:
        with ml.embed(model_id, [{"t": f"{number}"}], text="t") as rows:
            return next(iter(rows))[1]

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda number: (counted("x"), embedded(number))[1], range(8)))
    assert np.array_equal(found, ml.embed_many(model_id, [f"{number}" for number in range(8)]))


def test_it_works_where_an_event_loop_runs_as_in_a_notebook(ml: Session, model_id: str) -> None:
    async def cell() -> Any:
        return ml.embed_one(model_id, "a text").shape

    assert asyncio.run(cell()) == (384,)


def test_ctrl_c_cancels_the_call_and_waits_for_its_end(ml: Session, model_id: str) -> None:
    ended = list[str]()

    class Source:
        async def __aiter__(self) -> AsyncIterator[str]:
            try:
                yield "a text"
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                await asyncio.Event().wait()
            finally:
                ended.append("closed")

    with pytest.raises(KeyboardInterrupt):
        with ml.embed(model_id, Source(), batch=1) as embedded:
            list(embedded)
    assert ended == ["closed"]
    assert ml.ping()


def test_ctrl_c_while_a_context_is_entered_leaves_none_open(ml: Session, served: ThreadedEmulator) -> None:
    def interrupted(_: Any) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    served.emulator.faults.slow(3600, on=lambda http: "_register" in http.path)
    with pytest.raises(KeyboardInterrupt):
        with ml.models.deployed(MODEL, change_settings=True, progress=interrupted):
            pytest.fail("it was entered")
    assert ml.ping()


def test_closing_a_session_ends_the_calls_under_way(served: ThreadedEmulator, model_id: str) -> None:
    ml = Session.connect(served.url)
    arrived = threading.Event()

    def any_request(_: Any) -> bool:
        arrived.set()
        return True

    served.emulator.faults.slow(3600, on=any_request)
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(ml.models.get, model_id)
        assert arrived.wait(60)
        ml.close()
        with pytest.raises(SessionClosed, match="closed meanwhile"):
            call.result()


def test_a_session_may_be_closed_within_a_context(served: ThreadedEmulator, model_id: str) -> None:
    ml = Session.connect(served.url)
    with ml.embed(model_id, ["a text"]) as embedded:
        ml.close()
        with pytest.raises(SessionClosed):
            list(embedded)


def test_a_session_that_is_not_open_or_closed_says_so(served: ThreadedEmulator) -> None:
    ml = Session(served.url)
    with pytest.raises(SessionClosed, match=r"not open: use `with Session\(\.\.\.\) as ml:`"):
        ml.ping()
    with ml:
        models = ml.models
    with pytest.raises(SessionClosed, match="the session is closed"):
        models.search(EVERY)
    ml.close()


def test_a_session_that_is_used_on_its_own_event_loop_says_so_and_stays_open(ml: Session, model_id: str) -> None:
    def names() -> Iterator[str]:
        yield ml.models.get(model_id).name or ""

    def told(_: Progress) -> None:
        ml.close()

    with pytest.raises(RuntimeError, match="its event loop: give a list in place of a generator"):
        ml.embed_many(model_id, names())
    with pytest.raises(RuntimeError, match="its event loop"):
        ml.models.ensure(model_id, progress=told)
    assert ml.embed_many(model_id, list(names())).shape == (1, 384)


def test_what_the_session_gave_is_given_to_it_as_the_async_one(ml: Session, model_id: str) -> None:
    with ml.embed(model_id, ml.models.search(EVERY), text=lambda hit: hit.source.name or "") as embedded:
        assert [hit.id for hit, _ in embedded] == [model_id]


def test_an_index_wants_the_async_session(ml: Session) -> None:
    for make in (IndexSink, IndexSource):
        with pytest.raises(TypeError, match=r"of an aiomlcommons.blocking.Session, give its async_session$"):
            make(ml, "docs")  # type: ignore[arg-type]


def test_connect_opens_a_session_that_close_closes(served: ThreadedEmulator) -> None:
    ml = Session.connect(served.url, retries=0)
    assert ml.ping()
    ml.close()
    ml.close()
    with pytest.raises(ConnectError):
        Session.connect("http://127.0.0.1:9", retries=0)


def test_a_session_of_the_environment_is_opened_without_a_block(served: ThreadedEmulator) -> None:
    ml = Session.from_env({"OPENSEARCH_URL": served.url}).open()
    assert ml.ping()
    ml.close()


def test_options_are_those_of_the_async_session(served: ThreadedEmulator) -> None:
    with Session.from_env({"OPENSEARCH_URL": served.url}, retries=0) as ml:
        assert ml.ping()
    with pytest.raises(ValueError, match="retries"):
        Session(served.url, retries=-1)
    with pytest.raises(TypeError, match="timout"):
        Session(served.url, timout=5)  # type: ignore[call-arg]


def test_a_session_closes_when_nothing_refers_to_it_and_not_before(served: ThreadedEmulator) -> None:
    models = Session.connect(served.url).models
    gc.collect()
    assert len(models.search(EVERY).result()) == 0
    del models
    gc.collect()


def test_it_shows_what_it_is_and_what_it_has(served: ThreadedEmulator, ml: Session) -> None:
    assert repr(ml) == f"<blocking <Session {served.url} open>>"
    assert {"embed", "models", "result"} <= set(dir(ml))
    assert "search" in dir(ml.models)
    assert str(ml.models.get.__doc__).startswith("Get a model.")
    with pytest.raises(AttributeError):
        ml.missing  # type: ignore[attr-defined]  # noqa: B018
