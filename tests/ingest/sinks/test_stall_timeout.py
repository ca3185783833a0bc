"""An unavailable or overloaded index: writes are retried until the stall timeout, or until they are cancelled."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, cast
from unittest import mock

import anyio
import attrs
import orjson
import pytest

from aiomlcommons import Backoff, Request, Session
from aiomlcommons.api.indices import Indices
from aiomlcommons.api.server import Plugin
from aiomlcommons.errors import ConnectError, MLCommonsError
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.ingest.sinks import IndexSink, SinkError
from aiomlcommons.statuses import error_for
from aiomlcommons.wire.codec import from_http, to_http
from aiomlcommons.wire.flavors import OPENSEARCH, Flavor
from tests.support.bulk_server import error, failed, knn
from tests.support.fakes import Threads
from tests.support.sinks import DIMENSION, batch
from tests.support.virtual_time import Loop

BULK = HttpRequest("POST", "/docs/_bulk")
BUSY = failed("rejected_execution_exception", "rejected execution", 429)
AWAY: MLCommonsError = ConnectError("cannot connect", BULK)
Say = Callable[[list[str]], Any]


def refusal(status: int, **headers: str) -> MLCommonsError:
    body = orjson.dumps(error("rejected_execution_exception", "rejected", status))
    return error_for(HttpResponse(status, body, {"content-type": "application/json", **headers}, BULK))


@attrs.define(eq=False)
class Cluster:
    """A fake session on an event loop of its own: ``say`` is called with the ids of a request, and raises or responds.

    It returns a list of items, where None is a success; None for all is a success of all; NEVER is no response. Each
    request takes the same seconds; ``sent`` are the times of the requests.
    """

    say: Say
    takes: float = 0.0
    loop: Loop = attrs.field(factory=Loop)
    sent: list[float] = attrs.field(factory=list)
    flavor: Flavor = OPENSEARCH

    async def request(self, method: str, path: str, *, body: bytes = b"", **_: Any) -> HttpResponse:
        if path.endswith("_mapping"):
            return HttpResponse(200, orjson.dumps({"docs": knn(DIMENSION)}))
        if path.endswith("_settings"):
            return HttpResponse(200, orjson.dumps({"docs": {"settings": {"index": {"uuid": "u"}}}}))
        if path.endswith("_refresh"):
            return HttpResponse(200, orjson.dumps({"_shards": {"total": 1, "successful": 1, "failed": 0}}))
        self.sent.append(anyio.current_time())
        ids = [orjson.loads(line)["index"]["_id"] for line in body.splitlines()[::2]]
        await anyio.sleep(self.takes)
        said = self.say(ids)
        if said is NEVER:
            await anyio.sleep_forever()
        items = [{"index": one or {"status": 201}} for one in said or [None] * len(ids)]
        return HttpResponse(200, orjson.dumps({"errors": any(said or ()), "items": items}))

    def options(self, **_: Any) -> Cluster:
        """Return itself: options have no effect."""
        return self

    @property
    def indices(self) -> Indices:
        return Indices(cast(Session, self))

    async def send(self, request: Request[Any]) -> Any:
        http = to_http(request)
        return from_http(request, await self.request(http.method, http.path))

    async def plugins(self) -> list[Plugin]:
        """Return none: the versions are not known."""
        return []

    def sink(self, **options: Any) -> IndexSink:
        return IndexSink(cast(Session, self), "docs", **{"backoff": Backoff(first=1, cap=30), **options})

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine; return its result or raise its error."""
        task = self.loop.create_task(work)
        with mock.patch("anyio.to_thread.run_sync", Threads()):
            self.loop.run()
        assert task.done(), "it hangs"
        self.loop.close()
        return task.result()


NEVER = object()


async def opened(sink: IndexSink) -> IndexSink:
    await sink.open(None)
    return sink


async def write(sink: IndexSink, count: int = 4) -> Any:
    return await (await opened(sink)).write(batch(0, count))


def until(seconds: float, trouble: Any) -> Say:
    """Return a ``say`` that gives the same response until a time, then success."""

    def say(ids: list[str]) -> Any:
        if anyio.current_time() >= seconds:
            return None
        if isinstance(trouble, Exception):
            raise trouble
        return trouble if trouble is NEVER else [trouble] * len(ids)

    return say


TROUBLE = [AWAY, refusal(429), refusal(503), BUSY]


@pytest.mark.parametrize("trouble", TROUBLE, ids=["away", "429", "503", "items"])
def test_an_index_that_is_back_before_the_stall_timeout_takes_all(trouble: Any) -> None:
    cluster = Cluster(until(560, trouble))
    assert cluster.run(write(cluster.sink())) == []
    assert 560 <= cluster.sent[-1] <= 590


@pytest.mark.parametrize("trouble", [*TROUBLE, NEVER], ids=["away", "429", "503", "items", "hung"])
@pytest.mark.parametrize("stall_timeout", [5.0, 600.0])
def test_an_index_that_takes_nothing_until_the_stall_timeout_ends_the_job(trouble: Any, stall_timeout: float) -> None:
    cluster = Cluster(until(math.inf, trouble))
    with pytest.raises(SinkError, match=rf"index docs accepts no documents: no response for {stall_timeout:g} s"):
        cluster.run(write(cluster.sink(stall_timeout=stall_timeout)))
    assert cluster.loop.time() == pytest.approx(cluster.sent[0] + stall_timeout)


def test_the_error_says_what_the_trouble_was() -> None:
    cluster = Cluster(until(math.inf, BUSY))
    why = "no response for 600 s, the last error was: rejected_execution_exception: rejected execution"
    with pytest.raises(SinkError, match=why):
        cluster.run(write(cluster.sink()))


def test_a_busy_index_that_takes_some_each_time_is_not_given_up() -> None:
    taken: list[str] = []

    def say(ids: list[str]) -> Any:
        taken.append(ids[0])
        return [None, *[BUSY] * (len(ids) - 1)]

    cluster = Cluster(say)
    assert cluster.run(write(cluster.sink(stall_timeout=5, backoff=Backoff(first=3, jitter=0)), 40)) == []
    assert taken == [f"d{number}" for number in range(40)]


def test_what_others_have_taken_is_a_sign_of_life() -> None:
    def say(ids: list[str]) -> Any:
        return [BUSY] * len(ids) if "d0" in ids and anyio.current_time() < 50 else None

    cluster = Cluster(say)

    async def job() -> None:
        sink = await opened(cluster.sink(stall_timeout=10, backoff=Backoff(first=4, jitter=0, factor=1)))
        async with anyio.create_task_group() as group:
            group.start_soon(sink.write, batch(0, 1))
            for number in range(1, 10):
                await anyio.sleep(6)
                group.start_soon(sink.write, batch(number, 1))

    cluster.run(job())
    assert cluster.loop.time() > 50


def test_a_document_that_is_refused_after_a_while_does_not_end_the_job_before() -> None:
    unclear = failed("null_pointer_exception", "oh", 500)
    cluster = Cluster(lambda ids: [unclear if key == "d1" else None for key in ids])
    backoff = Backoff(first=2, jitter=0, factor=1)
    (refused,) = cluster.run(write(cluster.sink(stall_timeout=5, backoff=backoff)))
    assert (refused.index, refused.why) == (1, "null_pointer_exception: oh")


def test_the_server_and_the_callers_backoff_say_how_long_to_wait() -> None:
    refusals: Iterator[MLCommonsError] = iter([refusal(429, **{"retry-after": "7"}), refusal(429)])

    def say(_: list[str]) -> Any:
        for one in refusals:
            raise one

    cluster = Cluster(say)
    cluster.run(write(cluster.sink(backoff=Backoff(first=2, factor=2, jitter=0))))
    first, *more = cluster.sent
    assert [round(at - first, 6) for at in more] == [7, 11]


# ---- leaving ---------------------------------------------------------------------------------------------------------


def left_after(cluster: Cluster, seconds: float, leave: Callable[[IndexSink, anyio.CancelScope], None]) -> Any:
    """Write, and leave after some seconds; return the refusals or the error, or nothing if it is cancelled."""

    async def job() -> Any:
        sink = await opened(cluster.sink())
        async with anyio.create_task_group() as group:
            gave: list[Any] = []
            group.start_soon(attempt, sink, gave)
            await anyio.sleep(seconds)
            leave(sink, gave[0])
        return gave[1:]

    async def attempt(sink: IndexSink, gave: list[Any]) -> None:
        with anyio.CancelScope() as scope:
            gave.append(scope)
            try:
                gave.append(await sink.write(batch(0, 4)))
            except SinkError as error:
                gave.append(str(error))

    return cluster.run(job())


def test_a_pause_ends_at_once_when_the_job_is_left() -> None:
    cluster = Cluster(until(math.inf, refusal(503, **{"retry-after": "300"})))
    (why,) = left_after(cluster, 100, lambda sink, _: sink.leave())
    assert "before index docs accepted all documents, which are not retried now: rejected" in why
    assert cluster.loop.time() == pytest.approx(100, abs=0.1)
    assert len(cluster.sent) == 1


@pytest.mark.parametrize(("trouble", "gave"), [(None, [[]]), (AWAY, ["the job was left before"])])
def test_a_request_that_is_under_way_when_the_job_is_left_comes_to_its_end_and_is_the_last(
    trouble: Any, gave: list[Any]
) -> None:
    cluster = Cluster(until(math.inf, trouble) if trouble else lambda _: None, takes=20)
    became = left_after(cluster, 10, lambda sink, _: sink.leave())
    assert [one if one == [] else one[:23] for one in became] == gave
    assert len(cluster.sent) == 1
    assert cluster.loop.time() == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("trouble", [NEVER, refusal(503, **{"retry-after": "300"})], ids=["hung", "pausing"])
def test_a_request_that_nobody_waits_for_any_more_is_cut(trouble: Any) -> None:
    cluster = Cluster(until(math.inf, trouble))
    assert left_after(cluster, 100, lambda _, scope: scope.cancel()) == []
    assert cluster.loop.time() == pytest.approx(100, abs=0.1)


def test_a_sink_that_was_left_tries_again_when_it_is_opened_again() -> None:
    cluster = Cluster(until(50, AWAY))

    async def job() -> Any:
        sink = await opened(cluster.sink())
        sink.leave()
        with pytest.raises(SinkError, match="the job was left before index docs accepted all documents"):
            await sink.write(batch(0, 4))
        return await write(sink)

    assert cluster.run(job()) == []
