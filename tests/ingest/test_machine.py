"""Every document is in the sink exactly once, or a dead letter, whatever the order of faults and crashes.

A hypothesis state machine runs a job: it decides the response to each request, when time passes, what fails, and where
the job is left, cancelled or killed. ``python -m tests.ingest.test_machine [RUNS]`` runs it that many times, each time
with other choices.
"""

from __future__ import annotations

import logging
import math
import sys
from collections import Counter
from typing import Any, ClassVar

import pytest
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

from aiomlcommons import Backoff
from aiomlcommons.ingest.options import JobOptions
from tests.support.fakes import ERRORS, KINDS, SINKS
from tests.support.job_simulation import Life

PHASES = [Phase.generate, Phase.shrink]
kinds = st.sampled_from([*["good"] * 6, *KINDS])
rounds = st.integers(0, 50)
moments = st.sampled_from(["half", "hang", "write", "flush", "open", "close"]) | st.integers(1, 12)
options = st.builds(
    JobOptions,
    batch=st.integers(1, 4),
    batch_bytes=st.sampled_from([1_000, 30]),
    concurrency=st.sampled_from([1, 2, 3, (1, 6)]),
    ordered=st.booleans(),
    linger=st.sampled_from([math.inf, 0.5]),
    backoff=st.just(Backoff(first=1, cap=8)),
    retry_budget=st.sampled_from([100.0, 2.0, 0.4]),
    stall_timeout=st.sampled_from([600.0, 20.0]),
    checkpoint_every=st.integers(1, 4),
)
running = precondition(lambda self: self.life.runs)


class Jobs(RuleBasedStateMachine):
    """A job, and the events that may happen to it."""

    met: ClassVar[Counter[str]] = Counter()

    @initialize(
        chosen=st.lists(kinds, min_size=12, max_size=24),
        times=st.integers(1, 3),
        sink=st.sampled_from([*SINKS]),
        at_once=st.integers(1, 9),
    )
    def begin(self, chosen: list[str], times: int, sink: str, at_once: int) -> None:
        self.life = Life(chosen * times, sink, at_once, self.met)

    @precondition(lambda self: not self.life.runs)
    @rule(
        options=options,
        pause=st.sampled_from([0.0, 0.0, 0.4, 5.0]),
        fails_at=st.none() | st.integers(0, 100),
        count=rounds,
    )
    def start(self, options: JobOptions, pause: float, fails_at: int | None, count: int) -> None:
        self.life.start(options, pause, fails_at)
        self.life.rounds(count)

    @precondition(lambda self: self.life.done)
    @rule()
    def begin_anew(self) -> None:
        self.life.to_the_end()
        self.life.renew()

    @running
    @rule(count=rounds)
    def all_goes_well(self, count: int) -> None:
        self.life.rounds(count)

    @running
    @rule(count=rounds, error=st.sampled_from([*ERRORS]))
    def all_goes_wrong(self, count: int, error: str) -> None:
        self.life.rounds(count, error)

    @precondition(lambda self: self.life.model.questions)
    @rule(which=st.integers(0, 5), error=st.sampled_from(["", "", *ERRORS]))
    def answer(self, which: int, error: str) -> None:
        questions = self.life.model.questions
        self.life.model.tell(questions[which % len(questions)], error)
        self.life.loop.run(events=0)

    @running
    @rule(events=st.integers(1, 12))
    def a_moment_passes(self, events: int) -> None:
        self.life.loop.run(events=events)

    @running
    @rule(seconds=st.sampled_from([0.3, 10, 100]))
    def time_passes(self, seconds: float) -> None:
        self.life.loop.run(seconds=seconds)

    @running
    @rule(count=rounds, moment=moments, late=st.booleans())
    def a_write_fails(self, count: int, moment: str | int, late: bool) -> None:
        self.life.fail(moment, late=late)
        self.life.rounds(count)

    @running
    @rule(count=rounds, how=st.sampled_from(["inner", "outer", "asyncio"]))
    def leave(self, count: int, how: str) -> None:
        self.life.rounds(count)
        if self.life.runs:
            self.life.leave(how)

    @running
    @rule(count=rounds, torn=st.booleans(), more=st.integers(0, 8))
    def crash(self, count: int, torn: bool, more: int) -> None:
        self.life.rounds(count)
        if self.life.runs:
            self.life.crash(torn=torn, more=more)

    @invariant()
    def check(self) -> None:
        self.life.check()

    def teardown(self) -> None:
        if not hasattr(self, "life"):
            return
        try:
            if sys.exception() is None:
                self.life.to_the_end()
        finally:
            self.life.end()


def lead(lives: int, steps: int, **more: Any) -> None:
    few = settings(
        max_examples=lives,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=PHASES,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType] - they are no enum to it
        **more,
    )
    Jobs.met.clear()
    run_state_machine_as_test(Jobs, settings=few)


@pytest.mark.no_cover  # the tests of each part cover it
def test_every_document_is_in_the_sink_once_or_a_dead_letter_whatever_happens() -> None:
    lead(40, 50, derandomize=True)
    # The machine must reach the interesting states, or it would find nothing.
    assert {"crashed halfway", "left", "OSError"} <= set(Jobs.met)


# Random runs reach these ends or not, depending on what is imported: hypothesis draws from its constants too.
@pytest.mark.parametrize(("error", "ends"), [("gone", "NotFound"), ("400", "ModelFails"), (None, "JobStalled")])
def test_a_job_that_an_error_or_silence_ends_is_finished_by_the_next_one(error: str | None, ends: str) -> None:
    met = Counter[str]()
    life = Life(["good"] * 24, "tape", 3, met)
    try:
        life.start(JobOptions(batch=2, backoff=Backoff(first=1, cap=8), stall_timeout=20.0))
        life.rounds(2)
        life.rounds(100, error) if error else life.loop.run(seconds=100)
        assert met[ends] == 1
        life.to_the_end()
    finally:
        life.end()


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    # A crash before the first checkpoint may leave dead letters, which are put aside with a warning.
    logging.getLogger("aiomlcommons").setLevel(logging.ERROR)
    lead(count, 60)
    print(f"{count:,} lives of a job: {', '.join(f'{number:,} {name}' for name, number in sorted(Jobs.met.items()))}")
