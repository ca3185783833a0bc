"""The pool of nodes: calls take turns, a node that fails is set aside, and a repeat goes to another one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Collection
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from aiomlcommons import ApiError, Backoff, ConnectError, Session, StreamFailed
from aiomlcommons.api.predict import Predict
from aiomlcommons.http import HttpRequest
from aiomlcommons.net.nodes import BEHIND, LONGEST, LONGEST_ASKED, REFUSES, SILENT, Node, NodePool
from aiomlcommons.net.urls import check_urls
from tests.support.recording_server import Answer, Server, reply, serve

NO_WAIT = Backoff(first=0)
BROKEN = RuntimeError("broken")
GONE = ConnectError("gone", HttpRequest("GET", "/"))
BUSY = reply({"error": {"type": "cluster_manager_not_discovered_exception", "reason": "no"}}, status=503)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> NodePool:
    return NodePool([Node("a"), Node("b"), Node("c")], clock)


def one(pool: NodePool, *, tried: Collection[Node] = (), trial: bool = True) -> Node:
    """Return the node of a call that has no outcome."""
    with pool.turn(tried, trial=trial) as node:
        return node


def names(pool: NodePool, count: int, *, trial: bool = True) -> Counter[str]:
    return Counter(one(pool, trial=trial).url for _ in range(count))


def asking(pool: NodePool, node: Node, outcome: BaseException | None = None) -> None:
    """Send a request to a node, which ends with an error if there is one."""
    with contextlib.suppress(BaseException), pool.watching(node):
        if outcome is not None:
            raise outcome
        pool.succeeded(node)


def test_live_nodes_take_turns(pool: NodePool) -> None:
    assert names(pool, 9) == {"a": 3, "b": 3, "c": 3}


def test_turns_stay_fair_while_nodes_come_and_go(pool: NodePool, clock: Clock) -> None:
    a, b, _ = pool.nodes
    found = names(pool, 2)
    pool.failed(a, BROKEN)
    found += names(pool, 5)
    pool.failed(b, BROKEN)
    pool.responded(a)
    found += names(pool, 5)
    pool.responded(b)
    assert found == {"a": 4, "b": 3, "c": 5}
    assert names(pool, 9) == {"a": 3, "b": 3, "c": 3}


def test_the_first_turn_is_drawn_by_lot() -> None:
    assert len({one(NodePool.of(["a", "b", "c"])).url for _ in range(50)}) == 3


def test_a_node_that_fails_takes_no_calls_until_its_time_is_over(pool: NodePool, clock: Clock) -> None:
    pool.failed(pool.nodes[0], BROKEN)
    assert names(pool, 6) == {"b": 3, "c": 3}
    clock.now += 1.0
    assert "a" in names(pool, 3)


def test_one_call_tries_a_node_again_while_the_others_avoid_it(pool: NodePool, clock: Clock) -> None:
    pool.failed(pool.nodes[0], BROKEN)
    clock.now += 1.0
    with pool.turn() as node:
        assert node.url == "a"
        clock.now += 3600  # as long as it may take
        assert names(pool, 30) == {"b": 15, "c": 15}
        pool.responded(node)
    assert names(pool, 30)["a"] == 10


def test_a_trial_that_is_cancelled_leaves_the_node_aside_and_another_follows(pool: NodePool, clock: Clock) -> None:
    pool.failed(pool.nodes[0], BROKEN)
    clock.now += 1.0
    assert one(pool).url == "a"
    assert names(pool, 30) == {"b": 15, "c": 15}
    clock.now += 1.0
    assert one(pool).url == "a"


def test_what_may_not_be_repeated_tries_no_node_of_doubt(pool: NodePool, clock: Clock) -> None:
    pool.failed(pool.nodes[0], BROKEN)
    clock.now += 60.0
    assert names(pool, 30, trial=False) == {"b": 15, "c": 15}


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (5, 16.0), (6, LONGEST), (9999, LONGEST)]
)
def test_each_failure_in_a_row_doubles_the_time_aside(pool: NodePool, failures: int, seconds: float) -> None:
    for _ in range(failures):
        pool.failed(pool.nodes[0], BROKEN)
    state = pool.states()[0]
    assert (state.is_live, state.aside_for, state.failures, state.error) == (False, seconds, failures, "broken")


def test_requests_that_fail_together_are_one_failure(pool: NodePool, clock: Clock) -> None:
    """Else the death of a node under load would set it aside for 30 s at once, and not for 1 s."""
    a = pool.nodes[0]
    sent = [pool.watching(a) for _ in range(50)]
    for request in sent:
        request.__enter__()
        clock.now += 0.001
    assert a.in_flight == 50
    for request in sent:
        clock.now += 0.001
        request.__exit__(ConnectError, GONE, None)
    assert (a.failures, a.in_flight) == (1, 0)


@pytest.mark.parametrize(("asked", "aside"), [(None, 1.0), (0.2, 1.0), (20.0, 20.0), (9999.0, LONGEST_ASKED)])
def test_a_node_that_asks_for_time_gets_it(pool: NodePool, asked: float | None, aside: float) -> None:
    error = ConnectError("busy", HttpRequest("GET", "/"))
    error.retry_after = asked
    pool.failed(pool.nodes[0], error)
    assert pool.states()[0].aside_for == aside


def test_a_node_that_owes_a_response_gets_no_calls_while_others_respond(pool: NodePool, clock: Clock) -> None:
    a, b, c = pool.nodes
    with pool.watching(a):
        clock.now += SILENT / 2
        assert names(pool, 3) == {"a": 1, "b": 1, "c": 1}
        clock.now += SILENT / 2
        assert names(pool, 6) == {"b": 3, "c": 3}
        pool.responded(a)  # to another request
        assert names(pool, 3) == {"a": 1, "b": 1, "c": 1}
        with pool.watching(b), pool.watching(c):
            clock.now += SILENT
            assert names(pool, 3) == {"a": 1, "b": 1, "c": 1}, "slow models make all nodes slow"


def test_a_node_that_falls_behind_the_others_gets_no_calls_until_it_responds(pool: NodePool) -> None:
    a, b, c = pool.nodes
    with pool.watching(a):
        for _ in range(BEHIND):
            assert "a" in names(pool, 3)
            asking(pool, b)
            asking(pool, c)
        assert names(pool, 6) == {"b": 3, "c": 3}
        pool.succeeded(a)
        assert "a" in names(pool, 3)


def test_a_node_that_fails_fast_draws_no_calls_from_those_that_work(pool: NodePool, clock: Clock) -> None:
    """With the fewest requests in flight it would look like the best one."""
    a, b, c = pool.nodes
    with pool.watching(b), pool.watching(c):
        for _ in range(100):
            with pool.watching(a):
                pool.responded(a)  # with an error
        assert names(pool, 9) == {"a": 3, "b": 3, "c": 3}


@pytest.mark.asyncio
async def test_a_hanging_node_whose_callers_give_up_is_set_aside(pool: NodePool, clock: Clock) -> None:
    a = pool.nodes[0]
    with contextlib.suppress(asyncio.CancelledError), pool.watching(a):
        clock.now += SILENT / 2
        raise asyncio.CancelledError
    assert not a.failures, "it may have been only slow"
    with contextlib.suppress(asyncio.CancelledError), pool.watching(a):
        clock.now += SILENT
        raise asyncio.CancelledError
    assert pool.states()[0].error == "no response for 2.0 s, after which the call was cancelled"


def test_a_node_that_does_nothing_but_refuse_is_set_aside(pool: NodePool, clock: Clock) -> None:
    a = pool.nodes[0]
    for _ in range(REFUSES - 1):
        pool.refused(a, BROKEN, clock())
    pool.responded(a)
    for _ in range(REFUSES - 1):
        pool.refused(a, BROKEN, clock())
    assert not a.failures
    pool.refused(a, BROKEN, clock())
    assert names(pool, 6) == {"b": 3, "c": 3}


def test_a_refusal_is_a_sign_of_life(pool: NodePool) -> None:
    a = pool.nodes[0]
    pool.failed(a, GONE)
    pool.refused(a, BROKEN, 0.0)
    assert not a.failures


def test_a_node_that_responds_is_taken_back(pool: NodePool) -> None:
    pool.failed(pool.nodes[0], BROKEN)
    pool.responded(pool.nodes[0])
    state = pool.states()[0]
    assert (state.is_live, state.aside_for, state.failures, state.error) == (True, 0.0, 0, "")


def test_a_repeat_goes_to_a_node_that_has_not_had_it(pool: NodePool) -> None:
    tried: list[Node] = []
    for _ in range(3):
        tried.append(one(pool, tried=tried))
    assert {node.url for node in tried} == {"a", "b", "c"}
    assert not pool.has_other(tried)


def test_where_all_are_aside_the_one_tried_least_recently_is_next(pool: NodePool, clock: Clock) -> None:
    for _ in range(3):
        asking(pool, one(pool), GONE)
        clock.now += 0.1
    picked = []
    for _ in range(6):
        picked.append(one(pool).url)
        clock.now += 0.01
    assert picked == ["a", "b", "c", "a", "b", "c"]


def test_a_node_that_is_set_aside_and_taken_back_is_logged_once_each(
    pool: NodePool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        pool.failed(pool.nodes[0], BROKEN)
    for _ in range(3):
        pool.responded(pool.nodes[0])
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "a is set aside for 1 s: broken"),
        ("INFO", "a responds again and takes calls"),
    ]


def test_a_single_node_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """There is no other one, and the call itself tells what happens."""
    pool = NodePool([Node("a")])
    pool.failed(pool.nodes[0], BROKEN)
    pool.responded(pool.nodes[0])
    assert not caplog.records


@pytest.mark.parametrize(
    ("urls", "words"),
    [
        ([], "must name a node at least"),
        (["http://a:1", "https://b:1"], "all speak https, or all http"),
        (["http://a:1", "b:1"], "url must be like"),
        ({"http://a:1"}, "url must be like"),
        ("http://:secret@a:1", "a password without a user name"),
    ],
)
def test_urls_that_cannot_be_one_cluster_are_refused(urls: object, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        check_urls(urls)


@pytest.mark.parametrize(
    "again", ["https://a", "https://a/", "https://A", "https://a:443", "https://user:password@a", "https://a//"]
)
def test_a_node_that_is_named_twice_gets_one_turn(again: str) -> None:
    ml = Session(["https://a", again, "https://b", "https://b/x", "https://b/x/"])
    assert [node.url for node in ml.nodes] == ["https://a", "https://b", "https://b/x"]


# ---- over sockets ----------------------------------------------------------------------------------------------------


async def drops(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def started(stack: AsyncExitStack, *answers: Answer) -> list[Server]:
    return [await stack.enter_async_context(serve(answer)) for answer in answers]


async def dead(stack: AsyncExitStack) -> str:
    """Return a URL that nothing listens at."""
    async with serve() as server:
        return server.url


@pytest.mark.asyncio
async def test_calls_are_spread_over_the_nodes() -> None:
    async with AsyncExitStack() as stack:
        servers = await started(stack, reply(), reply(), reply())
        async with Session([server.url for server in servers]) as ml:
            for _ in range(9):
                await ml.info()
            assert [node.calls for node in ml.nodes] == [3, 3, 3]
            assert repr(ml) == f"<Session {', '.join(server.url for server in servers)} open>"
    assert [len(server.heard) for server in servers] == [3, 3, 3]


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [drops, BUSY])
async def test_a_repeat_goes_to_another_node_at_once(answer: Answer) -> None:
    async with AsyncExitStack() as stack:
        servers = await started(stack, answer, answer, answer, answer, answer, reply())
        # More nodes than retries: each node is worth a try. A pause of a minute would end the test.
        async with Session([server.url for server in servers], retries=1, backoff=Backoff(first=60, cap=60)) as ml:
            for _ in range(5):
                await ml.info()
            assert sum(node.is_live for node in ml.nodes) == 1
    assert len(servers[-1].heard) == 5


@pytest.mark.asyncio
async def test_a_status_of_a_models_provider_sets_no_node_aside() -> None:
    words = "Error from remote service: the model is overloaded"
    answer = reply({"error": {"type": "status_exception", "reason": words}, "status": 503}, status=503)
    async with serve(answer) as server, Session([server.url, server.url + "/b"], backoff=NO_WAIT) as ml:
        with pytest.raises(ApiError):
            await ml.send(Predict("remote", "m", parameters={"a": "b"}))
        assert all(node.is_live for node in ml.nodes)


@pytest.mark.asyncio
async def test_what_may_not_be_repeated_goes_to_another_node_only_if_the_first_cannot_have_it() -> None:
    async with AsyncExitStack() as stack:
        gone = await dead(stack)
        [dropping, fine] = await started(stack, drops, reply({"model_group_id": "g", "status": "CREATED"}))
        async with Session([gone, fine.url], backoff=NO_WAIT) as ml:
            for _ in range(4):
                await ml.model_groups.register(name="group")
        async with Session([dropping.url, fine.url], backoff=NO_WAIT) as ml:
            outcomes = []
            for _ in range(2):
                try:
                    await ml.model_groups.register(name="group")
                except ConnectError as error:
                    outcomes.append(error.sent)
    assert len(fine.heard) == 4 + 1
    assert outcomes == [True]
    assert len(dropping.heard) == 1


@pytest.mark.asyncio
async def test_a_stream_begins_at_another_node_only_if_the_first_cannot_have_it() -> None:
    async with AsyncExitStack() as stack:
        gone = await dead(stack)
        events = web.Response(body=b'data: {"error": "no"}\n\n', headers={"content-type": "text/event-stream"})
        [fine] = await started(stack, events)
        async with Session([gone, fine.url]) as ml:
            for _ in range(3):
                with pytest.raises(StreamFailed):
                    async with ml.models.predict_stream("m") as stream:
                        [_ async for _ in stream]
    assert len(fine.heard) == 3


def test_the_url_of_a_request_is_strictly_quoted() -> None:
    request = HttpRequest("GET", "/a%2Fb/_search?pretty&q=x y", {"sort": "a:asc,b*", "é": "+~"}, base="https://h:1/p")
    assert request.url == "https://h:1/p/a%2Fb/_search?pretty=&q=x%20y&sort=a%3Aasc%2Cb%2A&%C3%A9=%2B~"


def test_a_request_is_counted_as_ended_even_if_what_is_said_of_it_fails(
    pool: NodePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = pool.nodes[0]
    monkeypatch.setattr(type(pool.events), "set_aside", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError), pool.watching(node):
        raise GONE
    assert node.in_flight == 0
