"""Bulk jobs into a real k-NN index."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiomlcommons import Backoff, Session, emulator
from aiomlcommons.ingest.embedding.node_capacity import REQUESTS_PER_CORE, max_useful_requests
from aiomlcommons.ingest.sinks import IndexSink, SinkError
from aiomlcommons.ingest.types import Documents
from tests.support.documents import guide, run
from tests.support.paths import CORPUS

pytestmark = pytest.mark.asyncio
VERSES = 1_137
KNN: dict[str, Any] = {
    "settings": {"index": {"knn": True}},
    "mappings": {
        "properties": {
            "embedding": {
                "type": "knn_vector",
                "dimension": 384,
                "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
            }
        }
    },
}


async def count(target: Session, index: str) -> int:
    found: int = (await target.request("GET", f"/{index}/_count")).json()["count"]
    return found


async def test_a_corpus_goes_into_an_index_and_is_found_again(opensearch_url: str, tmp_path: Path) -> None:
    index = f"verses-{uuid.uuid4().hex[:8]}"
    async with emulator.serve() as url, Session(url) as ml, Session(opensearch_url) as target:
        await ml.settings.allow_first_model()
        sink = IndexSink(target, index, create=KNN)
        note = tmp_path / "note"
        async with ml.ingest(CORPUS, model="all-MiniLM-L6-v2", sink=sink, checkpoint=note, ordered=False) as job:
            report = await job
        assert (report.read, report.written, report.balanced) == (VERSES, VERSES, True)
        assert await count(target, index) == VERSES

        verse = (await target.request("GET", f"/{index}/_search", body={"size": 1})).json()["hits"]["hits"][0]
        model_id = (await ml.models.ensure("all-MiniLM-L6-v2")).model_id
        vector = (await ml.embed_one(model_id, verse["_source"]["text"])).tolist()
        query = {"size": 3, "query": {"knn": {"embedding": {"vector": vector, "k": 3}}}}
        hits = (await target.request("POST", f"/{index}/_search", body=query)).json()["hits"]["hits"]
        # Some verses are duplicates.
        assert verse["_source"]["text"] in [hit["_source"]["text"] for hit in hits]

        # The same job again writes the same documents.
        again = IndexSink(target, index, create=KNN)
        async with ml.ingest(CORPUS, model="all-MiniLM-L6-v2", sink=again, checkpoint=note, ordered=False) as job:
            assert (await job).written == VERSES
        assert await count(target, index) == VERSES


async def test_the_guides_way_from_one_index_into_another_runs_as_it_is_written(
    opensearch_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the default path of dead letters
    (code,) = guide(" cluster")
    verses, embedded = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("verses", "embedded"))
    texts = ["wisdom cries aloud", "a fool", "get wisdom", "wisdom is better than rubies"]
    async with emulator.serve() as url, Session(url) as ml, Session(opensearch_url) as cluster:
        await ml.settings.allow_first_model()
        for n, text in enumerate(texts):
            await cluster.request("PUT", f"/{verses}/_doc/{n}", query={"refresh": "true"}, body={"text": text})
        await run(code.replace('"verses"', repr(verses)).replace('"embedded"', repr(embedded)), ml=ml, cluster=cluster)
        hits = (await cluster.request("GET", f"/{embedded}/_search")).json()["hits"]["hits"]
        assert {hit["_id"]: hit["_source"]["text"] for hit in hits} == {str(n): texts[n] for n in (0, 2, 3)}


async def test_a_server_before_3_9_gets_numbers_and_base64_in_their_place_is_refused_by_name(
    opensearch_url: str,
) -> None:
    rows = [{"id": f"d{i}"} for i in range(3)]
    batch = Documents([row["id"] for row in rows], list(rows), [""] * 3, np.eye(3, 384, dtype="f4"))
    async with Session(opensearch_url) as target:
        version = await target.version()
        assert version is not None
        assert version < (3, 9)
        for chosen in (None, True):
            index = f"old-{uuid.uuid4().hex[:8]}"
            sink = IndexSink(target, index, create=KNN, base64=chosen)
            await sink.open(None)
            refused = await sink.write(batch)
            await sink.close(complete=True)
            if chosen:
                assert [one.index for one in refused] == [0, 1, 2]
                assert all("imension" in one.why for one in refused)
            else:
                assert refused == []
            assert await count(target, index) == (0 if chosen else 3)


async def test_an_index_of_another_dimension_is_refused_before_the_first_request(opensearch_url: str) -> None:
    index = f"narrow-{uuid.uuid4().hex[:8]}"
    narrow = {"mappings": {"properties": {"embedding": {"type": "knn_vector", "dimension": 16}}}}
    async with emulator.serve() as url, Session(url, backoff=Backoff(first=0)) as ml, Session(opensearch_url) as target:
        await ml.settings.allow_first_model()
        await target.request("PUT", f"/{index}", body=narrow)
        with pytest.raises(SinkError, match="is of dimension 16, and these vectors of 384"):
            async with ml.ingest([{"id": "a", "text": "b"}], model="all-MiniLM-L6-v2", sink=IndexSink(target, index)):
                pass


async def test_the_server_tells_how_many_requests_at_once_it_is_good_for(opensearch_url: str) -> None:
    async with Session(opensearch_url) as target:
        most = await max_useful_requests(target)
    assert most is not None
    assert most % REQUESTS_PER_CORE == 0
