"""The texts of one call travel in batches, and what is said if one of them fails."""

from __future__ import annotations

import traceback
from collections import deque
from typing import Any

import anyio
import numpy as np
import orjson
import pytest

from aiomlcommons import (
    DecodeError,
    HttpResponse,
    InvalidRequest,
    MLCommonsError,
    Ranked,
    ServerError,
    Session,
    TooManyRequests,
)
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.inference.many import in_batches
from aiomlcommons.inference.predictions import best
from tests.support.jobs import POISON, JobsOnAnEmulator
from tests.support.one_answer import Says, said

pytestmark = pytest.mark.asyncio


def texts(count: int) -> list[str]:
    return [f"text number {number}" for number in range(count)]


def heard(world: JobsOnAnEmulator) -> list[list[str]]:
    """Return a list that will hold the texts of each request."""
    requests: list[list[str]] = []

    async def listen(request: Any, go: Any) -> Any:
        requests.append(orjson.loads(await request.read())["text_docs"])
        return await go()

    world.emulator.faults.add(listen, on=PREDICTIONS, times=None)
    return requests


async def test_ten_thousand_texts_come_back_in_order_from_batches(world: JobsOnAnEmulator) -> None:
    requests = heard(world)
    array = await world.ml.embed_many(world.model_id, texts(10_000), batch=512)
    assert (array.shape, array.dtype) == ((10_000, 384), np.dtype("f4"))
    assert sorted(map(len, requests)) == [10_000 % 512, *[512] * 19]
    for number in (0, 511, 512, 9_999):
        np.testing.assert_array_equal(array[number], await world.ml.embed_one(world.model_id, texts(10_000)[number]))


@pytest.mark.parametrize(
    ("count", "options", "sizes"),
    [
        (64, {}, [64]),
        (65, {}, [1, 64]),
        (100, {"batch": None}, [100]),
        (100, {"batch": 100}, [100]),
        (5, {"batch": 2, "concurrency": 1}, [1, 2, 2]),
    ],
)
async def test_a_request_has_at_most_a_batch(
    world: JobsOnAnEmulator, count: int, options: dict[str, Any], sizes: list[int]
) -> None:
    requests = heard(world)
    assert len(await world.ml.embed_many(world.model_id, (text for text in texts(count)), **options)) == count
    assert sorted(map(len, requests)) == sizes


async def test_a_collection_that_cannot_be_sliced_travels_in_batches_too(world: JobsOnAnEmulator) -> None:
    requests = heard(world)
    assert len(await world.ml.embed_many(world.model_id, deque(texts(5)), batch=2)) == 5
    assert sorted(map(len, requests)) == [1, 2, 2]
    assert len(await world.ml.embed_many(world.model_id, deque(texts(5)))) == 5


async def test_no_more_requests_are_under_way_than_the_concurrency() -> None:
    under_way: list[int] = [0]
    most = 0

    async def ask(some: Any) -> list[str]:
        nonlocal most
        under_way[0] += 1
        most = max(most, under_way[0])
        await anyio.lowlevel.checkpoint()
        under_way[0] -= 1
        return list(some)

    found = await in_batches(ask, texts(20), batch=2, concurrency=3)
    assert ([text for part in found for text in part], most) == (texts(20), 3)


async def test_the_order_is_that_of_the_texts_whichever_request_ends_first() -> None:
    others_ended = anyio.Event()

    async def ask(some: Any) -> Any:
        if "text number 0" in some:
            await others_ended.wait()
        elif "text number 5" in some:
            others_ended.set()
        return some

    assert await in_batches(ask, texts(6), batch=2, concurrency=3) == [
        texts(6)[first : first + 2] for first in (0, 2, 4)
    ]


async def test_the_first_failing_batch_is_named_in_a_note_and_the_error_is_what_it_was(world: JobsOnAnEmulator) -> None:
    world.poison()
    some = [*texts(7), f"{POISON} 7", *texts(12)]
    with pytest.raises(ServerError, match="cannot be translated") as caught:
        await world.ml.embed_many(world.model_id, some, batch=3)
    assert caught.value.__notes__ == ["in the batch of texts[6:9], of 20 texts"]
    assert "in the batch of texts[6:9], of 20 texts" in "".join(traceback.format_exception(caught.value))


async def test_an_error_ends_the_other_requests(world: JobsOnAnEmulator) -> None:
    requests = heard(world)
    world.emulator.faults.fail(400, times=None)
    with pytest.raises(Exception, match="boom"):
        await world.ml.embed_many(world.model_id, texts(1_000), batch=10, concurrency=2)
    assert len(requests) <= 4


async def test_the_error_of_one_batch_has_no_note(world: JobsOnAnEmulator) -> None:
    world.emulator.faults.throttle(times=None)
    with pytest.raises(TooManyRequests) as caught:
        await world.ml.options(retries=0).embed_many(world.model_id, texts(64))
    assert not hasattr(caught.value, "__notes__")


async def test_the_text_whose_embedding_is_at_fault_is_counted_among_all_of_them() -> None:
    async def ask(some: Any) -> None:
        if "text number 7" in some:
            place = some.index("text number 7")
            raise DecodeError(f"the embedding of texts[{place}] is NaN", HttpResponse(200, b"{}"), place)

    with pytest.raises(DecodeError, match=r"the embedding of texts\[7\] is NaN") as caught:
        await in_batches(ask, texts(20), batch=3, concurrency=2)
    assert caught.value.index == 7
    assert caught.value.__notes__ == ["in the batch of texts[6:9], of 20 texts"]


async def test_vectors_of_another_length_in_a_later_batch_are_refused() -> None:
    async def changes(request: Any, timeout: Any) -> HttpResponse:
        width = 3 if b"number 4" in request.body else 2
        answer = said(*({"data": [0.5] * width} for _ in orjson.loads(request.body)["text_docs"]))
        return HttpResponse(200, orjson.dumps(answer), {"content-type": "application/json"}, request)

    async with Session(transport=changes) as ml:
        with pytest.raises(MLCommonsError, match="gave embeddings of 2 and 3 numbers to the texts of one call"):
            await ml.embed_many("m", texts(5), batch=2)


@pytest.mark.parametrize("call", ["embed_many", "sparse"])
@pytest.mark.parametrize("options", [{"batch": 0}, {"concurrency": 0}, {"batch": "64"}, {"concurrency": None}])
async def test_wrong_sizes_are_refused(call: str, options: dict[str, Any]) -> None:
    says = Says({})
    async with Session(transport=says) as ml:
        with pytest.raises((ValueError, TypeError), match="must be a whole number of at least 1, not"):
            await getattr(ml, call)("m", ["a"], **options)
    assert says.heard == []


async def test_sparse_weights_come_from_batches_too() -> None:
    async def counts(request: Any, timeout: Any) -> HttpResponse:
        weights = [{text: 1.0} for text in orjson.loads(request.body)["text_docs"]]
        answer = said({"dataAsMap": {"response": weights}})
        return HttpResponse(200, orjson.dumps(answer), {"content-type": "application/json"}, request)

    async with Session(transport=counts) as ml:
        assert await ml.sparse("m", iter(texts(200)), batch=30) == [{text: 1.0} for text in texts(200)]


# ---- the best documents ----------------------------------------------------------------------------------------------

SCORES = said({"data": [0.25]}, {"data": [0.75]}, {"data": [0.5]}, {"data": [0.75]})


async def test_the_best_documents_come_first_with_their_place() -> None:
    async with Session(transport=Says(SCORES)) as ml:
        found = await ml.rerank("m", "q", list("abcd"), top_n=3)
        assert found == [(1, 0.75), (3, 0.75), (2, 0.5)]
        assert found[0] == Ranked(index=1, score=0.75)
        assert [(type(index), type(score)) for index, score in found] == [(int, float)] * 3
        assert [one.index for one in await ml.rerank("m", "q", list("abcd"), top_n=9)] == [1, 3, 2, 0]
        assert (await ml.rerank("m", "q", tuple("abcd"))).tolist() == [0.25, 0.75, 0.5, 0.75]


async def test_of_equal_documents_the_first_ones_are_the_best() -> None:
    ranked = best(np.arange(1_000, dtype="f4") % 7, 200)
    assert [one.index for one in ranked] == [*range(6, 1_000, 7), *range(5, 1_000, 7)][:200]


@pytest.mark.parametrize("top_n", [0, -1, 1.5, "5", True])
async def test_a_wrong_number_of_documents_is_refused(top_n: Any) -> None:
    says = Says(SCORES)
    async with Session(transport=says) as ml:
        with pytest.raises((ValueError, TypeError), match="top_n must be a whole number of at least 1, not"):
            await ml.rerank("m", "q", list("abcd"), top_n=top_n)
    assert says.heard == []


async def test_a_text_that_cannot_be_sent_is_named_before_all_others(world: JobsOnAnEmulator) -> None:
    requests = heard(world)
    with pytest.raises(InvalidRequest, match=r"texts\[150\] must be a string"):
        await world.ml.embed_many(world.model_id, [*texts(150), None, *texts(20)])  # type: ignore[list-item]
    assert requests == []
