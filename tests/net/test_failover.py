"""Nodes that die, hang, refuse and come back, under load: what the calls see, in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import Any

import attrs
import pytest

from aiomlcommons import ApiError, Backoff, ConnectError, HttpRequest, RequestTimeout, Session
from aiomlcommons.net.nodes import LONGEST, SILENT
from tests.support.recording_server import INFO
from tests.support.virtual_cluster import Cluster, cluster

A, B, C = NODES = ["http://a:1", "http://b:1", "http://c:1"]
READ = 60.0  # the read timeout
CALLERS = 12
SERVICE = 0.25  # seconds that a call takes
STARTING = 503, {"error": {"type": "status_exception", "reason": "OpenSearch Security not initialized."}, "status": 503}


@attrs.define
class Nodes:
    """What each node does: ``dead``, ``hangs``, ``starts``, ``closes``, or nothing of it."""

    do: dict[str, str] = attrs.field(factory=dict)

    def __call__(self, http: HttpRequest) -> Any:
        match self.do.get(http.base):
            case "dead":
                raise ConnectError("cannot connect", http, sent=False)
            case "closes":
                raise ConnectError("closed the connection", http)
            case "starts":
                return STARTING
            case "hangs":
                return self.hangs(http)
        return 200, INFO

    async def hangs(self, http: HttpRequest) -> Any:
        await asyncio.sleep(READ)
        raise RequestTimeout("was silent", http)


@attrs.define
class Load:
    """Callers that call one after another, until a time. ``gaps`` are the longest times without a response."""

    served: Cluster
    ml: Session
    lost: list[Exception] = attrs.field(factory=list)
    ended: list[tuple[float, float]] = attrs.field(factory=list)

    async def __call__(self, until: float, callers: int = CALLERS) -> None:
        await asyncio.gather(*(self._caller(until) for _ in range(callers)))

    async def _caller(self, until: float) -> None:
        while (began := self.served.loop.time()) < until:
            try:
                await self.ml.info()
            except (ConnectError, ApiError) as error:
                self.lost.append(error)
            self.ended.append((began, self.served.loop.time()))

    def slow(self, limit: float) -> list[float]:
        """Return how long those calls lasted that took longer than a limit."""
        return [ended - began for began, ended in self.ended if ended - began > limit]


def run(nodes: Nodes, work: Any, urls: Any = NODES, **options: Any) -> Load:
    """Run work with a load on a session."""
    with cluster(nodes, SERVICE) as served:

        async def inside() -> Load:
            async with served.session(urls, **options) as ml:
                load = Load(served, ml)
                await work(load)
                return load

        return served.run(inside())


@pytest.mark.parametrize("how", ["dead", "closes", "starts"])
def test_a_node_that_fails_costs_no_call_and_is_not_hammered(how: str) -> None:
    nodes = Nodes({B: how})

    async def work(load: Load) -> None:
        await load(60)

    load = run(nodes, work)
    assert load.lost == []
    assert load.slow(2.1 * SERVICE) == [], "a call is repeated at once at another node"
    at = load.served.at_each_node
    assert at[B] <= CALLERS / 2 + 1 + 6, "those in flight at first, then trials after 1, 2, 4, 8, 16 s and so on"
    assert abs(at[A] - at[C]) <= 2


@pytest.mark.parametrize("how", ["dead", "starts"])
def test_calls_are_spread_evenly_again_when_a_node_returns(how: str) -> None:
    nodes = Nodes({B: how})

    async def work(load: Load) -> None:
        await load(10)
        nodes.do.clear()
        await load(10 + LONGEST)
        assert all(node.is_live for node in load.ml.nodes)
        load.served.sent.clear()
        await load(load.served.loop.time() + 3)

    counts = run(nodes, work).served.at_each_node
    assert max(counts.values()) - min(counts.values()) <= 2


def test_a_hanging_node_catches_few_calls_and_all_of_them_succeed_elsewhere() -> None:
    """Without the avoidance of silent nodes every caller would be caught by it, one after another."""
    nodes = Nodes({B: "hangs"})

    async def work(load: Load) -> None:
        await load(READ + 10)

    load = run(nodes, work)
    assert load.lost == []
    caught = load.slow(2 * SERVICE)
    assert len(caught) <= CALLERS / 2 + 1, "not each caller, one after another; and one that tries it again"
    assert max(caught) <= READ + 2 * SERVICE


def test_a_hanging_node_gets_no_calls_after_two_seconds() -> None:
    nodes = Nodes({B: "hangs"})

    async def work(load: Load) -> None:
        calls = [asyncio.create_task(load.ml.info()) for _ in range(3)]
        await asyncio.sleep(SILENT)
        load.served.sent.clear()
        await load(READ - 1, callers=3)
        assert B not in load.served.at_each_node
        await asyncio.gather(*calls)

    assert run(nodes, work).lost == []


def test_callers_with_deadlines_of_their_own_leave_a_hanging_node_too() -> None:
    nodes = Nodes({B: "hangs"})
    late = Counter[int]()

    async def caller(load: Load) -> None:
        while (now := load.served.loop.time()) < 60:
            try:
                async with asyncio.timeout(3):
                    await load.ml.info()
            except TimeoutError:
                late[int(now)] += 1

    async def work(load: Load) -> None:
        await asyncio.gather(*(caller(load) for _ in range(CALLERS)))

    run(nodes, work)
    assert sum(late.values()) <= CALLERS + 6, "those of the first seconds, and one for each trial"


def test_only_one_call_at_a_time_tries_a_node_that_hung() -> None:
    nodes = Nodes({B: "hangs"})

    async def work(load: Load) -> None:
        await load(4 * READ, callers=5)

    load = run(nodes, work)
    tried = [moment for moment, http in load.served.sent if http.base == B and moment > READ + 1]
    assert all(later - sooner >= READ for sooner, later in itertools.pairwise(tried))


def test_after_an_outage_of_all_nodes_the_next_call_succeeds() -> None:
    nodes = Nodes(dict.fromkeys(NODES, "dead"))

    async def work(load: Load) -> None:
        await load(30)
        assert len(load.lost) > 100
        load.lost.clear()
        load.ended.clear()
        nodes.do.clear()
        await load(32)
        assert load.lost == []
        assert load.slow(SERVICE * 1.1) == []

    run(nodes, work)


def test_a_call_with_wait_survives_an_outage_and_goes_on_soon_after_it() -> None:
    nodes = Nodes()
    returned: list[float] = []

    async def caller(load: Load) -> None:
        await load.ml.info()
        returned.append(load.served.loop.time())

    async def work(load: Load) -> None:
        await load.ml.info()
        nodes.do = dict.fromkeys(NODES, "dead")
        callers = asyncio.gather(*(caller(load) for _ in range(100)))
        await asyncio.sleep(300)
        nodes.do.clear()
        await callers

    load = run(nodes, work, wait=600)
    assert max(returned) <= 300 + Backoff().cap + 1
    assert len(load.served.sent) <= 100 * 100, "one in 5 to 10 s for each caller, and for each node at first"


def test_a_node_that_asks_for_more_time_than_a_call_waits_leaves_it_to_another() -> None:
    async def work(load: Load) -> None:
        for _ in range(9):
            await load.ml.info()

    def answers(http: HttpRequest) -> Any:
        if http.base != B:
            return 200, INFO
        raise later(http)

    def later(http: HttpRequest) -> ConnectError:
        error = ConnectError("busy", http)
        error.retry_after = 1000.0
        return error

    load = run(answers, work)  # type: ignore[arg-type]
    assert load.served.at_each_node[B] == 1


@pytest.mark.parametrize("options", [{"retries": 0}, {"retries": 3}])
def test_what_was_never_sent_is_sent_elsewhere_whatever_it_is(options: Any) -> None:
    """That is no repeat, so ``retries=0`` allows it."""
    nodes = Nodes({A: "dead", B: "dead"})

    async def work(load: Load) -> None:
        for _ in range(10):
            await load.ml.info()
            await load.ml.request("POST", "/x")

    load = run(nodes, work, **options)
    assert load.served.at_each_node[C] == 20


def test_retries_are_left_for_the_time_when_no_node_can_work() -> None:
    """A cluster without a manager answers 503 at all nodes: one after another they would use up the retries at once."""
    nodes = Nodes(dict.fromkeys(NODES, "starts"))

    async def work(load: Load) -> None:
        with pytest.raises(ApiError):
            await load.ml.info()
        assert len(load.served.sent) == 3 + 3
        assert load.served.loop.time() > 6 * SERVICE + 3 * Backoff().first / 2

    run(nodes, work, retries=3)


def test_without_retries_nothing_is_sent_twice() -> None:
    nodes = Nodes({A: "closes", B: "starts"})

    async def work(load: Load) -> None:
        await load(5)

    load = run(nodes, work, retries=0)
    assert len(load.served.sent) == len(load.ended)
    assert 0 < len(load.lost) < 2 * CALLERS


def test_where_no_node_responds_each_is_tried_and_the_last_error_is_raised() -> None:
    nodes = Nodes(dict.fromkeys(NODES, "dead"))

    async def work(load: Load) -> None:
        with pytest.raises(ConnectError):
            await load.ml.info()
        assert load.served.at_each_node == {A: 1, B: 1, C: 1}

    run(nodes, work, retries=0)
