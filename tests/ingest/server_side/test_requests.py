"""Requests of a pipeline: which documents are left, and how much of the limit each request takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import attrs
import pytest

from aiomlcommons.errors import ApiError
from aiomlcommons.ingest.pacing.concurrency_limit import ConcurrencyLimit
from aiomlcommons.ingest.pacing.rate_limit import RateLimit
from aiomlcommons.ingest.server_side.requests import Pending, PipelineRequests
from aiomlcommons.ingest.server_side.turns import PARTS, Turns
from aiomlcommons.ingest.sinks.index_pipeline import Actions
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.net.retry_budget import RetryBudget
from tests.support.scripted_model import api, throttled

pytestmark = pytest.mark.asyncio


def pending(count: int) -> Pending:
    lines = [b"{}\n%d\n" % number for number in range(count)]
    actions = Actions(b"".join(lines), [*map(len, lines)], range(count), [[]] * count)
    return Pending(actions, [f"text {number}" for number in range(count)])


@attrs.define
class Server:
    """Takes requests; ``answers`` are the errors of the first ones, by position."""

    answers: list[Mapping[int, ApiError]] = attrs.field(factory=list)
    requests: list[Sequence[int]] = attrs.field(factory=list)
    accepted: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def send(self, sent: Actions) -> Mapping[int, ApiError]:
        self.requests.append(sent.indices)
        self.at_once += len(sent)
        self.most_at_once = max(self.most_at_once, self.at_once)
        await anyio.lowlevel.checkpoint()
        self.at_once -= len(sent)
        return self.answers.pop(0) if self.answers else {}

    def accept(self, count: int) -> None:
        self.accepted += count

    def over(self, limit: int, batch_size: int, **more: Any) -> PipelineRequests:
        """Return requests to the server, within a limit."""
        how = (ConcurrencyLimit.fixed(limit), RetryBudget(), Stats(), Backoff(first=0))
        return PipelineRequests(*how, send=self.send, batch_size=batch_size, accepted=self.accept, **more)


async def sent(requests: PipelineRequests, *those: Pending) -> None:
    async def one(documents: Pending) -> None:
        async with requests.turn(documents):
            while documents:
                await requests(documents)

    async with anyio.create_task_group() as group:
        for documents in those:
            group.start_soon(one, documents)


async def test_a_request_takes_a_permit_for_each_request_to_the_model() -> None:
    server = Server()
    await sent(server.over(4, batch_size=10), pending(100))
    assert list(map(len, server.requests)) == [40, 40, 20]
    assert server.accepted == 100


async def test_several_batches_share_the_limit() -> None:
    server = Server()
    await sent(server.over(8, batch_size=1), *(pending(12) for _ in range(4)))
    assert server.most_at_once <= 8
    assert max(map(len, server.requests[4:8])) <= 3
    assert server.accepted == 48


async def test_only_what_was_not_accepted_is_sent_again() -> None:
    server = Server([{1: throttled(), 3: throttled()}, {0: throttled()}])
    await sent(server.over(4, batch_size=1), pending(4))
    assert list(map(list, server.requests)) == [[0, 1, 2, 3], [1, 3], [1]]
    assert server.accepted == 4


async def test_what_fails_for_good_is_noted_with_its_error_and_not_sent_again() -> None:
    server, documents, error = Server([{0: (error := api(400, "bad")), 2: error, 3: throttled()}]), pending(4), error
    await sent(server.over(4, batch_size=1), documents)
    assert [(list(part.indices), why) for part, why in documents.failed] == [([0, 2], error)]
    assert list(map(list, server.requests)) == [[0, 1, 2, 3], [3]]


async def test_a_refusal_lowers_the_limit_to_what_was_taken() -> None:
    server = Server([{6: throttled(), 7: throttled()}])
    requests = server.over(8, batch_size=1)
    requests.limiter = ConcurrencyLimit(least=1, most=64, start=8)
    await requests(pending(8))
    assert requests.limiter.limit == 6


async def test_what_is_begun_goes_on_before_more_begins() -> None:
    server = Server()
    await sent(server.over(4, batch_size=1), *(pending(20) for _ in range(20)))
    # Of batches that need more than the limit has, four are under way: a new one begins where one has ended.
    left, most = 0, 0
    for indices in server.requests:
        left += (indices[0] == 0) - (indices[-1] == 19)
        most = max(most, left)
    assert most == PARTS


async def test_a_limit_of_requests_a_minute_counts_those_to_the_model() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds))

    rate = RateLimit(requests=60, clock=lambda: 0.0, sleep=sleep)
    await sent(Server().over(4, batch_size=5, rate=rate), pending(30))
    assert slept == [4]  # the first request is of four to the model, at one a second


async def test_more_batches_begin_as_the_limit_grows_and_a_cancelled_one_passes_its_turn_on() -> None:
    turns, begun = Turns(limiter := ConcurrencyLimit.fixed(2)), list[int]()
    ends = [anyio.Event() for _ in range(20)]

    async def batch(number: int) -> None:
        async with turns.turn(1):
            begun.append(number)
            await ends[number].wait()

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(batch, number)
        await anyio.wait_all_tasks_blocked()
        assert begun == [0, 1, 2, 3]
        turns.limiter = ConcurrencyLimit.fixed(5 * limiter.limit)
        ends[0].set()
        await anyio.wait_all_tasks_blocked()
        assert begun == [*range(20)]
        group.cancel_scope.cancel()
    assert turns._begun == []


async def test_pauses_begin_anew_when_some_documents_were_accepted() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    several: list[Mapping[int, ApiError]] = [{i: throttled() for i in range(count)} for count in (3, 3, 2, 2, 1)]
    server = Server(several)
    requests = server.over(4, batch_size=1)
    requests.backoff, requests.sleep = Backoff(first=1, factor=2, cap=60, jitter=0), sleep
    await requests(pending(4))
    assert slept == [1, 2, 1, 2, 1]
    assert server.accepted == 4
