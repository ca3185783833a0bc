"""Stall timeout: a job without any response ends exactly when it expires, whatever hangs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest

from aiomlcommons import Backoff
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.embedding.redeployment import LONGEST, Redeployment
from aiomlcommons.ingest.embedding.requests import ModelRequests
from aiomlcommons.ingest.errors import JobStalled
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.pacing.concurrency_limit import ConcurrencyLimit
from aiomlcommons.ingest.pacing.rate_limit import RateLimit
from aiomlcommons.ingest.pacing.stall_timeout import StallTimeout
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Documents, Refused
from aiomlcommons.ingest.writing import GRACE
from aiomlcommons.net.retry_budget import RetryBudget
from tests.support.fakes import Tape
from tests.support.job_simulation import Life
from tests.support.scripted_model import api, throttled, vectors
from tests.support.virtual_time import Loop

STALL_TIMEOUT = 60.0
NEVER = math.inf


@attrs.define
class Response:
    """A scripted response, or error, ``after`` so many seconds."""

    after: float
    error: MLCommonsError | None = None


@attrs.define(eq=False)
class RequestsOnALoop:
    """ModelRequests on an event loop in virtual time. ``script`` has the responses to each text, in order.

    ``ended`` is when each text ended, and how.
    """

    script: dict[str, list[Response]]
    limiter: ConcurrencyLimit = attrs.field(factory=lambda: ConcurrencyLimit.fixed(10))
    rate: RateLimit | None = None
    loop: Loop = attrs.field(factory=Loop)
    ended: dict[str, tuple[float, str]] = attrs.field(factory=dict)
    requests: ModelRequests = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        how = (self.limiter, RetryBudget(), Stats(), Backoff(first=0))
        self.requests = ModelRequests(*how, stall_timeout=STALL_TIMEOUT, rate=self.rate, embed=self.embed)

    async def embed(self, texts: list[str]) -> Vectors:
        response = self.script[texts[0]].pop(0)
        await anyio.sleep(response.after)
        if response.error:
            raise response.error
        return vectors(texts)

    def run(self, *starts: tuple[float, str]) -> dict[str, tuple[float, str]]:
        """Request texts at their times; return when each ended, and how: "answered" or the error."""
        tasks = [self.loop.create_task(self._one(*start)) for start in starts]
        self.loop.run()
        assert all(task.done() for task in tasks), "it hangs"
        self.loop.close()
        return self.ended

    async def _one(self, start: float, text: str) -> None:
        await anyio.sleep(start)
        try:
            await self.requests([text])
            self.ended[text] = (anyio.current_time(), "answered")
        except MLCommonsError as error:
            self.ended[text] = (anyio.current_time(), f"{type(error).__name__}: {error}")


SILENT = "JobStalled: no response for 60 s"


def test_a_request_without_a_response_is_given_up_after_the_stall_timeout() -> None:
    assert RequestsOnALoop({"a": [Response(NEVER)]}).run((5, "a")) == {"a": (65, SILENT)}


def test_a_slow_request_within_the_stall_timeout_is_waited_for() -> None:
    assert RequestsOnALoop({"a": [Response(59)]}).run((0, "a")) == {"a": (59, "answered")}


@pytest.mark.parametrize("error", [None, api(400, "a bad text")], ids=["with vectors", "with a no"])
def test_a_request_is_waited_for_as_long_as_others_are_answered(error: MLCommonsError | None) -> None:
    others = {str(start): [Response(10, error)] for start in range(0, 300, 40)}
    ended = RequestsOnALoop({"slow": [Response(300)], **others}).run(
        (0, "slow"), *((int(start), start) for start in others)
    )
    assert ended["slow"] == (300, "answered")


def test_the_last_response_restarts_the_stall_timeout_which_ends_for_all_at_once() -> None:
    script = {"a": [Response(NEVER)], "b": [Response(50)], "c": [Response(NEVER)]}
    assert RequestsOnALoop(script).run((0, "a"), (0, "b"), (90, "c")) == {
        "b": (50, "answered"),
        "a": (110, SILENT),
        "c": (110, SILENT),
    }


def test_trouble_and_then_silence_count_together() -> None:
    script = {"a": [Response(20, api(503, "gone")), Response(NEVER)]}
    assert RequestsOnALoop(script).run((0, "a")) == {"a": (60, f"{SILENT}, the last error was: {api(503, 'gone')}")}


def test_a_pause_that_is_longer_than_the_stall_timeout_is_cut_short() -> None:
    script = {"a": [Response(0, throttled("600"))]}
    assert RequestsOnALoop(script).run((0, "a")) == {"a": (60, f"{SILENT}, the last error was: {throttled()}")}


def test_an_answer_to_others_lets_a_long_pause_come_to_its_end() -> None:
    script = {"a": [Response(0, throttled("100")), Response(0)], "b": [Response(50)]}
    assert RequestsOnALoop(script).run((0, "a"), (0, "b")) == {"b": (50, "answered"), "a": (100, "answered")}


def test_time_in_which_nothing_is_asked_does_not_count() -> None:
    script = {"a": [Response(1)], "b": [Response(0, api(503)), Response(50)], "c": [Response(50)]}
    ended = RequestsOnALoop(script, limiter=ConcurrencyLimit.fixed(1)).run((0, "a"), (1_000, "b"), (1_000, "c"))
    assert {end for _, end in ended.values()} == {"answered"}


def test_a_turn_that_a_rate_gives_is_no_silence() -> None:
    texts = {str(number): [Response(1)] for number in range(4)}
    ended = RequestsOnALoop(texts, rate=RateLimit(requests=0.5)).run(*((0, text) for text in texts))
    assert [ended[text] for text in texts] == [(120 * number + 1, "answered") for number in range(4)]


def test_a_request_after_a_stall_has_the_whole_stall_timeout_again() -> None:
    script = {"a": [Response(NEVER)], "b": [Response(50)]}
    assert RequestsOnALoop(script).run((0, "a"), (100, "b")) == {"a": (60, SILENT), "b": (150, "answered")}


def test_a_stall_ends_those_that_wait_for_a_place_too() -> None:
    world = RequestsOnALoop({"a": [Response(NEVER)], "b": [Response(NEVER)]}, limiter=ConcurrencyLimit.fixed(1))
    assert world.run((0, "a"), (30, "b")) == {"a": (60, SILENT), "b": (60, SILENT)}


def test_a_deployment_that_hangs_is_left_and_the_model_asked_again() -> None:
    script = {"a": [Response(1, api(400, "Model not ready yet")), Response(1)]}
    world = RequestsOnALoop(script)
    world.requests.redeploy = Redeployment("m1", anyio.sleep_forever, world.loop.time)
    world.requests.stall_timeout = world.requests.stall.seconds = 2 * LONGEST
    ((seconds, ended),) = world.run((0, "a")).values()
    assert ended == "answered"
    assert seconds == pytest.approx(LONGEST + 2, abs=0.5)


# ---- a whole job -----------------------------------------------------------------------------------------------------


@pytest.fixture
def life() -> Iterator[Life]:
    """A job of twelve documents into a file."""
    life = Life(["good"] * 12, "tape", 12, Counter())
    yield life
    life.end()


def begin(life: Life, **more: Any) -> None:
    """Start the job, and let it send its first requests."""
    life.start(
        JobOptions(**{"batch": 1, "linger": math.inf, "stall_timeout": STALL_TIMEOUT, "checkpoint_every": 1, **more})
    )
    life.loop.run(seconds=1)


def answer(life: Life, number: int, error: str = "") -> None:
    """Respond to the request for a document."""
    (question,) = (one for one in life.model.questions if one.texts == [f"text number {number}"])
    life.model.tell(question, error)
    life.loop.run(seconds=1)


@pytest.mark.parametrize("ordered", [True, False])
def test_a_server_that_hangs_ends_the_job_after_the_stall_timeout(life: Life, ordered: bool) -> None:
    begin(life, ordered=ordered, concurrency=3)
    life.loop.run(seconds=STALL_TIMEOUT - 2)
    assert life.runs
    life.loop.run(seconds=2)
    assert isinstance(life.run.error, JobStalled)
    life.check()


def test_what_is_finished_before_a_stall_is_written_in_order_and_kept(life: Life) -> None:
    begin(life, concurrency=4)
    for number in (0, 3, 1):
        answer(life, number)
    life.loop.run(seconds=STALL_TIMEOUT)
    assert isinstance(life.run.error, JobStalled)
    life.check()
    assert life.sink.held == ["d0", "d1"]
    assert life.note.done == {0, 1}
    life.to_the_end()


# ---- leaving it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sink", ["tape", "tapes", "index"])
@pytest.mark.parametrize("how", ["inner", "outer"])
def test_a_write_that_hangs_when_the_job_is_left_is_cut_and_the_checkpoint_before_it_counts(
    how: str, sink: str
) -> None:
    life = Life(["good"] * 12, sink, 12, Counter())
    begin(life, concurrency=1)
    answer(life, 0)
    life.fail("hang", late=False)
    answer(life, 1)
    assert not life.sink.fails, "it is being written"
    life.leave(how)
    life.loop.run(seconds=GRACE - 0.1)
    soon = life.runs
    life.loop.run(seconds=0.2)
    assert (soon, life.runs) == (True, False)
    life.check()
    assert life.note.done == {0}
    life.to_the_end()
    life.end()


def test_a_write_that_ends_soon_after_the_job_is_left_is_in_the_checkpoint(life: Life) -> None:
    begin(life, concurrency=1)
    answer(life, 0)
    life.model.tell(life.model.questions[0])
    life.loop.run(events=0)
    life.leave("inner")
    life.loop.run(seconds=1)
    assert not life.runs
    life.check()
    assert life.note.done == {0, 1}


@attrs.define(eq=False)
class Hears(Tape):
    """A sink that, if ``on``, retries until ``leave`` is called."""

    on: bool = True
    left: anyio.Event = attrs.field(factory=anyio.Event)

    async def write(self, batch: Documents, /) -> Sequence[Refused]:
        if self.on:
            await self.left.wait()
        return await Tape.write(self, batch)

    def leave(self) -> None:
        self.left.set()


def test_a_sink_that_tries_again_hears_at_once_that_the_job_is_left_and_not_that_it_is_whole(life: Life) -> None:
    life.sink = sink = Hears(life.checked(life.check_batch))
    begin(life, concurrency=1)
    answer(life, 0)
    life.leave("outer")
    life.loop.run(seconds=1)
    assert (life.runs, sink.held) == (False, ["d0"])
    sink.on, sink.left = False, anyio.Event()
    life.to_the_end()
    assert not sink.left.is_set()


@pytest.mark.asyncio
async def test_a_sum_that_is_rounded_does_not_keep_the_timer_going_off() -> None:
    since, seconds = 420.571580830845, 155.35005017577802
    now = since
    stall = StallTimeout(seconds, JobStalled, clock=lambda: now)
    with pytest.raises(JobStalled, match="no response"), stall.call(), stall.asking():
        now = since + seconds
        assert now - since < seconds
        stall._on_time()
        await anyio.lowlevel.checkpoint()
