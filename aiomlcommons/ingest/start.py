"""The start of a bulk job: all that can be found wrong before the first text is embedded."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from aiomlcommons.ingest.embedding.model import job_model
from aiomlcommons.ingest.job import Job, ingesting
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.preflight import check_files, check_sink
from aiomlcommons.ingest.sinks import IndexSink, open_sink
from aiomlcommons.ingest.sources import open_source, with_patience
from aiomlcommons.ingest.types import Row
from aiomlcommons.lifecycle.ensure import ensure
from aiomlcommons.lifecycle.spec import Spec

if TYPE_CHECKING:
    from aiomlcommons.client import Client


@asynccontextmanager
async def start_job(
    client: Client, source: Any, *, model: Spec | str, sink: Any, settings: JobOptions
) -> AsyncGenerator[Job]:
    """A job as ``ml.ingest`` gives it, which says what the arguments are, and what is raised."""
    opened = await anyio.to_thread.run_sync(open_source, source)
    wanted = await anyio.to_thread.run_sync(open_sink, sink)
    dead_letters = settings.dead_letters or f"{settings.checkpoint or wanted.name}.dead.jsonl"
    check_sink(wanted, ordered=settings.ordered, skip_unchanged=settings.skip_unchanged)
    files = {"checkpoint": settings.checkpoint, "dead_letters": dead_letters, "cache": settings.cache}
    await anyio.to_thread.run_sync(partial(check_files, opened, wanted, **files))
    # A server that restarts just now is waited for as one that does so later.
    ml = client.options(wait=settings.stall_timeout)
    ensured = await ensure(ml, model)
    model_is = await job_model(ml, ensured.model_id, content_type=settings.content_type, redeploy=settings.redeploy)
    if isinstance(wanted, IndexSink):
        # A wrong mapping is found out before the first text is embedded.
        wanted.sparse, wanted.dimension = model_is.sparse, wanted.dimension or model_is.dimension
        wanted.stall_timeout = settings.stall_timeout
    async with ingesting(
        model_is,
        with_patience(opened, settings.stall_timeout),
        wanted,
        header={
            "source": opened.name,
            "sink": wanted.name,
            "field": getattr(wanted, "field", None),
            "text": _said(settings.text),
            "id": _said(settings.id),
        },
        dead_letters=dead_letters,
        target=await wanted.target() if settings.skip_unchanged and isinstance(wanted, IndexSink) else wanted.name,
        settings=settings,
    ) as job:
        yield job


def _said(what: str | Callable[[Row], Any] | None) -> str | None:
    """A field or a function as a checkpoint knows it."""
    return getattr(what, "__qualname__", "a function") if callable(what) else what
