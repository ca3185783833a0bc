"""Rate limiter: requests and tokens per minute, evenly spaced, in virtual time."""

from __future__ import annotations

import math

import attrs
import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.pacing.rate_limit import RateLimit, about_tokens
from tests.support.virtual_time import Clock

pytestmark = pytest.mark.asyncio


@attrs.define
class Paced:
    """A rate limiter, and the times at which it let requests through."""

    requests: float = math.inf
    tokens: float = math.inf
    clock: Clock = attrs.field(factory=Clock)
    times: list[float] = attrs.field(factory=list)

    async def run(self, *requests: list[str]) -> list[float]:
        rate = RateLimit(self.requests, self.tokens, len, self.clock, self.clock.sleep)

        async def one(texts: list[str]) -> None:
            await rate.wait(texts)
            self.times.append(self.clock())

        await self.clock.run(*map(one, requests))
        return self.times


async def test_requests_go_evenly() -> None:
    assert await Paced(requests=120).run(*[["a"]] * 5) == pytest.approx([0, 0.5, 1, 1.5, 2])


async def test_a_request_waits_for_the_tokens_of_the_one_before() -> None:
    assert await Paced(tokens=60).run(["aaa", "aa"], ["a"], ["aa"]) == pytest.approx([0, 5, 6])


async def test_the_narrower_limit_counts() -> None:
    assert await Paced(requests=60, tokens=60).run(["aaa"], [""], ["a"]) == pytest.approx([0, 3, 4])


async def test_nobody_saves_up_for_a_burst() -> None:
    paced = Paced(requests=60)
    rate = RateLimit(60, clock=paced.clock, sleep=paced.clock.sleep)

    async def late() -> list[float]:
        await paced.clock.passing(100)
        times: list[float] = []
        for _ in range(3):
            await rate.wait(["a"])
            times.append(paced.clock())
        return times

    assert await paced.clock.run(late()) == [pytest.approx([100, 101, 102])]


async def test_tokens_are_guessed_from_characters() -> None:
    assert about_tokens("") == 1
    assert about_tokens("x" * 400) == 101


@pytest.mark.parametrize("name", ["requests_per_minute", "tokens_per_minute"])
@pytest.mark.parametrize("value", [0, -1, math.nan])
async def test_a_rate_of_nothing_is_refused(name: str, value: float) -> None:
    with pytest.raises(InvalidRequest, match=f"{name} must be more than 0"):
        JobOptions(**{name: value})  # type: ignore[arg-type]


async def test_no_limit_is_no_rate() -> None:
    assert JobOptions().rate() is None
    assert JobOptions(tokens_per_minute=5).rate() is not None
