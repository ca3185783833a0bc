"""Any interleaving of calls, failures, cancellations and time leaves the pool consistent, and loses no node."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AbstractContextManager
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons import ConnectError, HttpRequest
from aiomlcommons.net.nodes import LONGEST, Node, NodePool

GONE = ConnectError("gone", HttpRequest("GET", "/"))
STEP = st.one_of(
    st.tuples(st.just("begin"), st.booleans()),
    st.tuples(st.sampled_from(["succeed", "respond", "refuse", "break", "cancel"]), st.integers(0, 20)),
    st.tuples(st.just("time"), st.sampled_from([0.0, 0.01, 0.5, 1.0, 3.0, 40.0])),
)


@attrs.define(eq=False)
class Call:
    """A request that is under way."""

    node: Node
    trial: bool
    contexts: list[AbstractContextManager[Any]]

    def end(self, error: BaseException | None = None) -> None:
        for context in reversed(self.contexts):
            context.__exit__(type(error) if error else None, error, None)


@attrs.define
class World:
    """A pool, with the calls that are under way."""

    count: int
    now: float = 100.0
    calls: list[Call] = attrs.field(factory=list)
    pool: NodePool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pool = NodePool([Node(str(number)) for number in range(self.count)], lambda: self.now)

    def begin(self, trial: bool) -> None:
        live = [node for node in self.pool.nodes if not node.failures]
        turn = self.pool.turn(trial=trial)
        node = turn.__enter__()
        watching = self.pool.watching(node)
        watching.__enter__()
        tries = bool(node.failures)
        if tries and live:
            assert trial, "what may not be repeated tries no node of doubt"
            assert not any(call.trial for call in self.calls if call.node is node), "one call at a time tries a node"
        self.calls.append(Call(node, tries and bool(live), [turn, watching]))

    def step(self, what: str, choice: Any) -> None:
        if what == "time":
            self.now += choice
        elif what == "begin":
            self.begin(choice)
        elif self.calls:
            call = self.calls.pop(choice % len(self.calls))
            match what:
                case "succeed":
                    self.pool.succeeded(call.node)
                    call.end()
                    assert not call.node.failures
                case "respond":
                    self.pool.responded(call.node)
                    call.end()
                case "refuse":
                    self.pool.refused(call.node, GONE, self.now)
                    call.end()
                case "break":
                    call.end(GONE)
                case "cancel":
                    call.end(asyncio.CancelledError())
        self.check()

    def check(self) -> None:
        under_way = Counter(call.node.url for call in self.calls)
        for node, state in zip(self.pool.nodes, self.pool.states(), strict=True):
            assert node.in_flight == under_way[node.url]
            assert state.is_live == (not state.error)
            assert 0 <= state.aside_for <= LONGEST
            assert not node.trying or under_way[node.url]


@settings(derandomize=True, max_examples=300, deadline=None, database=None)
@given(count=st.integers(1, 4), steps=st.lists(STEP, max_size=80))
def test_no_interleaving_loses_a_node(count: int, steps: list[tuple[str, Any]]) -> None:
    async def work() -> None:
        world = World(count)
        for step in steps:
            world.step(*step)
        for call in list(world.calls):
            world.pool.responded(call.node)
            call.end()
        world.calls.clear()
        # All nodes work again: each is tried within the longest time aside, and gets its share.
        world.now += LONGEST
        for _ in range(2 * count):
            world.begin(True)
            world.step("succeed", 0)
        assert all(state.is_live for state in world.pool.states())
        turns = Counter[str]()
        for _ in range(3 * count):
            world.begin(True)
            turns[world.calls[0].node.url] += 1
            world.step("succeed", 0)
        assert set(turns.values()) == {3}

    asyncio.run(work())
