"""A state machine over sessions, tasks, nodes and a job: ``python -m tests.reliability.machine --lives N``.

Hypothesis decides what happens: sessions and views are opened and closed, calls begin and are cancelled, nodes are
killed, hang and return, answers fail or are cut, a job begins, is left and goes on. Sockets are real; nothing waits for
a clock. Every call has to end in the right result or an error of the package, each document has to be written with its
own vector, the pool's accounts have to be right, and in the end no task, connection or file may be left over.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from unittest import mock

import anyio
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aiomlcommons.net.nodes import Node, NodePool
from tests.reliability import ledger
from tests.reliability.machine_life import Life, World

KINDS = ("info", "get", "missing", "search", "ping", "embed_one", "embed_many", "embed", "deploy")
FAULTS = ("fail", "drop", "cut", "break_circuit")
which, few = st.integers(0, 9), st.integers(1, 24)


class Machine(RuleBasedStateMachine):
    """A life, and the events that may happen in it."""

    world: ClassVar[World]
    met: ClassVar[Counter[str]] = Counter()
    steps: ClassVar[int] = 0
    lives: ClassVar[int] = 0
    has_session = precondition(lambda self: self.life.sessions)

    @initialize(nodes=st.integers(1, 3))
    def begin(self, nodes: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.life = Life(self.world, Path(self._folder.name), Counter())
        self.life.begin(nodes)
        self.life.open_session(retries=2, pool_size=4, hedged=False)

    @precondition(lambda self: len(self.life.sessions) < 3)
    @rule(retries=st.integers(0, 3), pool_size=st.integers(1, 4), hedged=st.booleans())
    def open_session(self, retries: int, pool_size: int, hedged: bool) -> None:
        self.life.open_session(retries, pool_size, hedged)

    @has_session
    @rule(which=which)
    def close_session(self, which: int) -> None:
        self.life.close_session(which)

    @has_session
    @rule(which=which, kind=st.sampled_from(KINDS), view=st.booleans(), texts=few, batch=st.integers(1, 9))
    def call(self, which: int, kind: str, view: bool, texts: int, batch: int) -> None:
        self.life.call(which, kind, view, texts, batch)

    @has_session
    @rule(which=which, count=st.integers(2, 6), turns=st.integers(0, 40))
    def calls_at_once(self, which: int, count: int, turns: int) -> None:
        for number in range(count):
            self.life.call(which, KINDS[number % len(KINDS)], False, 5, 2)
        self.life.turns(turns)

    # What is under way depends on real sockets, and hypothesis's choices must not: so this is no precondition.
    @rule(which=which)
    def cancel(self, which: int) -> None:
        self.life.cancel(which)

    @rule(count=st.integers(1, 60))
    def turns(self, count: int) -> None:
        self.life.turns(count)

    @rule(seconds=st.sampled_from([1.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.life.time_passes(seconds)

    @rule(which=which)
    def kill(self, which: int) -> None:
        self.life.run(self._node(which).kill())

    @rule(which=which)
    def pause(self, which: int) -> None:
        self._node(which).pause()

    @rule(which=which)
    def start(self, which: int) -> None:
        self.life.run(self._node(which).start())

    @rule(name=st.sampled_from(FAULTS), times=st.integers(1, 3))
    def answer_wrongly(self, name: str, times: int) -> None:
        getattr(self.world.emulator.faults, name)(times=times)

    @has_session
    @rule(which=which, batch=st.integers(1, 9), turns=st.integers(0, 60))
    def start_job(self, which: int, batch: int, turns: int) -> None:
        self.life.start_job(which, batch)
        self.life.turns(turns)

    @rule()
    def leave_job(self) -> None:
        self.life.leave_job()

    @rule()
    def all_ends(self) -> None:
        self.life.to_the_end()

    @invariant()
    def check(self) -> None:
        self.life.check()

    def _node(self, which: int) -> Any:
        return self.life.nodes[which % len(self.life.nodes)]

    def teardown(self) -> None:
        if not hasattr(self, "life"):
            return
        try:
            if sys.exception() is None:
                self.life.to_the_end()
        finally:
            Machine.met += self.life.met
            Machine.steps += self.life.steps
            Machine.lives += 1
            self.world.emulator.faults.clear()
            self.life.end()
            self._folder.cleanup()


# ---- faults that are put in on purpose -----------------------------------------------------------------------------


def _counted_for_ever(pool: NodePool, node: Node, error: BaseException, began: float) -> None:
    """Count a request that is cancelled once too often."""
    if isinstance(error, anyio.get_cancelled_exc_class()):
        node.in_flight += 1
    _BROKEN(pool, node, error, began)


_BROKEN = NodePool.broken


class Fault(NamedTuple):
    """A fault of the product: what of it is replaced by what, and what the machine says of it."""

    owner: Any
    attribute: str
    wrong: Any
    said: str


PLANTED: Mapping[str, Fault] = {
    "a request that is counted for ever": Fault(NodePool, "broken", _counted_for_ever, "counted for ever"),
}
"""Faults that the machine has to find."""


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Put a fault into the product."""
    fault = PLANTED[name]
    with mock.patch.object(fault.owner, fault.attribute, fault.wrong):
        yield


def lead(lives: int, steps: int, **more: Any) -> None:
    """Lead so many lives of so many steps. Raises AssertionError for one that goes wrong."""
    how = settings(
        max_examples=lives,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType] - they are no enum to it
        **{"phases": [Phase.generate], **more},
    )
    Machine.met, Machine.steps, Machine.lives = Counter(), 0, 0
    Machine.world = World.open()
    try:
        run_state_machine_as_test(Machine, settings=how)
    finally:
        Machine.world.close()


def main() -> None:
    """Lead lives, and print or write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lives", type=int, default=100)
    parser.add_argument("--steps", type=int, default=50, help="of each life, at most")
    parser.add_argument("--planted", choices=PLANTED, help="put this fault in on purpose")
    parser.add_argument("--write", action="store_true", help="write the rows of docs/reliability.md")
    options = parser.parse_args()
    logging.getLogger("aiomlcommons").setLevel(logging.CRITICAL)
    if options.planted:
        with planted(options.planted):
            lead(options.lives, options.steps)
        return
    lead(options.lives, options.steps)
    ends = ", ".join(f"{number:,} {name}" for name, number in sorted(Machine.met.items()))
    print(f"{Machine.lives:,} lives, {Machine.steps:,} steps, failures 0; {ends}")
    if options.write:
        row = ledger.Trials(
            group="state machine",
            fault="sessions, calls, tasks, nodes and a job in any order, with cancellation, dying and hanging nodes",
            promise=(
                "every call ends in the right result or an error of the package, no document is lost, the accounts of "
                "the nodes are right, and no task, connection or file is left over"
            ),
            test="tests/reliability/test_machine.py",
            against="emulator",
            trials=Machine.lives,
        )
        command = f"python -m tests.reliability.machine --lives {options.lives} --steps {options.steps} --write"
        ledger.write("machine", command, [row], {"steps": f"{Machine.steps:,}", "ends": ends})


if __name__ == "__main__":
    main()
