"""A real OpenSearch: it responds to the session, searches vectors, and keeps acknowledged documents."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pytest
import pytest_asyncio
from anyio import to_thread

from aiomlcommons import ConnectError, Session
from tests.support.opensearch.artifacts import VECTORS
from tests.support.opensearch.server import Server, running, serving

pytestmark = pytest.mark.asyncio

Vectors = npt.NDArray[np.float32]

DIMENSION, ROWS = 8, 500
MAPPING = {
    "settings": {"index.knn": True, "number_of_shards": 1, "number_of_replicas": 0},
    "mappings": {
        "properties": {
            "vector": {
                "type": "knn_vector",
                "dimension": DIMENSION,
                "method": {"name": "hnsw", "engine": "lucene", "space_type": "l2"},
            }
        }
    },
}


@pytest_asyncio.fixture
async def ml(opensearch_url: str) -> AsyncIterator[Session]:
    async with Session(opensearch_url) as session:
        yield session


def some_vectors() -> Vectors:
    return np.random.default_rng(6).random((ROWS, DIMENSION), np.float32)


def new_index() -> str:
    return f"vectors-{uuid.uuid4().hex}"


def bulk_of(index: str, vectors: Vectors) -> bytes:
    rows = enumerate(vectors.tolist())
    lines = [({"index": {"_index": index, "_id": str(row)}}, {"vector": vector}) for row, vector in rows]
    return b"".join(orjson.dumps(line) + b"\n" for pair in lines for line in pair)


async def fill(ml: Session, index: str, vectors: Vectors) -> None:
    await ml.request("PUT", f"/{index}", body=MAPPING)
    answer = (await ml.request("POST", "/_bulk", body=bulk_of(index, vectors), query={"refresh": "true"})).json()
    assert not answer["errors"]
    assert len(answer["items"]) == len(vectors)


async def nearest(ml: Session, index: str, query: Vectors, k: int) -> list[int]:
    asked = {"size": k, "query": {"knn": {"vector": {"vector": query.tolist(), "k": k}}}, "_source": False}
    answer: Any = (await ml.request("POST", f"/{index}/_search", body=asked)).json()
    return [int(hit["_id"]) for hit in answer["hits"]["hits"]]


async def count(ml: Session, index: str) -> int:
    return int((await ml.request("GET", f"/{index}/_count")).json()["count"])


async def test_the_session_knows_the_servers_version(ml: Session) -> None:
    info = await ml.info()
    assert (info.version.number, info.version.distribution) == (VECTORS.version, "opensearch")


async def test_a_knn_query_finds_the_nearest_of_what_was_bulk_indexed(ml: Session) -> None:
    index, vectors = new_index(), some_vectors()
    query = np.full(DIMENSION, 0.5, np.float32)
    await fill(ml, index, vectors)
    expected = np.argsort(np.linalg.norm(vectors - query, axis=1))[:5]
    assert await nearest(ml, index, query, 5) == expected.tolist()


async def test_a_vector_of_another_dimension_is_refused_alone(ml: Session) -> None:
    index = new_index()
    await ml.request("PUT", f"/{index}", body=MAPPING)
    body = bulk_of(index, np.ones((1, DIMENSION), np.float32)) + bulk_of(index, np.ones((1, 3), np.float32))
    answer = (await ml.request("POST", "/_bulk", body=body)).json()
    assert [item["index"]["status"] for item in answer["items"]] == [201, 400]


@pytest.mark.usefixtures("opensearch_home")
async def test_what_was_acknowledged_survives_a_kill_and_a_restart() -> None:
    index, vectors = new_index(), some_vectors()
    async with serving() as server, Session(server.url) as ml:
        await fill(ml, index, vectors)
        for end in (server.kill, server.stop):
            await again(server, end)
            assert await count(ml, index) == ROWS
            assert (await nearest(ml, index, vectors[7], 1)) == [7]


async def again(server: Server, end: Callable[[], None]) -> None:
    url, pid = server.url, server.pid
    await to_thread.run_sync(end)
    await to_thread.run_sync(server.start)
    assert server.url == url
    assert server.pid != pid


@pytest.mark.usefixtures("opensearch_home")
async def test_a_server_that_cannot_start_shows_its_log_and_leaves_nothing() -> None:
    server = Server(heap="none")
    try:
        with pytest.raises(RuntimeError, match="Invalid initial heap size"):
            await to_thread.run_sync(server.start)
        assert server.pid is None
    finally:
        server.close()
    assert not server.home.exists()


@pytest.mark.usefixtures("opensearch_home")
async def test_running_gives_a_url_that_answers_until_its_block_ends() -> None:
    async with running() as url, Session(url, retries=0) as ml:
        assert (await ml.info()).version.number == VECTORS.version
    with pytest.raises(ConnectError):
        async with Session(url, retries=0) as ml:
            await ml.info()
