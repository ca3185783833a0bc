"""Vectors that are not like the others: dead letters, and the end of the job only if the model was changed."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest

from aiomlcommons.errors import DecodeError
from aiomlcommons.http import HttpResponse
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.embedding.model_check import HARMLESS
from aiomlcommons.ingest.errors import ModelFails
from tests.support.scripted_model import EmbedderOnAClock, api, batch_of

pytestmark = pytest.mark.asyncio


@attrs.define
class Dense:
    """A model of a dimension, with texts whose vectors have others; it never mixes them in a response."""

    dimension: int = 3
    odd: dict[str, int] = attrs.field(factory=dict)
    requests: list[list[str]] = attrs.field(factory=list)

    async def __call__(self, texts: list[str]) -> Vectors:
        self.requests.append(texts)
        lengths = [self.odd.get(text, self.dimension) for text in texts]
        if len(set(lengths)) > 1:
            index = next(i for i, length in enumerate(lengths) if length != self.dimension)
            raise DecodeError("the embeddings differ", HttpResponse(200, b"{}"), index)
        return np.ones((len(texts), lengths[0]), np.float32)


def world_of(model: Any, dimension: int | None = None) -> EmbedderOnAClock:
    return EmbedderOnAClock(model, dimension=dimension)


@pytest.mark.parametrize("dimension", [None, 3])
@pytest.mark.parametrize("position", range(8))
async def test_one_vector_of_another_dimension_is_one_dead_letter(dimension: int | None, position: int) -> None:
    texts = [f"text {number}" for number in range(8)]
    model = Dense(odd={texts[position]: 2})
    world = world_of(model, dimension)
    result = await world.one(*texts)
    assert np.asarray(result.vectors).shape == (7, 3)
    assert [dead_letter.row for dead_letter in result.dead_letters] == [10 + position]
    assert result.dead_letters[0].why == "BadVector: its vector has dimension 2, and those of the model have 3"
    # The response tells which text is at fault, so that the batch is not halved: all, the others, and thrice alone or
    # harmless.
    assert model.requests[:3] == [texts, [t for t in texts if t != texts[position]], [texts[position]]]
    assert len(model.requests) == 5


async def test_the_first_text_of_a_job_does_not_decide_alone() -> None:
    model = Dense(odd={"poison": 2})
    world = world_of(model)
    first, second = await world.all(batch_of("poison"), batch_of("good"))
    assert [HARMLESS] in model.requests
    assert (len(first.dead_letters), np.asarray(second.vectors).shape) == (1, (1, 3))
    assert world.embedder.dimension == 3


async def test_vectors_that_agree_are_believed_without_a_further_request() -> None:
    model = Dense()
    world = world_of(model)
    await world.one("a", "b")
    assert (model.requests, world.embedder.dimension) == ([["a", "b"]], 3)


async def test_a_model_that_fails_on_a_harmless_text_is_believed_its_first_vector() -> None:
    async def embed(texts: list[str]) -> Vectors:
        if texts == [HARMLESS]:
            raise api(400, "I do not speak English")
        return np.ones((len(texts), 3), np.float32)

    world = world_of(embed)
    assert len((await world.one("a")).batch) == 1
    assert world.embedder.dimension == 3


@pytest.mark.parametrize("texts", [("a",), ("a", "b", "c", "d", "e")])
async def test_a_model_whose_vectors_all_have_another_dimension_ends_the_job(texts: tuple[str, ...]) -> None:
    world = world_of(Dense(5), dimension=3)
    words = "the model's vectors have dimension 5, and those of this job, or in the model's configuration, 3"
    with pytest.raises(ModelFails, match=words):
        await world.one(*texts)


async def test_a_model_that_is_changed_during_a_job_ends_it() -> None:
    model = Dense()
    world = world_of(model)
    await world.one("a", "b")
    model.dimension = 4
    with pytest.raises(ModelFails, match=r"have dimension 4, and those of this job.* 3: the model was changed"):
        await world.one("c", "d")


async def test_the_dimension_of_binary_vectors_may_count_bits() -> None:
    async def embed(texts: list[str]) -> Vectors:
        return np.ones((len(texts), 16), np.int8)

    world = world_of(embed, dimension=128)
    assert len((await world.one("a", "b")).batch) == 2
    assert world.embedder.dimension == 16


async def test_a_text_whose_sparse_vector_is_empty_is_a_dead_letter() -> None:
    async def embed(texts: list[str]) -> Any:
        return [{} if text == "poison" else {text: 1.0} for text in texts]

    result = await world_of(embed).one("a", "poison", "b")
    assert result.vectors == [{"a": 1.0}, {"b": 1.0}]
    assert result.dead_letters[0].why.startswith("BadVector: its sparse vector is empty")


@attrs.define
class Cached:
    """A cache that holds vectors from the start."""

    vectors: dict[str, Any]

    async def find(self, texts: Any) -> dict[str, Any]:
        return {text: self.vectors[text] for text in texts if text in self.vectors}

    async def keep(self, texts: Any, vectors: Any) -> None:
        self.vectors |= dict(zip(texts, vectors, strict=True))


@pytest.mark.parametrize("dimension", [None, 3])
@pytest.mark.parametrize("lengths", [(3, 3, 3), (2, 3, 3), (3, 2, 3), (3, 3, 2), (2, 2, 3), (3, 2, 2)])
async def test_a_cached_vector_of_another_dimension_is_embedded_again(
    dimension: int | None, lengths: tuple[int, ...]
) -> None:
    texts = ["a", "b", "c"]
    world = world_of(Dense(), dimension)
    world.embedder.cache = Cached({text: np.ones(n, np.float32) for text, n in zip(texts, lengths, strict=True)})
    result = await world.one(*texts)
    assert np.asarray(result.vectors).shape == (3, 3)
    assert world.stats.embedded == lengths.count(2)
