"""Contract tests: searches of an index with vectors of texts, with neural-search or without it."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import orjson
import pytest

from aiomlcommons import BadRequest, NotFound, NotSearchable, Session
from aiomlcommons.api.processors import TextEmbedding
from aiomlcommons.queries import hybrid, knn, neural, neural_sparse
from tests.support.contract.kinds import deployed
from tests.support.contract.undoing import afterwards
from tests.support.contract.versions import has_knn

pytestmark = [pytest.mark.asyncio, pytest.mark.since("2.11", "sparse encoding")]
TEXTS = {
    "ant": "go to the ant thou sluggard consider her ways and be wise",
    "answer": "a soft answer turneth away wrath but grievous words stir up anger",
    "born": "a time to be born and a time to die",
    "fear": "the fear of the lord is the beginning of knowledge",
    "friend": "a friend loveth at all times",
    "gold": "how much better is it to get wisdom than gold",
    "heart": "a merry heart doeth good like a medicine",
    "pride": "pride goeth before destruction and an haughty spirit before a fall",
    "train": "train up a child in the way he should go",
    "wise": "the wise shall inherit glory but shame shall be the promotion of fools",
}
QUERY = "wisdom is better than gold"
METHOD = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
TEXT = {"type": "text"}
BOOK = {"type": "keyword"}
Fields: TypeAlias = Mapping[str, Mapping[str, Any]]


@dataclasses.dataclass
class Verse:
    text: str
    book: str


async def has_neural_search(ml: Session) -> bool:
    return any(plugin.component == "opensearch-neural-search" for plugin in await ml.plugins())


@asynccontextmanager
async def filled(
    ml: Session, properties: Mapping[str, Any], vectors: Mapping[str, Mapping[str, Any]]
) -> AsyncGenerator[str]:
    """Yield the name of a new index with the texts and their vectors."""
    name = f"aiomlcommons-{uuid.uuid4().hex[:12]}"
    dense = any(spec["type"] == "knn_vector" for spec in properties.values())
    if dense and not await has_knn(ml):
        pytest.skip("needs a cluster with the k-NN plugin")
    settings = {"number_of_replicas": 0, **({"index.knn": True} if dense else {})}
    await ml.indices.create(
        name, mappings={"properties": {"text": TEXT, "book": BOOK, **properties}}, settings=settings
    )
    async with afterwards(lambda: ml.indices.delete(name)):
        lines: list[Any] = []
        for key, text in TEXTS.items():
            lines += [{"index": {"_id": key}}, {"text": text, "book": key[0], **vectors.get(key, {})}]
        body = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
        written = await ml.documents.bulk(body, index=name, refresh=True)
        assert not written.failed
        yield name


@asynccontextmanager
async def dense_index(ml: Session, model_id: str) -> AsyncGenerator[tuple[str, list[str]]]:
    """Yield the name of an index with dense vectors, and the ids of its documents, the nearest to QUERY first."""
    found = await ml.embed_many(model_id, list(TEXTS.values()))
    order = np.argsort(-(found @ await ml.embed_one(model_id, QUERY)), kind="stable")
    field = {"type": "knn_vector", "dimension": found.shape[1], "method": METHOD}
    vectors = {key: {"embedding": vector.tolist()} for key, vector in zip(TEXTS, found, strict=True)}
    async with filled(ml, {"embedding": field}, vectors) as index:
        yield index, [list(TEXTS)[place] for place in order]


async def test_a_text_is_found_by_dense_vectors(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "dense", zips["dense"], unique) as model_id, dense_index(ml, model_id) as (index, nearest):
        by_server = await has_neural_search(ml)
        hits = await ml.search_text(index, QUERY, model_id, hybrid=False, into=Verse)
        assert [hit.id for hit in hits] == nearest
        assert hits[0].source == Verse(TEXTS[nearest[0]], nearest[0][0])
        assert hits.sent is not None
        assert hits.sent.kind == ("neural" if by_server else "knn")

        # Without being told where, or by which model of that name; and the query that was sent does it again.
        plan = await ml.search_text(index, QUERY, unique, hybrid=False, size=3).plan()
        again = await ml.search(index, plan.query, size=3, source=["text"])
        assert [hit.id for hit in again] == nearest[:3]
        assert set(again[0].source) == {"text"}

        # Every hit, in pages of three, is in the order of one page.
        every = [hit async for hit in ml.search(index, plan.query, size=3)]
        assert [hit.id for hit in every] == nearest
        scores = [hit.score for hit in await ml.search(index, plan.query, size=10)]
        assert [hit.score for hit in every] == scores
        assert [hit.id async for hit in ml.search_text(index, QUERY, model_id, hybrid=False, size=4)] == nearest

        # Nothing but what a filter takes.
        chosen = {"terms": {"book": ["g", "w"]}}
        found = await ml.search_text(index, QUERY, model_id, hybrid=False, filter=chosen)
        assert [hit.id for hit in found] == [key for key in nearest if key in {"gold", "wise"}]
        vector = await ml.embed_one(model_id, QUERY)
        same = await ml.search(index, knn("embedding", vector, k=2, filter=chosen))
        assert [hit.id for hit in same] == [hit.id for hit in found]


async def test_a_text_is_found_by_words_as_well(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "dense", zips["dense"], unique) as model_id, dense_index(ml, model_id) as (index, _):
        hits = await ml.search_text(index, QUERY, model_id)
        assert hits.sent is not None
        if not await has_neural_search(ml):
            assert hits.sent.kind == "knn"
            assert "vectors only; for hybrid queries install opensearch-neural-search" in hits.sent.reasons[-1]
            return
        assert (hits.sent.kind, hits.sent.text_field) == ("hybrid neural", "text")
        assert hits[0].id == "gold"
        assert all(0 <= (hit.score or 0) <= 1 for hit in hits)
        every = [hit.id async for hit in ml.search_text(index, QUERY, model_id, size=3)]
        assert sorted(every) == sorted(TEXTS)

        # Without a search pipeline nothing combines the scores, which the server answers as if all were well.
        query = hybrid({"match": {"text": QUERY}}, neural("embedding", QUERY, model_id=model_id, k=5))
        with pytest.raises(NotSearchable, match="nothing combines the scores of the hybrid query"):
            await ml.search(index, query)


async def test_an_index_names_its_model_by_its_pipelines(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "dense", zips["dense"], unique) as model_id, dense_index(ml, model_id) as (index, nearest):
        embeds = TextEmbedding(model_id, field_map={"text": "embedding"})
        try:
            await ml.pipelines.create(index, processors=[embeds])
        except BadRequest:
            pytest.skip("needs a cluster with the neural-search plugin")
        async with afterwards(lambda: ml.pipelines.delete(index)):
            await ml.indices.put_settings(index, {"index.default_pipeline": index})
            hits = await ml.search_text(index, QUERY, hybrid=False)
            assert [hit.id for hit in hits] == nearest
            assert hits.sent is not None
            assert hits.sent.model_id == model_id
            assert f"the ingest pipeline {index} of the index embeds by it" in hits.sent.reasons[1]
            await ml.indices.put_settings(index, {"index.default_pipeline": "_none"})


async def test_a_text_is_found_by_weights_of_tokens(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "sparse", zips["sparse"], unique) as model_id:
        found = await ml.sparse(model_id, list(TEXTS.values()))
        weights = {key: {"weights": one} for key, one in zip(TEXTS, found, strict=True)}
        async with filled(ml, {"weights": {"type": "rank_features"}}, weights) as index:
            hits = await ml.search_text(index, QUERY, model_id, hybrid=False)
            (wanted,) = await ml.sparse(model_id, [QUERY])
            products = {
                key: sum(one.get(token, 0) * weight for token, weight in wanted.items())
                for key, one in zip(TEXTS, found, strict=True)
            }
            for hit in hits:
                # A server keeps a weight with nine bits of its mantissa.
                assert hit.score == pytest.approx(products[hit.id], rel=0.01)
            assert {hit.id for hit in hits} == {key for key, product in products.items() if product}
            assert hits.sent is not None
            by_server = await has_neural_search(ml)
            assert hits.sent.kind == ("neural_sparse" if by_server else "rank_feature")
            if by_server:
                same = await ml.search(index, neural_sparse("weights", QUERY, model_id=model_id))
                assert [hit.id for hit in same] == [hit.id for hit in hits]


async def test_what_does_not_fit_is_said_before_anything_is_searched(
    ml: Session, unique: str, zips: dict[str, Path]
) -> None:
    async with deployed(ml, "sparse", zips["sparse"], unique) as sparse:
        field = {"type": "knn_vector", "dimension": 3, "method": METHOD}
        async with filled(ml, {"embedding": field}, {}) as index:
            with pytest.raises(NotSearchable, match="makes weights of tokens, and the field holds dense vectors"):
                await ml.search_text(index, "a", sparse)
            with pytest.raises(NotSearchable, match=r"name the model .* of embedding .* by model="):
                await ml.search_text(index, "a")
            with pytest.raises(NotSearchable, match="no field 'embeding'; did you mean 'embedding'"):
                await ml.search_text(index, "a", sparse, field="embeding")
            with pytest.raises(NotSearchable, match=f"no index '{index}x'; did you mean '{index}'"):
                await ml.search_text(f"{index}x", "a", sparse)
        async with filled(ml, {}, {}) as index:
            with pytest.raises(NotSearchable, match=r"has no field of vectors .* make an index for"):
                await ml.search_text(index, "a", sparse)
            with pytest.raises(NotFound):
                await ml.search(f"{index}-nope")


async def test_every_hit_comes_once_and_in_order(ml: Session) -> None:
    async with filled(ml, {}, {}) as index:
        assert [hit.id async for hit in ml.search(index, size=3)] == sorted(TEXTS)
        assert [hit.id async for hit in ml.search(index, size=5)] == sorted(TEXTS)
        assert [hit.id async for hit in ml.search(index, size=4, from_=3)] == sorted(TEXTS)[3:]
        books = [hit.source["book"] async for hit in ml.search(index, sort=[{"book": "desc"}], size=3)]
        assert books == sorted((key[0] for key in TEXTS), reverse=True)
        by_words = [hit async for hit in ml.search(index, {"match": {"text": "the wise"}}, size=2)]
        scores = [hit.score or 0 for hit in by_words]
        assert scores == sorted(scores, reverse=True)
        assert len({hit.id for hit in by_words}) == len(by_words) > 2
        page = await ml.search(index, {"match": {"text": "the wise"}}, size=0, track_total_hits=True)
        assert (page.total, len(page)) == (len(by_words), 0)
