"""Index on batches, without Ray: into a fake server, and with Embed into a real OpenSearch."""

from __future__ import annotations

import gc
import pickle
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from anyio.from_thread import start_blocking_portal

from aiomlcommons import InvalidRequest, Session
from aiomlcommons.ingest.sinks import SinkError
from aiomlcommons.integrations.ray import Embed, Index, RowsFailed
from tests.support.bulk_server import BulkServer, bulk_server, failed, knn
from tests.support.emulator_with_models import EmulatorWithModels

VECTORS = np.arange(12, dtype="f4").reshape(3, 4) / 3
IDS, TEXTS = ["a", "b", "c"], ["one", "two", "three"]
Batch = Callable[[], Any]


@pytest.fixture
def server() -> Iterator[BulkServer]:
    """Serve an index in a thread of its own."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_serve()) as running:
        yield running


@asynccontextmanager
async def _serve() -> AsyncIterator[BulkServer]:
    async with bulk_server(knn(4)) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    gc.collect()
    assert [one for one in threading.enumerate() if one.name == "aiomlcommons"] == []


def fixed(vectors: Any = VECTORS) -> Any:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])


def table(embedding: Any, ids: Any = IDS) -> Any:
    return pa.table({"id": ids, "text": TEXTS, "embedding": embedding})


def arrays(embedding: Any, ids: Any = IDS) -> dict[str, Any]:
    return {"id": np.array(ids, object), "text": np.array(TEXTS, object), "embedding": embedding}


def objects(values: list[Any]) -> Any:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def mapping(server: BulkServer, field: str) -> Any:
    assert server.index is not None
    return server.index["mappings"]["properties"][field]


DENSE: dict[str, Batch] = {
    "fixed lists": lambda: table(fixed()),
    "chunks": lambda: pa.concat_tables([table(fixed()).slice(0, 1), table(fixed()).slice(1)]),
    "lists": lambda: table(pa.array(VECTORS.tolist())),
    "an array": lambda: arrays(VECTORS),
    "arrays": lambda: arrays(objects(list(VECTORS))),
}
WEIGHTS = [{"x": 1.5}, {"x": 0.5, "y": 2.0}, {}]
SPARSE: dict[str, Batch] = {
    "maps": lambda: table(pa.array([list(one.items()) for one in WEIGHTS], pa.map_(pa.string(), pa.float32()))),
    "objects": lambda: arrays(objects([[{"token": k, "weight": v} for k, v in one.items()] for one in WEIGHTS])),
    "structs": lambda: table(pa.array([[{"token": k, "weight": v} for k, v in one.items()] for one in WEIGHTS])),
}


@pytest.mark.parametrize("batch", DENSE.values(), ids=DENSE)
def test_rows_are_documents_with_their_vectors_and_come_back_without(server: BulkServer, batch: Batch) -> None:
    got = Index("docs", server.url)(batch())
    assert list(got if isinstance(got, dict) else got.column_names) == ["id", "text"]
    assert [str(text) for text in got["text"]] == TEXTS
    assert {key: row["text"] for key, row in server.documents.items()} == dict(zip(IDS, TEXTS, strict=True))
    for key, vector in zip(IDS, VECTORS, strict=True):
        assert np.array_equal(np.array(server.documents[key]["embedding"], "f4"), vector)


@pytest.mark.parametrize("batch", SPARSE.values(), ids=SPARSE)
def test_weights_of_tokens_are_written_as_such(server: BulkServer, batch: Batch) -> None:
    server.index = {"mappings": {"properties": {"embedding": {"type": "rank_features"}}}}
    Index("docs", server.url, sparse=True)(batch())
    assert [server.documents[key]["embedding"] for key in IDS] == WEIGHTS


def test_columns_have_the_names_that_are_asked_for_and_numbers_are_ids(server: BulkServer) -> None:
    server.index = None
    batch = pa.table({"key": [7, 8, 9], "vector": fixed()})
    got = Index("docs", server.url, id="key", field="vector", create=True)(batch)
    assert got.column_names == ["key"]
    assert list(server.documents) == ["7", "8", "9"]
    assert server.documents["8"]["key"] == 8
    method = {"name": "hnsw", "space_type": "cosinesimil"}
    assert mapping(server, "vector") == {"type": "knn_vector", "dimension": 4, "method": method}


def test_a_batch_that_comes_again_overwrites_itself(server: BulkServer) -> None:
    index = Index("docs", server.url)
    for _ in range(2):
        index(table(fixed()))
    assert list(server.documents) == IDS
    assert server.heard.count("GET /docs/_mapping") == 1


def test_an_index_that_is_deleted_between_batches_is_no_success(server: BulkServer) -> None:
    index = Index("docs", server.url)
    index(table(fixed()))
    server.delete()
    with pytest.raises(SinkError, match=r"index docs was deleted and created again, and 6 documents"):
        index(table(fixed()))


def test_what_the_index_refuses_is_named_and_the_others_are_written(server: BulkServer) -> None:
    server.on_item = lambda key, _: failed("mapper_parsing_exception", "no", 400) if key != "b" else None
    with pytest.raises(RowsFailed, match=r"rows 0, 2 \(ids 'a', 'c'\) of the batch failed: .*no") as caught:
        Index("docs", server.url)(table(fixed()))
    assert (caught.value.rows, caught.value.ids) == ([0, 2], ["a", "c"])
    assert list(server.documents) == ["b"]


NO_VECTORS: list[Any] = [
    pa.array([1.0, 2.0, 3.0]),
    pa.array([[1.0], [1.0, 2.0], [1.0]]),
]


@pytest.mark.parametrize("column", NO_VECTORS)
def test_a_column_that_holds_no_vectors_is_refused_before_anything_is_sent(server: BulkServer, column: Any) -> None:
    with pytest.raises(InvalidRequest, match="the column 'embedding' must hold vectors, all of one dimension"):
        Index("docs", server.url)(table(column))
    assert server.heard == []


NULLS: dict[str, Batch] = {
    "fixed lists": lambda: table(pa.array([[1.0], None, [1.0]], pa.list_(pa.float32(), 1))),
    "lists": lambda: table(pa.array([[1.0], None, [1.0]])),
    "maps": lambda: table(pa.array([[("x", 1.0)], None, []], pa.map_(pa.string(), pa.float32()))),
    "arrays": lambda: arrays(objects([VECTORS[0], None, VECTORS[2]])),
}


@pytest.mark.parametrize("batch", NULLS.values(), ids=NULLS)
def test_rows_without_a_vector_are_named_before_anything_is_sent(server: BulkServer, batch: Batch) -> None:
    with pytest.raises(RowsFailed, match=r"row 1 \(id 'b'\) .*: it has no vector: 'embedding' is null"):
        Index("docs", server.url)(batch())
    assert server.heard == []


@pytest.mark.parametrize("key", [None, "", 1.5])
def test_rows_without_an_id_are_named(server: BulkServer, key: Any) -> None:
    with pytest.raises(RowsFailed, match="row 1 of the batch failed: its id must be text or a whole number"):
        Index("docs", server.url)(arrays(VECTORS, ["a", key, "c"]))
    assert server.heard == []


def test_a_missing_column_and_another_kind_of_batch_are_refused(server: BulkServer) -> None:
    with pytest.raises(InvalidRequest, match="no column 'embedding'; it has 'id'"):
        Index("docs", server.url)(pa.table({"id": ["a"]}))
    with pytest.raises(InvalidRequest, match="no column 'id'"):
        Index("docs", server.url)({"embedding": VECTORS})
    with pytest.raises(TypeError, match="batch_format"):
        Index("docs", server.url)([1])


def test_a_batch_without_rows_asks_for_nothing(server: BulkServer) -> None:
    got = Index("docs", server.url)(table(fixed()).slice(0, 0))
    assert (got.num_rows, got.column_names, server.heard) == (0, ["id", "text"], [])


def test_an_index_that_cannot_take_the_vectors_is_an_error_and_leaves_no_thread(server: BulkServer) -> None:
    server.index = knn(5)
    with pytest.raises(SinkError, match="is of dimension 5, and these vectors of 4"):
        Index("docs", server.url)(table(fixed()))
    with pytest.raises(SinkError, match="'other' is not in its mapping"):
        Index("docs", server.url, field="other")(pa.table({"id": IDS, "other": fixed()}))


def test_it_is_pickled_with_its_options_and_says_no_secret(server: BulkServer) -> None:
    index = Index("docs", server.url, session={"auth": ("me", "s3cret")}, bulk_bytes=1)
    index(table(fixed()))
    again = pickle.loads(pickle.dumps(index))  # noqa: S301 - our own bytes
    again(table(fixed()))
    assert len(server.sizes) == 6
    assert "s3cret" not in repr(again)
    index.close()
    again.close()
    assert server.refreshed


def test_what_embed_made_is_found_in_a_real_index(world: EmulatorWithModels, opensearch_url: str) -> None:
    name = f"ray-{uuid.uuid4().hex[:8]}"
    # The tests' server has no native libraries, which the default engine needs.
    method = {"method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}}
    index = Index(name, opensearch_url, create={"mappings": {"properties": {"embedding": method}}})
    index(
        Embed(world.dense, world.url)(pa.table({"id": IDS, "text": ["a soft answer", "a stone", "turns wrath away"]}))
    )
    index.close()
    vector = world.vectors(["soft answer"])[0].tolist()
    query = {"size": 1, "query": {"knn": {"embedding": {"vector": vector, "k": 1}}}}

    async def find() -> Any:
        async with Session(opensearch_url) as ml:
            return (await ml.request("POST", f"/{name}/_search", body=query)).json()["hits"]["hits"]

    assert [hit["_id"] for hit in world.portal.call(find)] == ["a"]
