"""Hedged predictions: a second request where the first one is slow, within a cap; nothing is left of the slower."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from fractions import Fraction
from typing import Any

import attrs
import numpy as np
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons import Backoff, BadRequest, ConnectError, Hedge, HttpRequest, HttpResponse, Session
from aiomlcommons.client import Client, at_own_pace
from aiomlcommons.net.hedge import as_hedge, hedges, race
from tests.support.recording_server import Server, reply, serve
from tests.support.virtual_cluster import cluster

GONE = ConnectError("gone", HttpRequest("GET", "/"))
WRONG = ValueError("wrong")
SOON = Hedge(after=0.001, cap=1)
ANSWER = reply({"inference_results": []})


@attrs.define
class Slow:
    """A server that answers when it is let, and counts the clients that do not wait for it."""

    free: asyncio.Event = attrs.field(factory=asyncio.Event)
    called: asyncio.Event = attrs.field(factory=asyncio.Event)
    left: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def __call__(self, _: web.BaseRequest) -> web.StreamResponse:
        self.called.set()
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.left.set()
            raise
        return web.Response(body=ANSWER.body, headers={"content-type": "application/json"})


async def predict(ml: Client) -> Any:
    return await ml.predict("text_embedding", "m", text_docs=["a"])


@attrs.define
class Two:
    """A session on two nodes, of which the first one is slow."""

    ml: Session
    slow: Slow
    first: Server
    second: Server


async def two(stack: AsyncExitStack, **options: Any) -> Two:
    slow = Slow()
    first, second = [await stack.enter_async_context(serve(answer)) for answer in (slow, ANSWER)]
    ml = await stack.enter_async_context(Session([first.url, second.url], backoff=Backoff(first=0), **options))
    nodes = ml._exchange.nodes
    nodes.nodes.sort(key=lambda node: node.url != first.url)
    for place, node in enumerate(nodes.nodes):
        node.turn = place - 2
    return Two(ml, slow, first, second)


# ---- over sockets ----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_slow_prediction_is_sent_to_another_node_and_the_first_response_counts() -> None:
    async with AsyncExitStack() as stack:
        world = await two(stack, hedge=SOON)
        assert (await predict(world.ml)).inference_results == []
        assert len(world.first.heard) == len(world.second.heard) == 1
        assert [node.in_flight for node in world.ml.nodes] == [0, 0], "the slower one has ended"
        assert all(node.is_live for node in world.ml.nodes), "and is no failure"
        ids = {heard.headers["x-opaque-id"] for heard in (*world.first.heard, *world.second.heard)}
        assert len(ids) == 1


@pytest.mark.asyncio
async def test_by_default_nothing_is_hedged() -> None:
    async with AsyncExitStack() as stack:
        world = await two(stack)
        task = asyncio.create_task(predict(world.ml))
        await world.slow.called.wait()
        world.slow.free.set()
        await task
        assert not world.second.heard


@pytest.mark.asyncio
async def test_a_view_may_hedge_where_the_session_does_not() -> None:
    async with AsyncExitStack() as stack:
        world = await two(stack)
        await predict(world.ml.options(hedge=SOON))
        assert len(world.second.heard) == 1


@pytest.mark.asyncio
async def test_a_cancelled_call_ends_both_requests() -> None:
    async with AsyncExitStack() as stack:
        slow = [Slow(), Slow()]
        servers = [await stack.enter_async_context(serve(answer)) for answer in slow]
        ml = await stack.enter_async_context(Session([server.url for server in servers], hedge=SOON))
        task = asyncio.create_task(predict(ml))
        await asyncio.gather(*(one.called.wait() for one in slow))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [node.in_flight for node in ml.nodes] == [0, 0]


@pytest.mark.asyncio
async def test_a_single_node_gets_the_second_request_too() -> None:
    async with serve(Slow(), ANSWER) as server, Session(server.url, hedge=SOON) as ml:
        await predict(ml)
        assert len(server.heard) == 2


# ---- in virtual time -------------------------------------------------------------------------------------------------


async def slow_at_first_node(request: HttpRequest) -> Any:
    await asyncio.sleep(100 if request.base == "http://a:1" else 1)
    return 200, {"inference_results": []}


@pytest.mark.parametrize(
    ("call", "hedged"),
    [
        (predict, True),
        (lambda ml: ml.models.predict("m", parameters={}), True),
        (lambda ml: ml.embed_one("m", "text"), True),
        (lambda ml: ml.rerank("m", "query", ["a"]), True),
        (lambda ml: ml.request("GET", "/x"), False),
        (lambda ml: ml.models.get("m"), False),
        (lambda ml: predict(at_own_pace(ml)), False),  # of a bulk job
        (lambda ml: predict(ml.options(hedge=Hedge(1, cap=0))), False),
    ],
)
def test_only_predictions_are_hedged_and_none_of_bulk_jobs(call: Any, hedged: bool) -> None:
    with cluster(slow_at_first_node) as served:

        async def work() -> None:
            async with served.session(["http://a:1", "http://b:1"], hedge=Hedge(after=5, cap=1), retries=0) as ml:
                await asyncio.gather(call(ml), return_exceptions=True)

        served.run(work())
    assert [http.base for _, http in served.sent] == ["http://a:1", "http://b:1"][: 1 + hedged]


def test_a_hedge_tries_no_node_of_doubt() -> None:
    """It is to be fast: the trial of a node that failed is not."""
    with cluster(slow_at_first_node) as served:

        async def work() -> None:
            async with served.session(["http://a:1", "http://b:1", "http://c:1"], hedge=Hedge(after=5, cap=1)) as ml:
                pool = ml._exchange.nodes
                pool.failed(pool.nodes[1], GONE)
                await predict(ml)

        served.run(work())
    assert [http.base for _, http in served.sent] == ["http://a:1", "http://c:1"]


def test_a_prediction_earns_its_share_once_however_often_it_is_repeated() -> None:
    with cluster(lambda _: (429, {"error": "too many requests"})) as served:

        async def work() -> float:
            async with served.session(hedge=Hedge(after=5, cap=0.05), backoff=Backoff(first=0)) as ml:
                await asyncio.gather(*(predict(ml) for _ in range(10)), return_exceptions=True)
                return ml._exchange.state.hedges.tokens

        assert served.run(work()) == pytest.approx(10 * 0.05)
    assert len(served.sent) == 40


def test_no_more_than_the_cap_is_hedged() -> None:
    """Where all is slow, hedging must not double the load."""
    with cluster(slow_at_first_node) as served:

        async def work() -> None:
            async with served.session(hedge=Hedge(after=5, cap=0.05)) as ml:
                for _ in range(1000):
                    await predict(ml)

        served.run(work())
    assert len(served.sent) == 1050


Outcome = tuple[float, Any]


def raced(first: Outcome, second: Outcome, *, may: bool = True) -> tuple[Any, float]:
    """Return the result or error of a race, and how long it took."""

    async def send(is_hedge: bool) -> Any:
        seconds, result = second if is_hedge else first
        await asyncio.sleep(seconds)
        if isinstance(result, Exception):
            raise result
        return result

    async def outcome() -> Any:
        try:
            return await race(send, 1.0, lambda: may)
        except Exception as error:
            return error

    with cluster(print) as served:
        return served.run(outcome()), served.loop.time()


REFUSED = BadRequest(HttpResponse(400, b""))


@pytest.mark.parametrize(
    ("first", "second", "result", "seconds"),
    [
        ((0.5, "a"), (0.0, "b"), "a", 0.5),  # in time
        ((9.0, "a"), (1.0, "b"), "b", 2.0),  # the second one is sooner
        ((1.5, "a"), (1.0, "b"), "a", 1.5),  # the first one is sooner
        ((0.5, GONE), (0.0, "b"), GONE, 0.5),  # a failure in time is repeated by the caller, as any other
        ((1.5, GONE), (1.0, "b"), "b", 2.0),  # a failure does not end it while the other one may respond
        ((9.0, "a"), (1.0, GONE), "a", 9.0),
        ((1.5, GONE), (1.0, GONE), GONE, 2.0),
        ((9.0, "a"), (1.0, REFUSED), REFUSED, 2.0),  # an error status is a response, too
        ((9.0, "a"), (1.0, WRONG), WRONG, 2.0),  # a defect is not hidden
    ],
)
def test_the_first_response_wins(first: Outcome, second: Outcome, result: Any, seconds: float) -> None:
    got, lasted = raced(first, second)
    assert got == result
    assert lasted == pytest.approx(seconds)


def test_without_a_token_there_is_no_second_request() -> None:
    assert raced((9.0, "a"), (0.0, "b"), may=False) == ("a", 9.0)


@settings(derandomize=True, max_examples=200, deadline=None, database=None)
@given(cap=st.floats(0, 1), slow=st.lists(st.booleans(), max_size=500))
def test_the_share_of_hedges_is_never_above_the_cap(cap: float, slow: list[bool]) -> None:
    bucket, hedged = hedges(), 0
    for number, one in enumerate(slow, 1):
        bucket.earn(cap)
        hedged += one and bucket.take()
        assert hedged <= cap * number + 1e-6


@pytest.mark.asyncio
@pytest.mark.parametrize("hedge", [None, 5])
async def test_a_transport_that_cancels_itself_cancels_the_call(hedge: float | None) -> None:
    async def cancels(*_: Any) -> HttpResponse:
        raise asyncio.CancelledError

    async with Session("http://a:1", transport=cancels, hedge=hedge) as ml:
        with pytest.raises(asyncio.CancelledError):
            await predict(ml)


@pytest.mark.parametrize("number", [2, 0.5, np.float32(0.5), Fraction(1, 2)])
def test_any_number_is_a_time(number: Any) -> None:
    assert as_hedge(number) == Hedge(number)


@pytest.mark.parametrize("given_", [0, -1, float("nan")])
def test_a_hedge_needs_some_time(given_: float) -> None:
    with pytest.raises(ValueError, match="after"):
        Session(hedge=given_)
