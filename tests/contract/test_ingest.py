"""Contract tests: bulk jobs with a cluster's own models, into files and, with the k-NN plugin, into an index."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from aiomlcommons import InvalidRequest, Session
from aiomlcommons.ingest.sinks import IndexSink
from tests.support.contract.kinds import deployed
from tests.support.contract.undoing import afterwards
from tests.support.contract.versions import has_knn

pytestmark = pytest.mark.asyncio
# The engine without native libraries: a node that lacks them crashes at the first vector.
LUCENE = {"mappings": {"properties": {"embedding": {"method": {"name": "hnsw", "engine": "lucene"}}}}}
ROWS: list[Any] = [{"id": f"d{number}", "text": f"this is text number {number}"} for number in range(40)]
BAD: list[Any] = [{"id": "empty", "text": ""}, {"text": "no id"}, {"id": "d7", "text": "an id that was there"}]


async def written(path: Path) -> list[Any]:
    return [orjson.loads(line) for line in (await asyncio.to_thread(path.read_bytes)).splitlines()]


async def test_a_job_writes_what_the_model_says(
    ml: Session, unique: str, zips: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    async with deployed(ml, "dense", zips["dense"], unique) as model_id:
        expected = await ml.embed_many(model_id, [row["text"] for row in ROWS])
        job = ml.ingest([*ROWS, *BAD], model=model_id, sink=out, checkpoint=tmp_path / "note", batch=7)
        async with job as running:
            report = await running
        assert (report.read, report.written, report.deduplicated, report.failed) == (43, 40, 1, 2)
        lines = await written(out)
        assert [line["id"] for line in lines] == [row["id"] for row in ROWS]
        np.testing.assert_allclose([line["embedding"] for line in lines], expected, atol=1e-4)

        # The same call again finds the output there, and leaves it alone.
        with pytest.raises(InvalidRequest, match="exists already"):
            async with ml.ingest([*ROWS, *BAD], model=model_id, sink=out, checkpoint=tmp_path / "note"):
                pass
        assert await written(out) == lines
        assert not await asyncio.to_thread((tmp_path / "note").exists)


@pytest.mark.since("2.11", "a sparse model")
async def test_a_sparse_job_writes_weights(ml: Session, unique: str, zips: dict[str, Path], tmp_path: Path) -> None:
    async with deployed(ml, "sparse", zips["sparse"], unique) as model_id:
        assert (await ml.ingest(ROWS[:10], model=model_id, sink=tmp_path / "out.jsonl")).written == 10
        (first, *_) = await written(tmp_path / "out.jsonl")
        (expected,) = await ml.sparse(model_id, [ROWS[0]["text"]])
        assert first["embedding"] == pytest.approx(expected, rel=1e-3)


async def test_an_index_is_filled_and_searched(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    if not await has_knn(ml):
        pytest.skip("needs a cluster with the k-NN plugin")
    index = f"aiomlcommons-{uuid.uuid4().hex[:12]}"
    async with deployed(ml, "dense", zips["dense"], unique) as model_id:
        async with afterwards(lambda: ml.request("DELETE", f"/{index}")):
            async with ml.ingest(ROWS, model=model_id, sink=IndexSink(ml, index, create=LUCENE), batch=7) as job:
                assert (await job).written == len(ROWS)
            vector = (await ml.embed_one(model_id, ROWS[7]["text"])).tolist()
            query = {"size": 1, "query": {"knn": {"embedding": {"vector": vector, "k": 1}}}}
            hits = (await ml.request("POST", f"/{index}/_search", body=query)).json()["hits"]["hits"]
            assert [hit["_id"] for hit in hits] == ["d7"]
