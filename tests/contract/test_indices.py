"""Contract tests: indices with vectors, which a bulk job writes into and reads from, on a cluster with k-NN."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import pytest_asyncio

from aiomlcommons import BadRequest, Conflict, IndexMismatch, NotFound, Session
from aiomlcommons.ingest import IndexSink, IndexSource
from tests.support.contract.kinds import uploaded
from tests.support.contract.undoing import afterwards
from tests.support.contract.versions import has_knn
from tests.support.sinks import documents, vectors

pytestmark = pytest.mark.asyncio
MAPPED = {"t": "text", "n": "long", "f": "float", "d": "date"}
QUERY = [1.0, 0.5, -0.5]
VECTORS = {"a": [1.0, 0.0, 0.0], "b": [0.5, 0.5, 0.25], "c": [-1.0, 0.5, 2.0], "e": [0.1, -2.0, 3.0]}


def _cosine(vector: Any, query: Any) -> float:
    return float((1 + vector @ query / (np.linalg.norm(vector) * np.linalg.norm(query))) / 2)


def _product(vector: Any, query: Any) -> float:
    found = float(vector @ query)
    return 1 + found if found >= 0 else 1 / (1 - found)


SCORES = {"l2": lambda v, q: 1 / (1 + float(((v - q) ** 2).sum())), "cosinesimil": _cosine, "innerproduct": _product}


def mapping(space: str = "l2", dimension: int = 3) -> dict[str, Any]:
    method = {"name": "hnsw", "engine": "lucene", "space_type": space}
    fields = {
        "v": {"type": "knn_vector", "dimension": dimension, "method": method},
        "w": {"type": "rank_features"},
        "n": {"type": "integer"},
        "tag": {"type": "keyword"},
    }
    return {"settings": {"index": {"knn": True}}, "mappings": {"dynamic": "strict", "properties": fields}}


def lines(*actions: Any) -> bytes:
    return b"".join(orjson.dumps(action, option=orjson.OPT_APPEND_NEWLINE) for action in actions)


async def bulk(ml: Session, index: str, *actions: Any) -> list[Any]:
    """Send actions; return the result of each."""
    headers = {"content-type": "application/x-ndjson"}
    response = await ml.request("POST", f"/{index}/_bulk", body=lines(*actions), headers=headers)
    return [item for one in response.json()["items"] for item in one.values()]


async def searched(ml: Session, index: str, query: Mapping[str, Any], **body: Any) -> list[Any]:
    """Return the hits of a search of what was written so far."""
    await ml.request("GET", f"/{index}/_refresh")
    response = await ml.request("POST", f"/{index}/_search", body={"query": query, **body})
    hits: list[Any] = response.json()["hits"]["hits"]
    return hits


@pytest_asyncio.fixture
async def index(ml: Session) -> AsyncGenerator[str]:
    """Yield the name of a new index."""
    if not await has_knn(ml):
        pytest.skip("needs a cluster with the k-NN plugin")
    async with created(ml, mapping()) as name:
        yield name


@asynccontextmanager
async def created(ml: Session, body: Any) -> AsyncGenerator[str]:
    name = f"aiomlcommons-{uuid.uuid4().hex[:12]}"
    async with afterwards(lambda: ml.request("DELETE", f"/{name}", query={"ignore_unavailable": "true"})):
        if body is not None:
            await ml.request("PUT", f"/{name}", body=body)
        yield name


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("space", list(SCORES))
async def test_the_nearest_vectors_have_the_scores_of_their_space(ml: Session, space: str) -> None:
    async with created(ml, mapping(space)) as name:
        rows = [line for key, vector in VECTORS.items() for line in ({"index": {"_id": key}}, {"v": vector})]
        assert [item["status"] for item in await bulk(ml, name, *rows)] == [201] * len(VECTORS)
        hits = await searched(ml, name, {"knn": {"v": {"vector": QUERY, "k": 3}}}, _source=False)
    score = {key: SCORES[space](np.asarray(vector), np.asarray(QUERY)) for key, vector in VECTORS.items()}
    nearest = sorted(score, key=lambda key: -score[key])[:3]
    assert [hit["_id"] for hit in hits] == nearest
    assert [hit["_score"] for hit in hits] == pytest.approx([score[key] for key in nearest], rel=1e-5)


async def test_the_nearest_are_sought_among_those_that_a_filter_takes(ml: Session, index: str) -> None:
    rows = [
        {"index": {"_id": "near"}},
        {"v": QUERY, "tag": "x"},
        {"index": {"_id": "far"}},
        {"v": [9, 9, 9], "tag": "y"},
    ]
    await bulk(ml, index, *rows)
    knn = {"vector": QUERY, "k": 1, "filter": {"term": {"tag": "y"}}}
    assert [hit["_id"] for hit in await searched(ml, index, {"knn": {"v": knn}})] == ["far"]


async def test_weights_are_searched_by_sums_of_features(ml: Session, index: str) -> None:
    rows = [{"index": {"_id": "a"}}, {"w": {"fox": 2, "dog": 1}}, {"index": {"_id": "b"}}, {"w": {"fox": 1.5}}]
    await bulk(ml, index, *rows)
    query = {"fox": 1.5, "dog": 1.0, "cat": 3.0}
    should = [{"rank_feature": {"field": f"w.{token}", "boost": boost, "linear": {}}} for token, boost in query.items()]
    hits = await searched(ml, index, {"bool": {"should": should}})
    assert [(hit["_id"], hit["_score"]) for hit in hits] == [("a", 4.0), ("b", 2.25)]


async def test_an_item_that_fails_says_why_and_keeps_no_other_from_being_written(ml: Session, index: str) -> None:
    items = await bulk(
        ml,
        index,
        *({"index": {"_id": "short"}}, {"v": [1, 2]}),
        *({"index": {"_id": "word"}}, {"n": "many"}),
        *({"index": {"_id": "new"}}, {"unknown": 1}),
        *({"create": {"_id": "good"}}, {"n": 1}),
        *({"create": {"_id": "good"}}, {"n": 2}),
        *({"update": {"_id": "nobody"}}, {"doc": {"n": 1}}),
        *({"update": {"_id": "good"}}, {"doc": {"tag": "t"}}),
        {"delete": {"_id": "nobody"}},
    )
    assert [(item["status"], item.get("error", {}).get("type")) for item in items] == [
        (400, "mapper_parsing_exception"),
        (400, "mapper_parsing_exception"),
        (400, "strict_dynamic_mapping_exception"),
        (201, None),
        (409, "version_conflict_engine_exception"),
        (404, "document_missing_exception"),
        (200, None),
        (404, None),
    ]
    assert items[0]["error"]["caused_by"]["reason"] == "Vector dimension mismatch. Expected: 3, Given: 2"
    found = (await ml.request("GET", f"/{index}/_doc/good")).json()
    assert (found["_version"], found["_source"]) == (2, {"n": 1, "tag": "t"})


async def test_a_document_is_read_by_its_id_before_searches_find_it(ml: Session, index: str) -> None:
    await ml.request("PUT", f"/{index}/_settings", body={"refresh_interval": "-1"})
    await ml.request("PUT", f"/{index}/_doc/a", body={"n": 1})
    assert (await ml.request("GET", f"/{index}/_doc/a")).json()["_source"] == {"n": 1}
    assert (await ml.request("GET", f"/{index}/_count")).json()["count"] == 0
    assert len(await searched(ml, index, {"match_all": {}})) == 1


async def test_a_document_is_written_only_if_nothing_came_before(ml: Session, index: str) -> None:
    first = (await ml.request("PUT", f"/{index}/_doc/a", body={"n": 1})).json()
    condition = {"if_seq_no": str(first["_seq_no"]), "if_primary_term": "1"}
    await ml.request("PUT", f"/{index}/_doc/a", query=condition, body={"n": 2})
    with pytest.raises(Conflict, match="version conflict, required seqNo"):
        await ml.request("PUT", f"/{index}/_doc/a", query=condition, body={"n": 3})
    assert (await ml.request("GET", f"/{index}/_doc/a")).json()["_source"] == {"n": 2}


@pytest.mark.usefixtures("index")
async def test_a_write_makes_an_index_whose_fields_are_mapped_by_their_values(ml: Session) -> None:
    async with created(ml, None) as name:
        row = {"t": "a b", "n": 1, "f": 0.5, "d": "2024-01-02", "o": {"b": True}}
        await bulk(ml, name, {"index": {"_id": "1"}}, row)
        found = (await ml.request("GET", f"/{name}/_mapping")).json()[name]["mappings"]["properties"]
        assert {key: field.get("type") for key, field in found.items()} == {**MAPPED, "o": None}
        with pytest.raises(BadRequest, match=r"failed to parse field \[n\] of type \[long\]"):
            await ml.request("PUT", f"/{name}/_doc/2", body={"n": "many"})


async def test_a_name_stands_for_one_index(ml: Session, index: str) -> None:
    with pytest.raises(BadRequest, match="already exists"):
        await ml.request("PUT", f"/{index}")
    with pytest.raises(BadRequest, match="must be lowercase"):
        await ml.request("PUT", f"/{index.upper()}")
    await ml.request("DELETE", f"/{index}")
    with pytest.raises(NotFound, match=r"no such index"):
        await ml.request("GET", f"/{index}/_mapping")


async def test_an_index_is_read_as_it_was_when_the_reading_began(ml: Session, index: str) -> None:
    sink = IndexSink(ml, index, field="v")
    await sink.open(None)
    assert await sink.write(documents([{"n": number, "tag": "t"} for number in range(7)], vectors(0, 7)[:, :3])) == []
    await sink.flush()
    await sink.close(complete=True)
    source = IndexSource(ml, index, query={"range": {"n": {"gte": 1}}}, size=3, fields=["n"])
    assert await source.count() == 6
    found: list[Any] = []
    async for rows in source.read():
        found += rows.rows
        await ml.request("PUT", f"/{index}/_doc/z{len(found)}?refresh=true", body={"n": 99})
    assert [row["n"] for row in found] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("kind", ["dense", "sparse"])
async def test_an_index_for_a_model_is_made_once_and_what_differs_is_told(
    ml: Session, index: str, kind: str, zips: dict[str, Path], unique: str
) -> None:
    await ml.indices.delete(index)  # whose name is free then
    asked: dict[str, Any] = {"engine": "lucene", "space_type": "l2"} if kind == "dense" else {}
    async with uploaded(ml, kind, zips[kind], unique) as model:
        made = await ml.indices.create_for(model, index, **asked)
        assert made.created
        assert not (await ml.indices.create_for(model, index, **asked)).created
        assert made.mapping["type"] == ("knn_vector" if kind == "dense" else "rank_features")
        with pytest.raises(IndexMismatch, match="has the space l2, not innerproduct" if asked else "is rank_features"):
            await ml.indices.create_for(model, index, sparse=False, dimension=16, space_type="innerproduct")
