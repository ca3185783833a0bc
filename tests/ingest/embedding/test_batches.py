"""Embedding of batches: deduplication, retries, retry budget, bisection, and no document given up wrongly."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import attrs
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons import Backoff
from aiomlcommons.errors import (
    ApiError,
    ConnectError,
    DecodeError,
    Forbidden,
    InvalidRequest,
    MLCommonsError,
    NoCredentials,
    NotSupported,
    RequestTimeout,
    SessionClosed,
    TooManyRequests,
)
from aiomlcommons.http import HttpResponse
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.embedding.model_check import HARMLESS
from aiomlcommons.ingest.errors import JobStalled, ModelFails
from aiomlcommons.ingest.pacing.concurrency_limit import ConcurrencyLimit
from aiomlcommons.ingest.state.dead_letters import DeadLetter
from aiomlcommons.net.retry_budget import RetryBudget
from aiomlcommons.statuses import error_for
from tests.support.scripted_model import REQUEST, EmbedderOnAClock, Model, api, batch_of, embedded, throttled, vectors
from tests.support.virtual_time import Clock, turns

# ---- without errors --------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_each_document_has_its_own_vector() -> None:
    world = EmbedderOnAClock(Model())
    result = await world.one("a", "bb", "ccc")
    assert embedded(result) == ["a", "bb", "ccc"]
    assert isinstance(result.vectors, np.ndarray)
    assert result.vectors.shape == (3, 2)
    assert (world.stats.embedded, world.stats.reused, world.stats.requests, world.stats.retried) == (3, 0, 1, 0)


@pytest.mark.asyncio
async def test_the_latency_is_that_of_answers_alone() -> None:
    model = Model([api(503)])

    async def slow(texts: list[str]) -> Vectors:
        await world.clock.passing(3)
        return await model(texts)

    world = EmbedderOnAClock(slow, limiter=ConcurrencyLimit.fixed(1))
    await world.all(batch_of("a"))
    # Neither the failed request nor the pause after it counts.
    assert world.stats.latency == pytest.approx(3.0)
    assert world.clock.now >= 6


@pytest.mark.asyncio
async def test_identical_texts_are_asked_once_and_counted_as_reused() -> None:
    model = Model()
    world = EmbedderOnAClock(model)
    assert embedded(await world.one("a", "b", "a", "a", "b")) == ["a", "b", "a", "a", "b"]
    assert model.requests == [["a", "b"]]
    assert (world.stats.embedded, world.stats.reused) == (2, 3)


@pytest.mark.asyncio
async def test_the_vectors_of_new_texts_are_those_of_the_answer_without_a_copy() -> None:
    answers: list[Vectors] = []

    async def embed(texts: list[str]) -> Vectors:
        answers.append(vectors(texts))
        return answers[-1]

    assert (await EmbedderOnAClock(embed).one("a", "bb", "ccc")).vectors is answers[0]


@pytest.mark.asyncio
async def test_a_sink_that_changes_its_vectors_does_not_change_those_of_later_documents() -> None:
    world = EmbedderOnAClock(Model())
    result = await world.one("a", "bb")
    assert isinstance(result.vectors, np.ndarray)
    result.vectors[:] = 0
    assert embedded(await world.one("bb", "a", "ccc")) == ["bb", "a", "ccc"]


@pytest.mark.asyncio
async def test_sparse_vectors_are_a_list() -> None:
    async def sparse(texts: list[str]) -> Any:
        return [{text: 1.0} for text in texts]

    result = await EmbedderOnAClock(sparse).one("a", "b", "a")
    assert result.vectors == [{"a": 1.0}, {"b": 1.0}, {"a": 1.0}]


@pytest.mark.asyncio
async def test_a_batch_without_documents_sends_nothing_and_keeps_its_dead_letters() -> None:
    model = Model()
    dead_letter = DeadLetter(5, None, "bad", {})
    (result,) = await EmbedderOnAClock(model).all(batch_of(settled=[5, 6], dead_letters=[dead_letter], deduplicated=1))
    assert model.requests == []
    assert (result.dead_letters, result.batch.settled, result.vectors) == ([dead_letter], [5, 6], [])


@pytest.mark.asyncio
async def test_what_was_settled_before_comes_through_a_batch_that_is_embedded() -> None:
    dead_letter = DeadLetter(5, None, "bad", {})
    (result,) = await EmbedderOnAClock(Model()).all(
        batch_of("a", settled=[5, 6], dead_letters=[dead_letter], deduplicated=1)
    )
    assert (result.dead_letters, result.batch.settled, result.batch.deduplicated) == ([dead_letter], [5, 6], 1)


@pytest.mark.asyncio
async def test_the_accounts_show_what_is_under_way_and_nothing_afterwards() -> None:
    during: list[tuple[int, int]] = []

    async def embed(texts: list[str]) -> Vectors:
        await world.clock.passing(1)
        during.append((world.stats.in_flight, world.stats.limit))
        return vectors(texts)

    world = EmbedderOnAClock(embed, limiter=ConcurrencyLimit.fixed(2))
    await world.all(*(batch_of(f"text {number}") for number in range(4)))
    assert during[0] == (2, 2)
    assert (world.stats.in_flight, world.stats.requests) == (0, 4)


@pytest.mark.asyncio
async def test_no_more_requests_are_under_way_than_the_limiter_allows() -> None:
    now, most = 0, 0

    async def embed(texts: list[str]) -> Vectors:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await world.clock.passing(1)
        now -= 1
        return vectors(texts)

    world = EmbedderOnAClock(embed, limiter=ConcurrencyLimit.fixed(3))
    await world.all(*(batch_of(f"text {number}") for number in range(20)))
    assert most == 3


# ---- retryable errors ------------------------------------------------------------------------------------------------

PASSING: list[Exception] = [
    throttled(),
    api(502),
    api(503),
    api(504),
    api(400, "Model not ready yet. Please deploy it"),
    api(500, "Acquire operation took longer than the configured maximum time"),
    api(500, "Error communicating with remote model: it is slow"),
    api(404, "Failed to get data object from index .plugins-ml-model: CurrentState[RECOVERING]"),
    api(404, "Failed to get data object from index .plugins-ml-model", kind="no_shard_available_action_exception"),
    api(409, "[abc]: version conflict, required seqNo [3]", kind="version_conflict_engine_exception"),
    api(400, "Error from remote service: The request was denied due to remote server throttling. To change the retry"),
    ConnectError("dropped", REQUEST),
    NoCredentials("they could not be renewed", transient=True),
    RequestTimeout("too slow", REQUEST),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("error", PASSING, ids=lambda error: f"{type(error).__name__}: {error}"[:40])
async def test_trouble_that_passes_is_tried_again_and_paid_for(error: Exception) -> None:
    model = Model([error, error])
    world = EmbedderOnAClock(model)
    result = await world.one("a", "b")
    assert (embedded(result), result.dead_letters) == (["a", "b"], [])
    assert model.requests == [["a", "b"]] * 3
    assert (world.stats.retried, world.stats.requests, world.budget.spent) == (2, 3, 2)
    busy = isinstance(error, TooManyRequests)
    assert world.budget.tokens == 500 - 2 * (1 if busy else 5) + 1


@pytest.mark.asyncio
async def test_pauses_are_anything_up_to_a_delay_that_grows() -> None:
    world = EmbedderOnAClock(Model([api(503)] * 6))
    await world.one("a")
    assert len(world.clock.slept) == 6
    assert all(0 <= pause <= most for pause, most in zip(world.clock.slept, [1, 2, 4, 8, 8, 8], strict=True))
    assert world.clock.now == pytest.approx(sum(world.clock.slept))


@pytest.mark.asyncio
async def test_a_pause_that_the_server_asks_for_is_kept() -> None:
    world = EmbedderOnAClock(Model([throttled("30"), throttled("2")]))
    await world.one("a")
    assert world.clock.slept == [30, 2]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "limit"),
    [
        (throttled(), 5),
        (RequestTimeout("too slow", REQUEST), 5),
        (api(500, "Acquire operation took longer than the configured maximum time"), 5),
        (api(400, "Error from remote service: The request was denied due to remote server throttling."), 5),
        (api(503), 10),
        (ConnectError("dropped", REQUEST), 10),
    ],
)
async def test_a_server_that_has_too_much_to_do_is_sent_fewer_at_once(error: Exception, limit: int) -> None:
    limiter = ConcurrencyLimit(start=10, clock=lambda: 0.0)
    await EmbedderOnAClock(Model([error]), limiter=limiter).one("a")
    assert limiter.limit == limit


@pytest.mark.asyncio
async def test_an_answer_is_told_to_the_limiter() -> None:
    limiter = ConcurrencyLimit(start=1, clock=lambda: 0.0)
    world = EmbedderOnAClock(Model(), limiter=limiter)
    for number in range(4):  # a round
        assert limiter.limit == 1
        await world.one(f"text {number}")
    assert limiter.limit == 2


@pytest.mark.asyncio
async def test_an_answer_with_many_texts_is_not_taken_for_a_slow_one() -> None:
    async def embed(texts: list[str]) -> Vectors:
        await clock.passing(len(texts))
        return vectors(texts)

    clock = Clock()
    world = EmbedderOnAClock(embed, limiter=ConcurrencyLimit(start=2, clock=clock), clock=clock)
    await world.one("a")
    await world.one(*(f"text {number}" for number in range(64)))
    assert world.limiter.limit == 2


@pytest.mark.asyncio
async def test_no_slot_is_held_during_a_pause() -> None:
    model = Model([api(503)])
    world = EmbedderOnAClock(model, limiter=ConcurrencyLimit.fixed(1))
    await world.all(batch_of("a"), batch_of("b"))
    assert model.requests[1] == ["b"]


# ---- the retry budget ------------------------------------------------------------------------------------------------


@attrs.define
class Outage:
    """A server that fails every request until ``back``; each takes ``service`` seconds."""

    back: float
    service: float
    clock: Clock = attrs.field(factory=Clock)
    under_way: int = 0
    most: int = 0
    failed: int = 0

    async def __call__(self, texts: list[str]) -> Vectors:
        self.under_way += 1
        if self.failed >= 30:  # all have had their first attempt
            self.most = max(self.most, self.under_way)
        await self.clock.passing(self.service)
        self.under_way -= 1
        if self.clock.now < self.back:
            self.failed += 1
            raise api(503)
        return vectors(texts)


@pytest.mark.asyncio
async def test_with_the_budget_spent_one_at_a_time_tries_whether_the_server_is_back() -> None:
    outage = Outage(back=501, service=20)
    world = EmbedderOnAClock(outage, budget=RetryBudget(capacity=0), stall_timeout=1000, clock=outage.clock)
    await world.all(*(batch_of(f"text {number}") for number in range(30)))
    # Each attempt takes 20 s after a pause of a tenth of the cap, 0.8 s.
    assert outage.most == 1
    assert outage.failed == 30 + 23
    assert world.clock.slept[:23] == [0.8] * 23
    assert world.budget.spent == 0


@pytest.mark.asyncio
async def test_when_the_server_is_back_those_who_waited_for_it_pause_no_more() -> None:
    outage = Outage(back=100, service=1)
    world = EmbedderOnAClock(outage, budget=RetryBudget(capacity=0), stall_timeout=1000, clock=outage.clock)
    await world.all(*(batch_of(f"text {number}") for number in range(30)))
    assert world.clock.slept.count(0) >= 28
    assert world.clock.now < 100 + 8 + 30 + 1


@pytest.mark.asyncio
async def test_those_who_waited_pause_no_more_even_if_trouble_comes_again() -> None:
    trouble = [api(503)] * 30
    trouble[5] = throttled()
    model = Model([*trouble, None, api(503), None, api(503)])
    world = EmbedderOnAClock(model, budget=RetryBudget(capacity=0), stall_timeout=1000)
    await world.all(*(batch_of(f"text {number}") for number in range(30)))
    # Two failed after others had succeeded: they queue at the end, and others succeed first.
    assert world.clock.slept == [0.8, *[0] * 31]


@pytest.mark.asyncio
async def test_a_probe_keeps_the_pause_that_the_server_asks_for() -> None:
    world = EmbedderOnAClock(Model([throttled("70")]), budget=RetryBudget(capacity=0))
    await world.one("a")
    assert world.clock.slept == [70]


@pytest.mark.asyncio
async def test_what_others_earn_pays_again() -> None:
    world = EmbedderOnAClock(Model([api(503), *[None] * 20, api(503)]), budget=RetryBudget(capacity=5))
    for number in range(25):
        await world.one(f"text {number}")
    assert (world.budget.spent, world.stats.retried) == (2, 2)


# ---- the stall timeout -----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("capacity", [500, 0])
async def test_a_server_that_never_comes_back_ends_the_job(capacity: float) -> None:
    world = EmbedderOnAClock(
        Model([api(503, "gone")] * 10_000), budget=RetryBudget(capacity=capacity), stall_timeout=60
    )
    with pytest.raises(JobStalled, match="no response for 60 s, the last error was: gone") as caught:
        await world.one("a", "b")
    assert isinstance(caught.value.__cause__, ApiError)
    assert 60 < world.clock.now <= 60 + 8


@pytest.mark.asyncio
async def test_a_stall_is_no_reason_to_halve_a_batch() -> None:
    model = Model([api(503)] * 10_000)
    with pytest.raises(JobStalled):
        await EmbedderOnAClock(model, stall_timeout=20).one("a", "b", "c")
    assert {tuple(texts) for texts in model.requests} == {("a", "b", "c")}


@pytest.mark.asyncio
async def test_any_response_restarts_the_stall_timeout() -> None:
    trouble = [api(503)] * 3
    world = EmbedderOnAClock(Model([*[*trouble, None] * 40]), backoff=Backoff(first=8, cap=8), stall_timeout=30)
    for number in range(40):
        await world.one(f"text {number}")
    assert world.clock.now > 300


@pytest.mark.asyncio
async def test_a_slow_source_does_not_use_up_the_stall_timeout() -> None:
    world = EmbedderOnAClock(Model([None, api(503)]), stall_timeout=60)
    await world.one("a")
    world.clock.now += 10_000
    assert embedded(await world.one("b")) == ["b"]


# ---- poison documents ------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_poisoned_text_stands_alone() -> None:
    model = Model(poison=frozenset({"p"}))
    world = EmbedderOnAClock(model)
    texts = ["a", "b", "c", "p", "e", "f", "g", "h"]
    before = DeadLetter(1, None, "before", {})
    (result,) = await world.all(batch_of(*texts, settled=[1, 2], dead_letters=[before], deduplicated=1))
    assert embedded(result) == ["a", "b", "c", "e", "f", "g", "h"]
    assert result.batch.ids == ["d10", "d11", "d12", "d14", "d15", "d16", "d17"]
    assert result.batch.numbers == [10, 11, 12, 14, 15, 16, 17]
    assert result.batch.rows == [{"n": n} for n in result.batch.numbers]
    assert (result.batch.index, result.batch.deduplicated) == (3, 1)
    assert result.batch.settled == [1, 2, 13]
    assert result.dead_letters[0] == before
    assert result.dead_letters[1].why.startswith("BadRequest: translate_exception")
    assert (result.dead_letters[1].row, result.dead_letters[1].id, result.dead_letters[1].document) == (
        13,
        "d13",
        {"n": 13},
    )
    assert model.requests == [
        texts,
        ["a", "b", "c", "p"],
        [HARMLESS],
        ["a", "b"],
        ["c", "p"],
        ["c"],
        ["p"],
        [HARMLESS],
        ["p"],
        ["e", "f", "g", "h"],
    ]
    assert (world.stats.embedded, world.stats.retried, world.budget.spent) == (7, 0, 0)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "refusal",
    [
        api(400, "illegal"),
        api(413, "too large"),
        InvalidRequest("text_docs[1]"),
        DecodeError("no tensor", HttpResponse(200, b"?")),
    ],
)
async def test_whatever_is_no_passing_trouble_is_looked_for_in_the_texts(refusal: Exception) -> None:
    world = EmbedderOnAClock(Model(poison=frozenset({"p", "q"}), refusal=refusal))
    result = await world.one("a", "p", "b", "q", "c")
    assert embedded(result) == ["a", "b", "c"]
    assert [dead_letter.id for dead_letter in result.dead_letters] == ["d11", "d13"]
    assert result.dead_letters[0].why == f"{type(refusal).__name__}: {refusal}"
    assert world.clock.slept == []


@pytest.mark.asyncio
async def test_documents_with_the_same_poisoned_text_are_all_dead_letters_and_it_is_judged_once() -> None:
    model = Model(poison=frozenset({"p"}))
    world = EmbedderOnAClock(model)
    result = await world.one("p", "a", "p", "b", "a", "p")
    assert embedded(result) == ["a", "b", "a"]
    assert [dead_letter.row for dead_letter in result.dead_letters] == [10, 12, 15]
    # Once alone, and once more after the harmless text.
    assert model.requests.count(["p"]) == 2
    # Only a document with the vector of another one counts as reused.
    assert (world.stats.embedded, world.stats.reused) == (2, 1)


@pytest.mark.asyncio
@pytest.mark.parametrize("texts", [("p",), ("p", "q"), ("p", "p"), ("p", "q", "r")])
async def test_a_batch_of_nothing_but_poison_is_given_up_where_the_model_answers_a_harmless_text(
    texts: tuple[str, ...],
) -> None:
    model = Model(poison=frozenset("pqr"))
    world = EmbedderOnAClock(model)
    result = await world.one(*texts)
    assert len(result.dead_letters) == len(texts)
    assert (len(result.batch), result.vectors) == (0, [])
    assert model.requests[-2:] == [[HARMLESS], [texts[-1]]]
    assert (world.stats.embedded, world.stats.reused) == (0, 0)


@pytest.mark.asyncio
async def test_trouble_that_passes_amid_the_halving_is_tried_again() -> None:
    model = Model([api(400), throttled(), None], frozenset({"p"}))
    result = await EmbedderOnAClock(model).one("a", "b", "c", "p")
    assert embedded(result) == ["a", "b", "c"]
    assert model.requests[1] == model.requests[2] == ["a", "b"]


@settings(derandomize=True, max_examples=150, deadline=None, database=None)
@given(
    texts=st.lists(st.sampled_from([f"t{number}" for number in range(12)]), min_size=1, max_size=24),
    poison=st.sets(st.sampled_from([f"t{number}" for number in range(12)]), max_size=6),
)
def test_exactly_the_poisoned_documents_are_given_up(texts: list[str], poison: set[str]) -> None:
    world = EmbedderOnAClock(Model(poison=frozenset(poison)))
    result = asyncio.run(world.one(*texts))
    assert embedded(result) == [text for text in texts if text not in poison]
    assert [dead_letter.row for dead_letter in result.dead_letters] == [
        10 + i for i, text in enumerate(texts) if text in poison
    ]
    assert sorted([*result.batch.numbers, *result.batch.settled]) == list(range(10, 10 + len(texts)))
    assert world.stats.embedded + world.stats.reused == len(result.batch)


@pytest.mark.asyncio
@pytest.mark.parametrize("texts", [("a",), ("a", "b", "c")])
async def test_a_failure_that_may_be_the_servers_is_tried_again_before_a_batch_is_halved(
    texts: tuple[str, ...],
) -> None:
    model = Model([api(500, "Error from remote service: boom")])
    world = EmbedderOnAClock(model, budget=RetryBudget(capacity=0))
    result = await world.one(*texts)
    assert (embedded(result), result.dead_letters) == (list(texts), [])
    assert model.requests == [list(texts)] * 2
    # It takes nothing from the budget, an empty one does not delay it, and it has the jitter of any retry.
    assert (world.stats.retried, world.budget.spent, world.budget.denied) == (1, 0, 0)
    assert [0 < pause <= 1 for pause in world.clock.slept] == [True]


@pytest.mark.asyncio
async def test_a_text_that_fails_three_times_alone_and_again_after_a_harmless_one_is_given_up() -> None:
    boom = [api(500)] * 3
    model = Model([*boom[:2], *boom[:2], None, boom[0], None, *boom, None, *boom])
    result = await EmbedderOnAClock(model).one("a", "b", "c")
    batch, harmless = ["a", "b", "c"], [HARMLESS]
    halves = [["a", "b"], ["a", "b"], harmless, ["a"], ["a"], *[["b"]] * 3]
    assert model.requests == [batch, batch, *halves, harmless, *[["b"]] * 3, ["c"]]
    assert embedded(result) == ["a", "c"]
    assert [dead_letter.id for dead_letter in result.dead_letters] == ["d11"]


@pytest.mark.asyncio
async def test_a_failure_that_is_no_servers_is_final_even_after_one_that_may_be() -> None:
    model = Model([api(500), api(400), None, api(500), api(400), None, api(400)])
    result = await EmbedderOnAClock(model).one("a", "b")
    assert model.requests == [["a", "b"]] * 2 + [["a"]] + [["b"]] * 2 + [[HARMLESS], ["b"]]
    assert [dead_letter.id for dead_letter in result.dead_letters] == ["d11"]


@pytest.mark.asyncio
async def test_by_chance_alone_hardly_any_document_is_given_up() -> None:
    chance = random.Random(1)  # noqa: S311
    boom = api(500, "Error from remote service: boom")

    async def embed(texts: list[str]) -> Vectors:
        if "p" in texts or chance.random() < 0.05:
            raise boom
        return vectors(texts)

    world = EmbedderOnAClock(embed)
    given_up = 0
    for number in range(2000):
        poisoned = ["p"] if number % 20 == 0 else []
        result = await world.one(*(f"text {number}.{i}" for i in range(16)), *poisoned)
        given_up += len(result.dead_letters)
    assert given_up == 100


TOO_LONG = api(400, 'Error from remote service: {"message": "Input is too long for requested model."}')
FILTERED = api(400, 'Error from remote service: {"error": {"code": "content_filter", "message": "It was filtered"}}')


@pytest.mark.asyncio
@pytest.mark.parametrize("refusal", [TOO_LONG, FILTERED])
async def test_a_text_that_is_certainly_at_fault_costs_no_more_than_the_halving(refusal: ApiError) -> None:
    model = Model(poison=frozenset({"p"}), refusal=refusal)
    world = EmbedderOnAClock(model)
    result = await world.one("a", "p", "b", "c")
    assert embedded(result) == ["a", "b", "c"]
    assert model.requests == [["a", "p", "b", "c"], ["a", "p"], ["a"], ["p"], ["b", "c"]]
    assert result.dead_letters[0].why == f"BadRequest: {refusal}"


@pytest.mark.asyncio
@pytest.mark.parametrize("refusal", [TOO_LONG, api(413, "too large")])
async def test_one_text_that_is_too_long_does_not_make_all_later_requests_small(refusal: ApiError) -> None:
    world = EmbedderOnAClock(Model(poison=frozenset({"p"}), refusal=refusal))
    before = attrs.evolve(world.embedder.sizes)
    await world.one("a", "p", "b", "c")
    assert world.embedder.sizes == before


@pytest.mark.asyncio
async def test_a_provider_that_takes_fewer_texts_at_once_is_sent_fewer() -> None:
    words = 'Error from remote service: {"message": "invalid request: total number of texts must be at most 4"}'

    async def embed(texts: list[str]) -> Vectors:
        if len(texts) > 4:
            raise api(422, words)
        return vectors(texts)

    world = EmbedderOnAClock(embed)
    texts = [f"text {number}" for number in range(16)]
    assert embedded(await world.one(*texts)) == texts
    assert world.embedder.sizes.count == 4


# ---- fatal errors ----------------------------------------------------------------------------------------------------

FINAL: list[Exception] = [
    api(404, "Failed to find model"),
    api(500, "Failed to find model", kind="m_l_resource_not_found_exception"),
    api(401, "wrong password"),
    api(403, "not allowed"),
    api(401, "Error from remote service: bad key"),
    api(400, 'Error from remote service: {"error": {"message": "API key not valid. Please pass a valid API key."}}'),
    api(403, 'Error from remote service: {"message": "User: u is not authorized to perform: bedrock:InvokeModel"}'),
    api(429, 'Error from remote service: {"error": {"code": "insufficient_quota", "message": "You exceeded"}}'),
    api(402, "Error from remote service: pay"),
    api(404, 'Error from remote service: {"error": {"code": "DeploymentNotFound"}}'),
    api(400, 'Error from remote service: {"error": {"code": "model_not_found"}}'),
    api(400, "It is off. To enable, please update the setting plugins.ml_commons.remote_inference.enabled"),
    api(302, ""),
    NotSupported("since 2.11"),
    SessionClosed("closed"),
    NoCredentials("no AWS credentials"),
    api(403, "The security token included in the request is expired"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("error", FINAL, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("texts", [("a",), ("a", "b", "c")])
async def test_what_no_document_can_help_ends_the_job_at_once(error: Exception, texts: tuple[str, ...]) -> None:
    model = Model([error])
    world = EmbedderOnAClock(model)
    with pytest.raises(type(error)) as caught:
        await world.one(*texts)
    assert caught.value is error
    assert (len(model.requests), world.clock.slept) == (1, [])
    assert (world.stats.in_flight, world.limiter.in_flight) == (0, 0)


@pytest.mark.asyncio
async def test_after_a_final_error_no_other_batch_sends_a_request() -> None:
    model = Model([None, api(429, 'Error from remote service: {"error": {"code": "insufficient_quota"}}')])
    world = EmbedderOnAClock(model, limiter=ConcurrencyLimit.fixed(1))
    batches = [batch_of(f"text {number}") for number in range(20)]
    results = await asyncio.gather(*(world.embedder(batch) for batch in batches), return_exceptions=True)
    assert len(model.requests) == 2
    assert [type(result).__name__ for result in results] == ["EmbeddedBatch", *["QuotaExceeded"] * 19]


@pytest.mark.asyncio
async def test_a_firewalls_403_for_one_document_is_a_dead_letter() -> None:
    refusal = api(403, "Error from remote service: <html><h1>403 Forbidden</h1></html>")
    world = EmbedderOnAClock(Model(poison=frozenset({"p"}), refusal=refusal))
    result = await world.one("a", "b", "p", "c")
    assert embedded(result) == ["a", "b", "c"]
    assert [dead_letter.id for dead_letter in result.dead_letters] == ["d12"]


@pytest.mark.asyncio
@pytest.mark.parametrize("texts", [("a",), ("a", "b", "c")])
async def test_a_403_for_a_harmless_text_too_ends_the_job(texts: tuple[str, ...]) -> None:
    refusal = api(403, "Error from remote service: <html><h1>403 Forbidden</h1></html>")
    model = Model([refusal] * 100)
    with pytest.raises(Forbidden) as caught:
        await EmbedderOnAClock(model).one(*texts)
    assert caught.value is refusal
    assert model.requests[-1] == [HARMLESS]


@pytest.mark.asyncio
async def test_a_final_error_amid_the_halving_ends_the_job_too() -> None:
    with pytest.raises(MLCommonsError, match="not allowed"):
        await EmbedderOnAClock(Model([api(400), None, api(403, "not allowed")])).one("a", "b")


@pytest.mark.asyncio
@pytest.mark.parametrize("error", [api(500, "out of memory"), api(400, "no such function")])
@pytest.mark.parametrize("texts", [("a",), ("a", "b"), ("a", "b", "c", "a")])
async def test_a_model_that_fails_on_everything_gives_up_no_document(error: Exception, texts: tuple[str, ...]) -> None:
    world = EmbedderOnAClock(Model([error] * 1000))
    with pytest.raises(ModelFails) as caught:
        await world.one(*texts)
    assert f"on a harmless text too, after failing with: {type(error).__name__}: {error}" in str(caught.value)
    assert caught.value.__cause__ is error


@pytest.mark.asyncio
@pytest.mark.parametrize(("error", "kind"), [(api(403, "not allowed"), "Forbidden"), (api(503), "JobStalled")])
async def test_what_ends_a_job_while_the_model_is_in_doubt_is_raised_as_it_is(error: Exception, kind: str) -> None:
    world = EmbedderOnAClock(Model([api(500), *[error] * 1000]), stall_timeout=10)
    with pytest.raises(MLCommonsError) as caught:
        await world.one("a")
    assert type(caught.value).__name__ == kind


@pytest.mark.asyncio
async def test_a_throttling_that_lasts_is_not_waited_for() -> None:
    body = orjson.dumps({"error": {"reason": "the breaker is open", "durability": "PERMANENT"}, "status": 429})
    open_breaker = error_for(HttpResponse(429, body, {"content-type": "application/json"}, REQUEST))
    world = EmbedderOnAClock(Model([open_breaker] * 100))
    with pytest.raises(ModelFails, match="the breaker is open"):
        await world.one("a", "b")
    assert (world.clock.slept, world.stats.retried) == ([], 0)


@pytest.mark.asyncio
async def test_who_is_cancelled_holds_no_slot_and_does_not_keep_others_from_probing() -> None:
    outage = Outage(back=50, service=1)
    world = EmbedderOnAClock(outage, budget=RetryBudget(capacity=0), stall_timeout=1000, clock=outage.clock)

    async def cancelled() -> None:
        task = asyncio.create_task(world.embedder(batch_of("first")))
        await world.clock.passing(3)
        task.cancel()
        await turns()
        assert task.cancelled()
        assert world.limiter.in_flight == 0

    await world.clock.run(cancelled())
    assert embedded(await world.one("second")) == ["second"]
