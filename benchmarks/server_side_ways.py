"""Ways to get documents with their vectors into an index: by this package, by opensearch-py, and by hand."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import attrs
import orjson
from opensearchpy import AsyncOpenSearch
from opensearchpy.helpers import async_bulk

from aiomlcommons import Session
from aiomlcommons.ingest import IndexSink
from benchmarks.bulk import Document

# What opensearch-py sends at once by default, and what is best by hand (4 x 128).
CHUNK, BY_HAND, AT_ONCE = 500, 128, 4
TIMEOUT = 600


@attrs.frozen
class Task:
    """Documents, an index for them, a model, and a pipeline that embeds them with it; ``folder`` is for files."""

    ml: Session
    model_id: str
    url: str
    index: str
    pipeline: str
    rows: Sequence[Document]
    folder: Path


Way: TypeAlias = Callable[[Task], Awaitable[str]]
"""Does the work; returns what it says of it."""


async def here(task: Task, *, base64: bool) -> str:
    """Embed by the package, and index."""
    sink = IndexSink(task.ml, task.index, base64=base64)
    return str(await task.ml.ingest(list(task.rows), model=task.model_id, sink=sink))


async def there(task: Task) -> str:
    """Have the server embed, by the package."""
    sink = IndexSink(task.ml, task.index, pipeline=task.pipeline)
    task.folder.mkdir(exist_ok=True)
    dead_letters = task.folder / f"{time.monotonic_ns()}.dead.jsonl"
    report = await task.ml.ingest(list(task.rows), model=None, sink=sink, dead_letters=dead_letters)
    counts = f"{report.read:,} read = {report.written:,} written + {report.failed:,} failed; {report.retried:,} retries"
    return counts if report.balanced else f"UNBALANCED: {counts}"


async def by_async_bulk(task: Task) -> str:
    """Have the server embed, by opensearch-py: one request after the other."""
    actions = ({"_index": task.index, "_id": row["id"], **row} for row in task.rows)
    async with AsyncOpenSearch(task.url, timeout=TIMEOUT) as client:
        done, failed = await async_bulk(
            client, actions, chunk_size=CHUNK, pipeline=task.pipeline, raise_on_error=False, raise_on_exception=False
        )
    items: Any = failed
    statuses = dict(Counter(item["index"]["status"] for item in items))
    return f"{done:,} accepted, errors by status: {statuses or 'none'}"


async def by_hand(task: Task) -> str:
    """Have the server embed, by requests in parallel of aiohttp alone."""
    chunks = iter([task.rows[start : start + BY_HAND] for start in range(0, len(task.rows), BY_HAND)])
    statuses = Counter[int]()
    limit = aiohttp.ClientTimeout(TIMEOUT)
    async with aiohttp.ClientSession(task.url, timeout=limit) as http, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_post(http, task, chunks, statuses))
    failed = {status: count for status, count in statuses.items() if status >= 300}
    return f"{statuses.total() - sum(failed.values()):,} accepted, errors by status: {failed or 'none'}"


async def _post(http: aiohttp.ClientSession, task: Task, chunks: Iterator[Any], statuses: Counter[int]) -> None:
    for chunk in chunks:
        lines = [line for row in chunk for line in ({"index": {"_id": row["id"]}}, row)]
        body = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
        query, headers = {"pipeline": task.pipeline}, {"content-type": "application/x-ndjson"}
        async with http.post(f"/{task.index}/_bulk", params=query, data=body, headers=headers) as response:
            statuses.update(item["index"]["status"] for item in orjson.loads(await response.read())["items"])


PIPELINES: dict[str, Way] = {
    "pipeline, async_bulk": by_async_bulk,
    "pipeline, 4 requests in parallel": by_hand,
    "ml.ingest, pipeline": there,
}
RATES: dict[str, Way] = {
    "ml.ingest, client-side": partial(here, base64=False),
    "ml.ingest, client-side, base64": partial(here, base64=True),
    **PIPELINES,
}
LOSSY = PIPELINES
