"""Model check: an outage is waited out with one probe at a time, and no document is given up for it."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from aiomlcommons import Backoff
from aiomlcommons.errors import DecodeError, MLCommonsError, ServerError
from aiomlcommons.http import HttpResponse
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.embedding.model_check import HARMLESS, UNPROVEN
from aiomlcommons.ingest.errors import ModelFails
from tests.support.scripted_model import REQUEST, EmbedderOnAClock, Model, api, batch_of, embedded, vectors
from tests.support.virtual_time import Clock

pytestmark = pytest.mark.asyncio

STALL_TIMEOUT = 600.0
WORDS = "Fail to execute PREDICT in aws connector: Expected to find an object with property ['data'] in path $"
# Errors of a gateway during a short outage, as ML Commons wraps them or passes them through.
BROKEN: list[MLCommonsError] = [
    api(500, WORDS),
    api(500, "Error from remote service: boom"),
    api(400, "Error from remote service: <html>bad gateway</html>"),
    DecodeError("2 results were expected and 1 came back", HttpResponse(200, b"{}", {}, REQUEST)),
]
each = pytest.mark.parametrize("error", BROKEN, ids=lambda error: f"{type(error).__name__} {error}"[:40])


@attrs.define
class Provider:
    """A provider with an outage between ``breaks`` and ``mends``; each response takes a second."""

    error: MLCommonsError
    breaks: float
    mends: float
    poison: frozenset[str] = frozenset()
    clock: Clock = attrs.field(factory=Clock)
    log: list[tuple[float, list[str]]] = attrs.field(factory=list)
    under_way: int = 0
    most: int = 0

    async def __call__(self, texts: list[str]) -> Vectors:
        self.log.append((self.clock.now, texts))
        self.under_way += 1
        if self.breaks + 60 < self.clock.now < self.mends:  # all have had their first attempt and its retry
            self.most = max(self.most, self.under_way)
        await self.clock.passing(1)
        self.under_way -= 1
        if self.breaks <= self.clock.now < self.mends or self.poison & set(texts):
            raise self.error
        return vectors(texts)

    def world(self, stall_timeout: float = STALL_TIMEOUT) -> EmbedderOnAClock:
        return EmbedderOnAClock(
            self, backoff=Backoff(first=1, factor=2, cap=8, jitter=0), stall_timeout=stall_timeout, clock=self.clock
        )

    def requests(self, since: float = 0.0, until: float = 1e9) -> list[list[str]]:
        return [texts for at, texts in self.log if since <= at < until]


async def proven(world: EmbedderOnAClock) -> None:
    """Let the model succeed once."""
    assert embedded(await world.one("first")) == ["first"]


@each
@pytest.mark.parametrize("texts", [("a",), ("a", "b", "c")])
async def test_a_model_that_is_in_order_again_before_the_stall_timeout_gets_all_documents(
    error: MLCommonsError, texts: tuple[str, ...]
) -> None:
    provider = Provider(error, breaks=2, mends=500)
    world = provider.world()
    await proven(world)
    result = await world.one(*texts)
    assert (embedded(result), result.dead_letters) == (list(texts), [])
    assert 500 <= provider.clock.now < 500 + 20


@each
async def test_no_more_than_one_request_is_under_way_while_a_model_is_out_of_order(error: MLCommonsError) -> None:
    provider = Provider(error, breaks=2, mends=400)
    world = provider.world()
    await proven(world)
    batches = [batch_of(*(f"text {number}.{i}" for i in range(8))) for number in range(30)]
    for result in await world.all(*batches):
        assert (len(embedded(result)), result.dead_letters) == (8, [])
    assert provider.most == 1
    waiting = provider.requests(60, 390)
    assert set(map(tuple, waiting)) == {(HARMLESS,)}
    # A second each, and a backoff that has reached eight.
    assert len(waiting) <= 330 / 9 + 1
    # No batch is bisected: each has its attempts during the outage, and one more after it.
    assert len(provider.log) - len(provider.requests(60, 390)) <= 1 + 30 * 3 + 20


async def test_batches_that_come_while_a_model_is_out_of_order_are_held_back() -> None:
    provider = Provider(BROKEN[0], breaks=2, mends=100)
    world = provider.world()
    await proven(world)

    async def later(number: int) -> None:
        await provider.clock.passing(30)
        result = await world.embedder(batch_of(f"late {number}"))
        assert embedded(result) == [f"late {number}"]

    async def early() -> None:
        await world.embedder(batch_of("early"))

    await provider.clock.run(early(), *(later(number) for number in range(10)))
    assert set(map(tuple, provider.requests(20, 99))) == {(HARMLESS,)}


async def test_a_poisoned_text_is_still_found_after_an_outage() -> None:
    provider = Provider(api(500, WORDS), breaks=2, mends=100, poison=frozenset({"p"}))
    world = provider.world()
    await proven(world)
    result = await world.one("a", "p", "b")
    assert embedded(result) == ["a", "b"]
    assert [dead_letter.id for dead_letter in result.dead_letters] == ["d11"]


@each
async def test_a_text_that_failed_just_before_the_model_was_in_order_again_is_not_given_up(
    error: MLCommonsError,
) -> None:
    tries = 3 if isinstance(error, ServerError) else 1
    model = Model([error] * tries)
    result = await EmbedderOnAClock(model).one("a")
    assert model.requests == [["a"]] * tries + [[HARMLESS], ["a"]]
    assert (embedded(result), result.dead_letters) == (["a"], [])


async def test_a_model_that_stays_out_of_order_ends_the_job_after_the_stall_timeout() -> None:
    provider = Provider(BROKEN[0], breaks=2, mends=1e9)
    world = provider.world(stall_timeout=120)
    await proven(world)
    with pytest.raises(ModelFails, match="on a harmless text too, after failing with: ServerError: Fail to execute"):
        await world.all(*(batch_of(f"a {number}", f"b {number}") for number in range(5)))
    assert 120 < provider.clock.now < 120 + 30


async def test_who_waited_for_the_same_verdict_ends_with_it_too() -> None:
    provider = Provider(BROKEN[0], breaks=2, mends=1e9)
    world = provider.world(stall_timeout=50)
    await proven(world)
    ended: list[float] = []

    async def failing(text: str) -> None:
        with pytest.raises(ModelFails):
            await world.embedder(batch_of(text))
        ended.append(provider.clock.now)

    await provider.clock.run(*(failing(text) for text in "abc"))
    assert len(set(ended)) == 1


async def test_nobody_waits_long_for_a_model_that_never_answered() -> None:
    provider = Provider(BROKEN[0], breaks=0, mends=1e9)
    with pytest.raises(ModelFails):
        await provider.world().one("a")
    assert UNPROVEN < provider.clock.now < UNPROVEN + 20


async def test_a_harmless_text_that_the_cluster_refuses_is_not_waited_for() -> None:
    provider = Provider(api(400, "the model embeds no texts"), breaks=2, mends=1e9)
    world = provider.world()
    await proven(world)
    with pytest.raises(ModelFails, match="embeds no texts"):
        await world.one("a", "b")
    assert provider.clock.now < 10


async def test_who_is_cancelled_in_doubt_lets_the_others_go_on() -> None:
    provider = Provider(BROKEN[0], breaks=2, mends=100)
    world = provider.world()
    await proven(world)

    async def cancelled() -> None:
        task = asyncio.create_task(world.embedder(batch_of("first one")))
        await provider.clock.passing(20)
        task.cancel()
        await provider.clock.passing(1)
        assert task.cancelled()

    async def other() -> None:
        await provider.clock.passing(5)
        assert embedded(await world.embedder(batch_of("another"))) == ["another"]

    await provider.clock.run(cancelled(), other())
