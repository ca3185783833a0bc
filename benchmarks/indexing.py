"""Programs that embed documents and index them: ours, loops around opensearch-py, and loops by hand around aiohttp.

All send texts in the same batches to the same model, and end when the server has every document. Each has ``AT_ONCE``
requests in flight, except ``async_streaming_bulk``, which is sequential.
"""

from __future__ import annotations

import asyncio
import tempfile
from binascii import b2a_base64
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import attrs
import orjson
from opensearchpy import AsyncOpenSearch
from opensearchpy.helpers import async_streaming_bulk

from aiomlcommons import Session
from aiomlcommons.ingest import IndexSink
from benchmarks.bulk import DIMENSION, Document

BATCH = 64
AT_ONCE = 4
# The default chunk size of async_streaming_bulk; half and twice as many make no lasting difference.
CHUNK = 500
SECONDS = 60
LINE = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
NDJSON = {"content-type": "application/x-ndjson"}
MAPPING: dict[str, Any] = {
    "settings": {"index": {"knn": True, "number_of_shards": 1, "refresh_interval": "30s"}},
    "mappings": {
        "properties": {
            "embedding": {
                "type": "knn_vector",
                "dimension": DIMENSION,
                "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
            }
        }
    },
}


@attrs.frozen
class Task:
    """Documents, the model that embeds them, and the server and index to write them to."""

    ml: Session
    model_id: str
    url: str
    index: str
    rows: Sequence[Document]

    async def embedded(self, batch: Sequence[Document]) -> Iterator[tuple[Document, list[float]]]:
        """Return the documents of a batch with their vectors, ready for JSON."""
        vectors = await self.ml.embed_many(self.model_id, [row["text"] for row in batch])
        return zip(batch, vectors.tolist(), strict=True)

    def batches(self) -> Iterator[Sequence[Document]]:
        """Yield the documents in batches."""
        return (self.rows[start : start + BATCH] for start in range(0, len(self.rows), BATCH))


Program: TypeAlias = Callable[[Task], Coroutine[Any, Any, None]]


async def ours(task: Task) -> None:
    """Run the package's job, with checkpoint and dead letters."""
    with tempfile.TemporaryDirectory() as folder:
        async with Session(task.url) as target:
            sink = IndexSink(target, task.index, create=MAPPING, concurrency=AT_ONCE)
            async with task.ml.ingest(
                list(task.rows),
                model=task.model_id,
                sink=sink,
                checkpoint=Path(folder) / "job",
                batch=BATCH,
                concurrency=AT_ONCE,
                ordered=False,
            ) as job:
                report = await job
    if report.written != len(task.rows):
        raise AssertionError(str(report))


async def streaming_bulk(task: Task) -> None:
    """Send one batch after the other through ``async_streaming_bulk``."""
    async with AsyncOpenSearch(task.url, timeout=SECONDS) as client:
        await client.indices.create(index=task.index, body=MAPPING)
        async for ok, item in async_streaming_bulk(client, _actions(task), chunk_size=CHUNK):
            if not ok:
                raise AssertionError(str(item))


async def _actions(task: Task) -> AsyncIterator[Document]:
    for batch in task.batches():
        for row, vector in await task.embedded(batch):
            yield {"_index": task.index, "_id": row["id"], **row, "embedding": vector}


async def gathered(task: Task) -> None:
    """Gather batches in rounds, each embedded and then sent by ``bulk``."""
    async with AsyncOpenSearch(task.url, timeout=SECONDS) as client:
        await client.indices.create(index=task.index, body=MAPPING)

        async def one(batch: Sequence[Document]) -> None:
            lines: list[Document] = []
            for row, vector in await task.embedded(batch):
                lines += [{"index": {"_index": task.index, "_id": row["id"]}}, {**row, "embedding": vector}]
            if (await client.bulk(body=lines))["errors"]:
                raise AssertionError("a bulk request had errors")

        batches = list(task.batches())
        for start in range(0, len(batches), AT_ONCE):
            await asyncio.gather(*map(one, batches[start : start + AT_ONCE]))


async def by_hand(task: Task, *, base64: bool) -> None:
    """Keep ``AT_ONCE`` batches under way, each embedded and then sent by aiohttp alone, as orjson or base64 has it."""
    batches = task.batches()
    async with aiohttp.ClientSession(task.url, timeout=aiohttp.ClientTimeout(SECONDS)) as http:
        async with http.put(f"/{task.index}", json=MAPPING) as response:
            response.raise_for_status()

        async def work() -> None:
            for batch in batches:
                vectors = await task.ml.embed_many(task.model_id, [row["text"] for row in batch])
                lines = _lines(batch, vectors, base64=base64)
                async with http.post(f"/{task.index}/_bulk", data=b"".join(lines), headers=NDJSON) as response:
                    if orjson.loads(await response.read())["errors"]:
                        raise AssertionError("a bulk request had errors")

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())


def _lines(batch: Sequence[Document], vectors: Any, *, base64: bool) -> Iterator[bytes]:
    for row, vector in zip(batch, vectors, strict=True):
        yield orjson.dumps({"index": {"_id": row["id"]}}, option=LINE)
        sent = b2a_base64(vector, newline=False).decode() if base64 else vector
        yield orjson.dumps({**row, "embedding": sent}, option=LINE)


PROGRAMS: dict[str, Program] = {
    "aiomlcommons": ours,
    "aiohttp, numbers": partial(by_hand, base64=False),
    "aiohttp, base64": partial(by_hand, base64=True),
    "async_streaming_bulk": streaming_bulk,
    "gather and bulk": gathered,
}
