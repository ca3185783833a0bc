"""Start of a bulk job: everything that can be validated before the first text is embedded."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from aiomlcommons.inference.fields import TextFrom
from aiomlcommons.ingest.embedding.model import job_model
from aiomlcommons.ingest.job import Job, ingesting
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.preflight import check_files, check_sink
from aiomlcommons.ingest.sinks import IndexSink, open_sink
from aiomlcommons.ingest.sources import open_source, with_stall_timeout
from aiomlcommons.ingest.sources.chunks import Chunks
from aiomlcommons.ingest.sources.traits import options_of
from aiomlcommons.ingest.types import Row, Sink, Source
from aiomlcommons.lifecycle.ensure import ensure
from aiomlcommons.lifecycle.spec import Spec

if TYPE_CHECKING:
    from aiomlcommons.client import Client


@asynccontextmanager
async def start_job(
    client: Client, source: Any, *, model: Spec | str, sink: Any, options: JobOptions
) -> AsyncGenerator[Job]:
    """Validate the arguments and run a job; ``ml.ingest`` documents the arguments and what is raised."""
    opened_source = await anyio.to_thread.run_sync(open_source, source)
    opened_sink = await anyio.to_thread.run_sync(open_sink, sink)
    dead_letters = options.dead_letters or f"{options.checkpoint or opened_sink.name}.dead.jsonl"
    check_sink(opened_sink, ordered=options.ordered, skip_unchanged=options.skip_unchanged)
    files = {"checkpoint": options.checkpoint, "dead_letters": dead_letters, "cache": options.cache}
    await anyio.to_thread.run_sync(partial(check_files, opened_source, opened_sink, **files))
    # A restart of the server is waited out here for as long as it would be later.
    ml = client.options(wait=options.stall_timeout)
    model_id = (await ensure(ml, model)).model_id
    embedding_model = await job_model(ml, model_id, content_type=options.content_type, redeploy=options.redeploy)
    if isinstance(opened_sink, IndexSink):
        # Lets the sink reject a mapping that does not fit before the first text is embedded.
        opened_sink.sparse = embedding_model.sparse
        opened_sink.dimension = opened_sink.dimension or embedding_model.dimension
        opened_sink.stall_timeout = options.stall_timeout
    async with ingesting(
        embedding_model,
        options.chunked(with_stall_timeout(opened_source, options.stall_timeout)),
        opened_sink,
        header=_header(opened_source, opened_sink, options),
        dead_letters=dead_letters,
        target=await _target(opened_sink, options),
        options=options,
    ) as job:
        yield job


def _header(source: Source, sink: Sink, options: JobOptions) -> dict[str, Any]:
    """Return what identifies the job in its checkpoint, beside the model."""
    return {
        "source": source.name,
        "options": options_of(source),
        "sink": sink.name,
        "field": getattr(sink, "field", None),
        "text": _identity(options.text_of),
        "id": _identity(options.id),
        "chunk": None if options.chunk is None else repr(Chunks.of(options.chunk)),
    }


async def _target(sink: Sink, options: JobOptions) -> str:
    """Return what tells the sink from others in the cache, which ``skip_unchanged`` goes by."""
    return await sink.target() if options.skip_unchanged and isinstance(sink, IndexSink) else sink.name


def _identity(extractor: str | Callable[[Row], Any] | None) -> str | None:
    """Return how a checkpoint identifies a field or a function."""
    if isinstance(extractor, TextFrom):
        return extractor.spec if extractor.default is None else repr(extractor)
    return getattr(extractor, "__qualname__", "a function") if callable(extractor) else extractor
