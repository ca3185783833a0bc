"""Concurrency limiter: convergence on simulated servers, the rules of its control law, and fairness of its queue."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable
from statistics import fmean, median
from typing import Any

import anyio
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.pacing._capacity import PAUSE, SOON, STEP, Capacity
from aiomlcommons.ingest.pacing.concurrency_limit import ConcurrencyLimit, Slot
from tests.support.virtual_time import at_once, turns

ENDLESS = 10**9


@attrs.define
class Held:
    """A slot that was acquired."""

    slot: Slot
    since: float = 0.0

    @classmethod
    def of(cls, limiter: ConcurrencyLimit, since: float = 0.0) -> Held:
        return cls(at_once(limiter.slot().__aenter__()), since)

    def leave(self) -> None:
        at_once(self.slot.__aexit__(None, None, None))

    def done(self, items: int = 1) -> None:
        self.slot.done(items)
        self.leave()

    def refused(self) -> None:
        self.slot.refused()
        self.leave()


@attrs.define
class Server:
    """A server that works on ``capacity`` requests, queues ``queue`` more and refuses the rest, under constant load.

    A discrete event simulation of server and client, in virtual time.
    """

    capacity: Callable[[float], int]
    queue: int = 0
    service: Callable[[float, random.Random], float] = lambda _, chance: 0.1 * chance.uniform(0.8, 1.2)
    most: int = 128
    least: int = 1
    seed: int = 1
    now: float = 0.0
    answered: int = 0
    refused: int = 0
    limits: list[tuple[float, int]] = attrs.field(factory=list)
    _busy: int = 0
    _waiting: deque[Held] = attrs.field(factory=deque)
    _events: list[tuple[float, int, bool, Held]] = attrs.field(factory=list)
    _order: itertools.count[int] = attrs.field(factory=itertools.count)
    _chance: random.Random = attrs.field(init=False)
    _served: list[tuple[float, float]] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311

    def run(self, seconds: float) -> Server:
        limiter = ConcurrencyLimit(
            least=self.least, start=min(self.most, max(self.least, 2)), most=self.most, clock=lambda: self.now
        )
        while self.now < seconds:
            while limiter.in_flight < limiter.limit:
                self._send(Held.of(limiter, self.now))
            self._next()
            self.limits.append((self.now, limiter.limit))
        return self

    def usual(self, begin: float, end: float) -> float:
        """Return the time-weighted mean of the limit between two times."""
        spans = [(limit, then - at) for (at, limit), (then, _) in itertools.pairwise(self.limits) if begin <= at < end]
        return sum(limit * span for limit, span in spans) / sum(span for _, span in spans)

    def rate(self, begin: float, end: float) -> float:
        """Return the responses per second between two times."""
        return sum(begin <= at < end for at, _ in self._served) / (end - begin)

    def latency(self, begin: float, end: float) -> float:
        """Return the median latency of the responses between two times."""
        return median(latency for at, latency in self._served if begin <= at < end)

    def _send(self, held: Held) -> None:
        if self._busy < self.capacity(self.now):
            self._work(held)
        elif len(self._waiting) < self.queue:
            self._waiting.append(held)
        else:
            self._later(0.005, False, held)

    def _work(self, held: Held) -> None:
        self._busy += 1
        self._later(self.service(self.now, self._chance), True, held)

    def _later(self, seconds: float, served: bool, held: Held) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), served, held))

    def _next(self) -> None:
        self.now, _, served, held = heapq.heappop(self._events)
        if not served:
            self.refused += 1
            held.refused()
            return
        self._busy, self.answered = self._busy - 1, self.answered + 1
        self._served.append((self.now, self.now - held.since))
        held.done()
        while self._waiting and self._busy < self.capacity(self.now):
            self._work(self._waiting.popleft())


def of(capacity: int) -> Callable[[float], int]:
    return lambda _: capacity


# ---- the knee --------------------------------------------------------------------------------------------------------


def jittery(seconds: float, spread: float) -> Callable[[float, random.Random], float]:
    return lambda _, chance: seconds * chance.uniform(1 - spread, 1 + spread)


@pytest.mark.parametrize("queue", [0, ENDLESS], ids=["refuses", "lets wait"])
@pytest.mark.parametrize("spread", [0.05, 0.2])
@pytest.mark.parametrize("capacity", [1, 2, 3, 5, 8, 16])
def test_as_much_is_done_as_by_the_best_fixed_number_and_hardly_later(capacity: int, spread: float, queue: int) -> None:
    def runs(least: int, most: int) -> list[Server]:
        how: dict[str, Any] = {"service": jittery(0.2, spread), "least": least, "most": most}
        return [Server(of(capacity), queue, seed=seed, **how).run(60) for seed in range(3)]

    found, best = runs(1, 64), runs(capacity, capacity)
    assert fmean(one.rate(5, 60) for one in found) >= 0.97 * fmean(one.rate(5, 60) for one in best)
    assert median(one.latency(5, 60) for one in found) <= 1.3 * median(one.latency(5, 60) for one in best)


def test_a_provider_that_takes_any_number_gets_the_most_within_seven_round_trips() -> None:
    server = Server(of(1000), 0, jittery(0.2, 0.05), most=64).run(10)
    assert next(at for at, limit in server.limits if limit == 64) < 7 * 0.21
    assert server.rate(2, 10) > 0.97 * 64 / 0.2


def test_texts_that_are_longer_for_a_while_do_not_leave_a_server_idle_for_long() -> None:
    # Length bucketing: 16 batches, each of longer texts than the one before it.
    number = itertools.count()
    server = Server(of(8), ENDLESS, lambda *_: 0.2 * (0.3 + 1.4 * (next(number) % 16) / 15), most=64).run(120)
    assert server.rate(20, 120) > 0.85 * 8 / 0.2
    assert server.usual(20, 120) < 2 * 8


# ---- convergence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [1, 4, 16, 48])
def test_the_capacity_of_a_server_that_refuses_is_found(capacity: int) -> None:
    server = Server(of(capacity)).run(60)
    assert server.usual(5, 60) == pytest.approx(capacity, rel=0.4 if capacity == 1 else 0.15)
    assert server.rate(5, 60) > 0.97 * capacity / 0.1


@pytest.mark.parametrize(("capacity", "most"), [(1, 0.06), (4, 0.03), (16, 0.03), (48, 0.03)])
def test_few_requests_are_refused_on_the_way(capacity: int, most: float) -> None:
    server = Server(of(capacity)).run(60)
    assert server.refused < most * (server.answered + server.refused)


@pytest.mark.parametrize("capacity", [4, 16, 48])
def test_it_is_near_the_capacity_within_a_second(capacity: int) -> None:
    assert max(limit for at, limit in Server(of(capacity)).run(1).limits if at < 1) >= 0.75 * capacity


@pytest.mark.parametrize("capacity", [1, 4, 16, 48])
def test_a_server_that_lets_requests_wait_is_kept_busy_and_its_queue_short(capacity: int) -> None:
    server = Server(of(capacity), queue=ENDLESS, most=1000).run(300)
    assert server.rate(10, 300) > 0.98 * capacity / 0.1
    assert 0.97 * capacity <= server.usual(10, 60) < 1.25 * capacity + 0.5
    # It does not creep up: the latency of its own queue must not become the base latency.
    assert server.usual(240, 300) <= 1.1 * server.usual(10, 60) + 2


@pytest.mark.parametrize(("before", "after"), [(48, 8), (8, 48), (16, 1)])
def test_a_capacity_that_changes_is_followed(before: int, after: int) -> None:
    server = Server(lambda now: before if now < 30 else after).run(60)
    assert server.rate(5, 30) > 0.9 * before / 0.1
    assert server.rate(33, 60) > 0.9 * after / 0.1
    assert server.usual(33, 60) == pytest.approx(after, rel=0.4 if after == 1 else 0.15)


@pytest.mark.parametrize(("before", "after"), [(48, 8), (8, 48)])
def test_a_capacity_behind_a_queue_is_followed_too(before: int, after: int) -> None:
    server = Server(lambda now: before if now < 30 else after, queue=ENDLESS, most=1000).run(90)
    assert server.rate(33, 90) > 0.97 * after / 0.1
    assert server.usual(40, 90) < after + 2 * max(4, after**0.5)


@pytest.mark.parametrize("queue", [0, ENDLESS])
@pytest.mark.parametrize("slower", [1.5, 2, 5, 20])
def test_a_server_that_has_become_slower_is_believed_at_once(queue: int, slower: float) -> None:
    changing = Server(of(16), queue, lambda now, chance: (0.1 if now < 30 else 0.1 * slower) * chance.uniform(0.8, 1.2))
    changing.run(30 + 60 * slower)
    for begin, end in itertools.pairwise([30, 30 + 10 * slower, 30 + 20 * slower, 30 + 60 * slower]):
        assert changing.rate(begin, end) > 0.8 * 16 / 0.1 / slower
    assert changing.usual(30 + 20 * slower, 30 + 60 * slower) < 32


def test_a_server_that_has_become_faster_gets_no_long_queue() -> None:
    changing = Server(of(16), ENDLESS, lambda now, chance: (0.5 if now < 30 else 0.1) * chance.uniform(0.8, 1.2))
    changing.run(60)
    assert changing.rate(32, 60) > 0.95 * 16 / 0.1
    assert changing.usual(32, 60) < 32


NOISY: dict[str, tuple[float, Callable[[float, random.Random], float]]] = {
    "of two lengths": (0.35, lambda _, chance: chance.choice([0.1, 0.6])),
    "of any length": (0.1, lambda _, chance: chance.expovariate(10)),
    "of a slow node": (0.325, lambda _, chance: 1.0 if chance.random() < 0.25 else 0.1),
}


@pytest.mark.parametrize("queue", [0, ENDLESS])
@pytest.mark.parametrize("capacity", [4, 16, 32])
@pytest.mark.parametrize("noise", NOISY)
def test_answers_of_different_length_are_no_sign_of_a_queue(noise: str, capacity: int, queue: int) -> None:
    mean, service = NOISY[noise]
    server = Server(of(capacity), queue, service).run(150)
    assert server.rate(20, 150) > 0.8 * capacity / mean
    assert server.usual(20, 150) < 3.2 * max(8, capacity)


@pytest.mark.parametrize(("queue", "least"), [(0, 1.3), (32, 0.9), (ENDLESS, 0.9)])
def test_while_the_capacity_changes_it_does_as_much_as_the_best_fixed_number_or_more(queue: int, least: float) -> None:
    capacities = (8, 32, 4, 16)

    def run(least: int, most: int) -> Server:
        return Server(lambda now: capacities[int(now / 5) % 4], queue, least=least, most=most).run(20)

    found, fixed = run(1, 64), {count: run(count, count) for count in (4, 8, 16, 32, 64)}
    # A limit far above capacity also gets much done, since refusals are fast here, but would harm other clients.
    fair = [server.answered for server in fixed.values() if server.refused < server.answered]
    assert found.answered > least * max(fair)
    assert found.refused < 0.1 * found.answered


# ---- the control law -------------------------------------------------------------------------------------------------


def test_a_burst_of_refusals_lowers_the_limit_to_what_the_server_has_taken() -> None:
    now = [0.0]
    limiter = ConcurrencyLimit(start=20, clock=lambda: now[0])
    burst = [Held.of(limiter) for _ in range(20)]
    for held in burst[13:]:
        now[0] += 0.01
        held.refused()
    assert limiter.limit == 13


def test_refusals_of_one_round_trip_halve_the_limit_at_most_and_those_of_two_again() -> None:
    now = [0.0]
    limiter = ConcurrencyLimit(start=20, clock=lambda: now[0])
    for expected in (10, 5, 2):
        now[0] += 1
        burst = [Held.of(limiter) for _ in range(limiter.limit)]
        now[0] += 1
        for held in burst:
            held.refused()
        assert limiter.limit == expected


def test_it_doubles_in_each_round_trip_while_latency_stays() -> None:
    limiter = ConcurrencyLimit(start=8, most=64, clock=lambda: now[0])
    now = [0.0]
    under_way: list[Held] = []
    limits = []

    def fill() -> None:
        while limiter.in_flight < limiter.limit:
            under_way.append(Held.of(limiter))

    fill()
    for _ in range(4):
        limits.append(limiter.limit)
        now[0] += 1
        for held in [under_way.pop(0) for _ in range(len(under_way))]:
            held.done()
            fill()
    assert limits == [8, 16, 32, 64]


def sample(seconds: float, *, size: int, capacity: Capacity, crowded: bool = True, spread: float = 0.0) -> None:
    """Complete a round of ``size`` requests that each took ``seconds``, or more and less in turn."""
    begun = [capacity.begin() for _ in range(size)]
    for number, one in enumerate(begun):
        one.add(seconds + (spread if number % 2 else -spread), 64, crowded)
    for one in begun:
        capacity.end(one)


def resting(limit: int, *, least: int = 1, most: int = 128, seconds: float = 1.0) -> Capacity:
    """Return a capacity that has tried twice its limit, and half of it, both in vain, and has just come back."""
    capacity = Capacity(limit, least, most)
    sample(seconds, size=limit, capacity=capacity)
    assert capacity.limit == 2 * limit
    sample(2 * seconds, size=limit, capacity=capacity)  # a glance, which is not enough for a no
    sample(2 * seconds, size=2 * limit, capacity=capacity)
    assert capacity.limit == limit
    sample(seconds, size=limit, capacity=capacity)
    sample(seconds, size=limit, capacity=capacity)
    assert capacity.limit == round(limit / (1 + STEP))
    sample(seconds, size=capacity.limit, capacity=capacity)
    assert capacity.limit == limit
    return capacity


def rounds(capacity: Capacity, count: int, seconds: float = 1.0) -> None:
    for _ in range(count):
        sample(seconds, size=capacity.limit, capacity=capacity)


def test_after_some_rounds_a_quarter_more_is_tried_and_doubled_if_that_was_served_at_once() -> None:
    capacity = resting(20)
    rounds(capacity, PAUSE)
    assert capacity.limit == 25
    sample(1.0, size=25, capacity=capacity)
    assert capacity.limit == 50


def test_what_only_waited_is_compared_with_the_rounds_before_and_after_it() -> None:
    capacity = resting(20)
    rounds(capacity, PAUSE)
    sample(1.25, size=25, capacity=capacity)
    assert capacity.limit == 20
    sample(1.0, size=20, capacity=capacity)
    while capacity.limit <= 20:
        sample(1.0, size=20, capacity=capacity)
    assert capacity.limit == 25
    sample(1.25, size=25, capacity=capacity)
    sample(1.25, size=20, capacity=capacity)  # not the queue was longer, but the texts
    assert capacity.limit > 20


def test_a_part_that_was_served_at_once_is_the_new_limit() -> None:
    capacity = resting(20)
    rounds(capacity, PAUSE)
    sample(25 / 22, size=25, capacity=capacity)  # of a server that works at 22 at once
    sample(1.0, size=20, capacity=capacity)
    assert capacity.limit == 22


@pytest.mark.parametrize(("seconds", "expected"), [(2.0, 10), (4.0, 20)], ids=["fewer workers", "slower workers"])
def test_when_latency_has_grown_half_as_many_tell_why(seconds: float, expected: int) -> None:
    capacity = resting(20)
    sample(4.0, size=20, capacity=capacity)
    assert capacity.limit == 20
    sample(4.0, size=20, capacity=capacity)  # latency has settled
    assert capacity.limit == 10
    sample(seconds, size=10, capacity=capacity)
    assert capacity.limit == 20
    if expected < 20:
        sample(4.0, size=20, capacity=capacity)
        assert capacity.limit == 5  # ten did as much, and half of them may, too
        sample(seconds, size=5, capacity=capacity)
        assert capacity.limit == 10


def test_when_latency_has_fallen_more_are_tried_at_once() -> None:
    capacity = resting(20)
    sample(0.5, size=20, capacity=capacity)
    assert capacity.limit == 25


@pytest.mark.parametrize(("spread", "limit"), [(0.1, 25), (0.9, 20)])
def test_what_chance_can_do_is_no_change(spread: float, limit: int) -> None:
    capacity = resting(20)
    sample(0.7, size=20, capacity=capacity, spread=spread * 0.7)
    assert capacity.limit == limit


def test_after_each_trial_that_was_refused_the_next_one_is_shorter() -> None:
    capacity = resting(40)
    tried: list[int] = []
    while len(tried) < 5:
        rounds(capacity, 1)
        if capacity.limit > 40:
            tried.append(capacity.limit)
            sample_of_trial = capacity.begin()
            for _ in range(3):  # the last two are told after the trial
                capacity.refuse(sample_of_trial, 1.0, 2.0, 39)
                assert capacity.limit == 40
    assert tried == [50, 45, 42, 41, 41]


def test_trials_of_fewer_become_rare_as_long_as_they_cost_throughput() -> None:
    capacity = resting(20)
    fewer = []
    for number in range(400):
        fewer += [number] if capacity.limit < 20 else []
        # In proportion to the limit above 20, and the same below it.
        sample(max(1.0, capacity.limit / 20), size=max(6, capacity.limit), capacity=capacity)
    pauses = [later - earlier for earlier, later in itertools.pairwise(fewer)]
    assert pauses == sorted(pauses)
    assert pauses[-1] > 16 * SOON
    assert len(pauses) >= 3


def test_fewer_are_tried_at_the_most_that_may_be_too() -> None:
    capacity = Capacity(8, 1, 16)
    rounds(capacity, 10)
    assert capacity.limit == 16  # doubled once, as all were served at once
    # So slowly that no round differs from the one before, the server comes to work on a quarter of them.
    for number in range(2_000):
        sample(1.0 + min(3.0, number / 200) * capacity.limit / 16, size=capacity.limit, capacity=capacity)
    assert capacity.limit < 16


def test_no_fewer_are_tried_than_may_be() -> None:
    capacity = Capacity(8, 8, 8)
    for number in range(200):
        sample(1.0 + number % 2, size=8, capacity=capacity)
        assert capacity.limit == 8


def test_what_was_begun_under_another_limit_tells_nothing() -> None:
    capacity = Capacity(20, 1, 64)
    late = [capacity.begin() for _ in range(40)]
    for one in late[:20]:
        one.add(1.0, 64, True)
        capacity.end(one)
    assert capacity.limit == 40
    for one in late[20:]:
        one.add(9.0, 64, True)
        capacity.end(one)
    sample(1.0, size=20, capacity=capacity)
    assert capacity.limit == 64


def test_requests_that_came_to_nothing_do_not_keep_the_others_from_being_judged() -> None:
    capacity = Capacity(20, 1, 64)
    begun = [capacity.begin() for _ in range(20)]
    for number, one in enumerate(begun):
        if number % 4:
            one.add(1.0, 64, True)
        capacity.end(one)
    assert capacity.limit == 40


def test_a_cohort_of_which_nothing_was_answered_tells_nothing() -> None:
    capacity = Capacity(20, 1, 64)
    for one in [capacity.begin() for _ in range(200)]:
        capacity.end(one)
    assert capacity.limit == 20


def test_single_texts_among_batches_are_no_sign_of_a_queue() -> None:
    capacity = resting(40)
    for _ in range(PAUSE - 1):
        begun = [capacity.begin() for _ in range(40)]
        for number, one in enumerate(begun):
            one.add(1.0, 1 if number % 8 == 0 else 64, True)
            capacity.end(one)
        assert capacity.limit == 40


def test_a_clock_that_stands_still_breaks_nothing() -> None:
    capacity = Capacity(8, 1, 64)
    for _ in range(300):
        sample(0.0, size=capacity.limit, capacity=capacity)
    assert 1 <= capacity.limit <= 64


def test_a_limit_that_is_not_used_does_not_grow() -> None:
    limiter = ConcurrencyLimit(start=4, clock=lambda: 0.0)
    for _ in range(100):
        Held.of(limiter).done()
    assert limiter.limit == 4


def test_the_latency_is_that_of_each_text() -> None:
    now = [0.0]
    limiter = ConcurrencyLimit(least=1, start=1, most=8, clock=lambda: now[0])
    others: list[Held] = []
    for items in (1, 64, 1, 64) * 10:
        while limiter.in_flight < limiter.limit - 1:
            others.append(Held.of(limiter))
        held = Held.of(limiter)
        now[0] += items
        held.done(items)
    assert limiter.limit == 8


def test_a_fixed_limit_never_moves() -> None:
    limiter = ConcurrencyLimit.fixed(3)
    for held in [Held.of(limiter) for _ in range(3)]:
        held.refused()
    for held in [Held.of(limiter) for _ in range(3)]:
        held.done()
    assert limiter.limit == 3
    assert limiter.in_flight == 0


@pytest.mark.parametrize(("least", "start", "most"), [(0, 1, 1), (2, 1, 3), (1, 4, 3)])
def test_bounds_that_make_no_sense_are_refused(least: int, start: int, most: int) -> None:
    with pytest.raises(ValueError, match=f"not {least}, {start}, {most}"):
        ConcurrencyLimit(least=least, start=start, most=most)


@settings(derandomize=True, max_examples=200, deadline=None, database=None)
@given(
    bounds=st.lists(st.integers(1, 40), min_size=3, max_size=3).map(sorted),
    steps=st.lists(st.tuples(st.sampled_from(["send", "done", "refused"]), st.floats(0, 100)), max_size=200),
)
def test_it_never_leaves_its_bounds(bounds: list[int], steps: list[tuple[str, float]]) -> None:
    now = [0.0]
    least, start, most = bounds
    limiter = ConcurrencyLimit(least=least, start=start, most=most, clock=lambda: now[0])
    held: deque[Held] = deque()
    for step, seconds in steps:
        now[0] += seconds
        if step == "send":
            while limiter.in_flight < limiter.limit:
                held.append(Held.of(limiter))
        elif held:
            getattr(held.popleft(), step)()
        assert least <= limiter.limit <= most
        assert limiter.in_flight == len(held)


# ---- waiting for a slot ----------------------------------------------------------------------------------------------


@attrs.define
class Crowd:
    """Tasks that acquire a slot each; ``entered`` is the order in which they got it, ``leave`` lets some release it."""

    limiter: ConcurrencyLimit
    entered: list[int] = attrs.field(factory=list)
    tasks: list[asyncio.Task[None]] = attrs.field(factory=list)
    _exits: list[anyio.Event] = attrs.field(factory=list)

    async def come(self, count: int) -> None:
        for _ in range(count):
            self._exits.append(anyio.Event())
            self.tasks.append(asyncio.create_task(self._one(len(self.tasks))))
        await turns()

    async def _one(self, number: int) -> None:
        async with self.limiter.slot():
            self.entered.append(number)
            await self._exits[number].wait()

    async def leave(self, *numbers: int) -> None:
        for number in numbers:
            self._exits[number].set()
        await turns()

    async def end(self) -> None:
        await self.leave(*range(len(self._exits)))
        await asyncio.gather(*self.tasks, return_exceptions=True)
        assert self.limiter.in_flight == 0


@pytest.mark.asyncio
async def test_who_waits_longest_is_let_in_first() -> None:
    crowd = Crowd(ConcurrencyLimit.fixed(2))
    await crowd.come(6)
    assert crowd.entered == [0, 1]
    await crowd.leave(1)
    await crowd.leave(0)
    await crowd.come(1)
    await crowd.leave(2, 3)
    assert crowd.entered == [0, 1, 2, 3, 4, 5]
    await crowd.leave(4)
    assert crowd.entered[-1] == 6
    await crowd.end()


@pytest.mark.asyncio
async def test_who_comes_while_another_one_was_called_stands_behind_those_who_wait() -> None:
    crowd = Crowd(ConcurrencyLimit.fixed(1))
    await crowd.come(3)
    crowd._exits[0].set()
    await asyncio.sleep(0)  # 0 releases and 1 is woken; 3 arrives before 1 has run
    await crowd.come(1)
    await crowd.leave(1, 2)
    assert crowd.entered == [0, 1, 2, 3]
    await crowd.end()


@pytest.mark.asyncio
async def test_a_limit_that_grows_lets_those_in_who_wait() -> None:
    limiter = ConcurrencyLimit(start=1, most=4, clock=lambda: 0.0)
    first = Held.of(limiter)
    crowd = Crowd(limiter)
    await crowd.come(3)
    assert crowd.entered == []
    first.done()  # the first request of four that make a round
    await turns()
    assert (limiter.limit, crowd.entered) == (1, [0])
    await crowd.leave(0)
    for number in (1, 2):
        await crowd.leave(number)
    await crowd.end()


@pytest.mark.asyncio
async def test_a_limit_that_fell_lets_nobody_in_until_so_many_have_left() -> None:
    now = [0.0]
    limiter = ConcurrencyLimit(start=10, clock=lambda: now[0])
    held = [Held.of(limiter) for _ in range(10)]
    crowd = Crowd(limiter)
    await crowd.come(2)
    now[0] += 1
    for one in held[:3]:
        one.slot.refused()
    for one in held[:2]:
        one.leave()
        await turns()
    assert (limiter.limit, limiter.in_flight, crowd.entered) == (9, 9, [0])
    for one in held[2:]:
        one.leave()
    await crowd.end()


@pytest.mark.asyncio
async def test_a_waiter_that_is_cancelled_is_forgotten() -> None:
    crowd = Crowd(ConcurrencyLimit.fixed(1))
    await crowd.come(4)
    crowd.tasks[1].cancel()
    crowd.tasks[3].cancel()
    await turns()
    await crowd.leave(0)
    assert crowd.entered == [0, 2]
    await crowd.end()


@pytest.mark.asyncio
async def test_a_waiter_that_is_cancelled_as_it_is_called_loses_no_slot() -> None:
    crowd = Crowd(ConcurrencyLimit.fixed(1))
    await crowd.come(3)
    crowd._exits[0].set()
    while len(crowd.limiter._waiting) == 2:  # noqa: ASYNC110 - single turns of the loop, until it is woken
        await asyncio.sleep(0)
    crowd.tasks[1].cancel()  # it was woken, and has not run yet
    await turns()
    assert crowd.tasks[1].cancelled()
    assert crowd.entered == [0, 2]
    await crowd.end()


@pytest.mark.asyncio
async def test_an_error_within_gives_the_slot_back() -> None:
    limiter = ConcurrencyLimit.fixed(1)
    with pytest.raises(OSError, match="broken"):
        async with limiter.slot():
            raise OSError("broken")
    assert limiter.in_flight == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(20))
async def test_no_slot_is_lost_however_waiters_come_leave_and_are_cancelled(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    crowd = Crowd(ConcurrencyLimit.fixed(3))
    for _ in range(40):
        await crowd.come(chance.randrange(3))
        for number in range(len(crowd.tasks)):
            if chance.random() < 0.1:
                crowd.tasks[number].cancel()
            if chance.random() < 0.1:
                crowd._exits[number].set()
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        assert crowd.limiter.in_flight <= 3
    await crowd.end()
    await crowd.come(4)
    assert len(crowd.entered) >= 3
    assert crowd.limiter.in_flight == 3
    await crowd.end()


# ---- requests of several permits ------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_request_of_several_permits_takes_those_that_are_free_and_waits_for_one_only() -> None:
    limiter = ConcurrencyLimit.fixed(5)
    async with limiter.slot(3) as first, limiter.slot(9) as second:
        assert (first.width, second.width, limiter.in_flight) == (3, 2, 5)
        waiting = asyncio.create_task(limiter._turn(4))
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting == 2  # what the second one gave back, before the first did
    assert limiter.in_flight == 2


@pytest.mark.asyncio
async def test_a_cancelled_request_passes_all_of_its_permits_on() -> None:
    limiter = ConcurrencyLimit.fixed(3)
    async with limiter.slot(3):
        first, second = (asyncio.create_task(limiter._turn(3)) for _ in range(2))
        await asyncio.sleep(0)
    first.cancel()
    assert await second == 3
    assert limiter.in_flight == 3


@pytest.mark.asyncio
async def test_permits_that_were_served_are_taken_for_what_the_server_takes() -> None:
    limiter = ConcurrencyLimit(least=1, most=64, start=8)
    async with limiter.slot(4), limiter.slot(4) as slot:
        slot.served = 3
        slot.refused()
    assert limiter.limit == 7  # all but the one that was refused


@attrs.define
class ServerOfParts(Server):
    """A server that makes several requests of each one, up to ``width``: it is answered when all of them are done."""

    width: int = 1
    _left: dict[int, int] = attrs.field(factory=dict)

    def run(self, seconds: float) -> ServerOfParts:
        limiter = ConcurrencyLimit(least=1, start=2, most=self.most, clock=lambda: self.now)
        while self.now < seconds:
            while limiter.in_flight < limiter.limit:
                self._send(Held(at_once(limiter.slot(self.width).__aenter__()), self.now))
            self._next()
            self.limits.append((self.now, limiter.limit))
        return self

    def _send(self, held: Held) -> None:
        self._left[id(held)] = held.slot.width
        for _ in range(held.slot.width):
            super()._send(held)

    def _next(self) -> None:
        self.now, _, _, held = heapq.heappop(self._events)
        self._busy -= 1
        self._served.append((self.now, self.now - held.since))
        while self._waiting and self._busy < self.capacity(self.now):
            self._work(self._waiting.popleft())
        self._left[id(held)] -= 1
        if not self._left[id(held)]:
            del self._left[id(held)]
            held.done(10 * held.slot.width)


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("capacity", [4, 12])
def test_the_knee_counts_the_requests_that_a_server_makes_and_not_those_it_gets(capacity: int, width: int) -> None:
    server = ServerOfParts(of(capacity), ENDLESS, jittery(0.2, 0.05), most=64, width=width).run(120)
    assert server.rate(20, 120) >= 0.9 * capacity / 0.2
    assert server.usual(20, 120) <= 2 * capacity
