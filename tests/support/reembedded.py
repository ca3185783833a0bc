"""Two indices on a real OpenSearch, and models of an emulator that are asked beside it: for the rounds of re-embedding.

As a program it runs the round ``whole``: ``python -m tests.support.reembedded CLUSTER EMULATOR SOURCE TARGET MODEL``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

from aiomlcommons import Session
from aiomlcommons.reembedding.rounds import Rounds
from aiomlcommons.reembedding.task import Pace, Task
from tests.support.paths import ROOT

NDJSON = {"content-type": "application/x-ndjson"}
VECTOR: dict[str, Any] = {
    "type": "knn_vector",
    "dimension": 384,
    "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
}
FINGERPRINT: dict[str, Any] = {"type": "keyword", "index": False}


def body(**fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of an index with a text and other fields, of two shards that show a write when they are asked."""
    index = {"number_of_shards": 2, "number_of_replicas": 0, "refresh_interval": -1, "knn": "vector" in str(fields)}
    properties = {"text": {"type": "text"}, "raw": {"type": "object", "enabled": False}, **fields}
    return {"settings": {"index": index}, "mappings": {"properties": properties}}


async def bulk(ml: Session, index: str, *actions: tuple[Mapping[str, Any], Mapping[str, Any] | None]) -> list[Any]:
    """Send actions as a writer does; return what became of each."""
    lines = [json.dumps(line).encode() for action in actions for line in action if line is not None]
    answer = await ml.request("POST", f"/{index}/_bulk", body=b"\n".join([*lines, b""]), headers=NDJSON)
    return [next(iter(item.values())) for item in answer.json()["items"]]


def put(key: str, text: str | None, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the action that writes a document."""
    return {"index": {"_id": key}}, {**({} if text is None else {"text": text}), **fields}


def gone(key: str) -> tuple[dict[str, Any], None]:
    """Return the action that deletes a document."""
    return {"delete": {"_id": key}}, None


async def documents(ml: Session, index: str) -> dict[str, dict[str, Any]]:
    """Return the documents of an index by their ids."""
    await ml.indices.refresh(index)
    found = await ml.request("GET", f"/{index}/_search", body={"size": 1000, "version": True})
    return {hit["_id"]: hit["_source"] for hit in found.json()["hits"]["hits"]}


async def main(opensearch: str, emulator: str, source: str, target: str, model: str) -> None:
    """Run ``whole``; see the module."""
    pace = Pace(batch=8, concurrency=1)
    task = Task(source=source, target=target, field="v", text="text", model=model)
    async with Session(opensearch) as cluster, Session(emulator) as ml:
        await Rounds(cluster, task, pace, models=ml).whole()


async def process(*words: str) -> asyncio.subprocess.Process:
    """Start the program."""
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.support.reembedded", *words, cwd=ROOT)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
