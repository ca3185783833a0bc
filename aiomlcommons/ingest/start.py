"""Start of a bulk job: everything that can be validated before the first text is embedded."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import attrs

from aiomlcommons.inference.fields import TextFrom
from aiomlcommons.ingest.embedding.cache import check_cache
from aiomlcommons.ingest.embedding.model import JobModel, job_model
from aiomlcommons.ingest.head import CheckedSource, HeadCheck, check_head
from aiomlcommons.ingest.job import Job, ingesting
from aiomlcommons.ingest.kept_replicas import replicas_kept
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.paths import file_name, redacted
from aiomlcommons.ingest.preflight import (
    check_dead_letters,
    check_files,
    check_output,
    check_places,
    check_served,
    check_sink,
    resumes,
)
from aiomlcommons.ingest.server_side.lookup import plan_of, refuse_embedding, texts_of
from aiomlcommons.ingest.server_side.model import ServerModel, server_model
from aiomlcommons.ingest.sinks import IndexSink, open_sink
from aiomlcommons.ingest.sinks.file_sink import BlockingSink
from aiomlcommons.ingest.sources import open_source, rereadable, with_stall_timeout
from aiomlcommons.ingest.sources.chunks import Chunks
from aiomlcommons.ingest.sources.traits import options_of
from aiomlcommons.ingest.state.dead_letters import ENDING, DeadLetters
from aiomlcommons.ingest.types import Row, Sink, Source, kind_of
from aiomlcommons.lifecycle.ensure import ensure
from aiomlcommons.lifecycle.spec import Spec
from aiomlcommons.progress.event import Phase, Progress
from aiomlcommons.progress.telling import Progressing, Teller, telling
from aiomlcommons.tracing.spans import Span, work

if TYPE_CHECKING:
    from aiomlcommons.client import Client


@asynccontextmanager
async def start_job(
    client: Client,
    source: Any,
    *,
    model: Spec | str | None,
    sink: Any,
    options: JobOptions,
    anew: bool = False,
    keep: bool = False,
    progress: Progressing = False,
) -> AsyncGenerator[Job]:
    """Validate the arguments and run a job; ``ml.ingest`` documents the arguments and what is raised.

    ``anew`` drops the checkpoint of an earlier job, ``keep`` leaves that of a finished one.
    """
    with work("ingest").ending() as span:
        begun = Progress(phase=Phase.CHECKING, name="the source and the sink")
        async with replicas_kept(client, sink, options.checkpoint), telling(progress, begun) as tell:
            with span.current():
                opened = await _opened(source, sink, options)
                name = _name(*opened)
                tell.quietly(Progress(phase=Phase.CHECKING, name=name))
                running = await _prepared(client, *opened, model, options, anew=anew, tell=tell, span=span)
            async with running(anew=anew, keep=keep, span=span) as job:
                tell(job.progress(name))
                tell.watch(partial(job.progress, name))
                yield job
                tell.quietly(attrs.evolve(job.progress(name), phase=Phase.FINISHING))
            if job.succeeded:
                tell(attrs.evolve(job.progress(name), phase=Phase.FINISHED, words=str(job.report)))


async def _prepared(
    client: Client,
    opened_source: Source,
    opened_sink: Sink,
    model: Spec | str | None,
    options: JobOptions,
    *,
    anew: bool,
    tell: Teller,
    span: Span,
) -> Callable[..., AbstractAsyncContextManager[Job]]:
    """Check source and sink, ensure the model, and return the job, which does not run yet."""
    span.put({"aiomlcommons.ingest.source": kind_of(opened_source), "aiomlcommons.ingest.sink": kind_of(opened_sink)})
    dead_letters = _dead_letters(opened_sink, options)
    resumed = not anew and await anyio.to_thread.run_sync(resumes, options)
    await anyio.to_thread.run_sync(
        partial(_check_arguments, opened_source, opened_sink, dead_letters, options, resumed)
    )
    # A restart of the server is waited out here for as long as it would be later.
    ml = client.options(wait=options.stall_timeout)
    if model is None:
        plan = await plan_of(check_served(opened_sink, options), wait=options.stall_timeout)
        options = attrs.evolve(options, text=texts_of(plan, options.text, chunked=options.chunk is not None))
        ready: Callable[[], Awaitable[JobModel | ServerModel]] = partial(
            server_model, plan, redeploy=options.redeploy, progress=tell
        )
    else:
        ready = partial(_model_here, ml, model, opened_sink, options, tell)
    checked_source = await _with_checked_head(opened_source, opened_sink, options, resumed=resumed)
    embedding_model = await ready()
    span.put({"aiomlcommons.model.id": embedding_model.name})
    tell.quietly(Progress(phase=Phase.READING, name=_name(opened_source, opened_sink)))  # the rows are counted
    return partial(
        ingesting,
        embedding_model,
        options.chunked(checked_source),
        opened_sink,
        header=_header(opened_source, opened_sink, options),
        dead_letters=dead_letters,
        target=await _target(opened_sink, options),
        options=options,
    )


async def _model_here(ml: Client, model: Spec | str, sink: Sink, options: JobOptions, tell: Teller) -> JobModel:
    """Ensure the model that the job asks by itself, and return it."""
    if isinstance(sink, IndexSink):
        await refuse_embedding(sink, wait=options.stall_timeout)
    model_id = (await ensure(ml, model, progress=tell)).model_id
    found = await job_model(ml, model_id, content_type=options.content_type, redeploy=options.redeploy)
    if isinstance(sink, IndexSink):
        # Lets the sink reject a mapping that does not fit before the first text is embedded.
        sink.sparse = found.sparse
        sink.dimension = sink.dimension or found.dimension
        sink.suits = found.spaces
    return found


def _name(source: Source, sink: Sink) -> str:
    """Return what a job is called where its progress is told."""
    return redacted(f"{source.name} -> {sink.name}")


async def _opened(source: Any, sink: Any, options: JobOptions) -> tuple[Source, Sink]:
    """Return source and sink, with the options that they share with the job."""
    opened_source = await anyio.to_thread.run_sync(open_source, source)
    opened_sink = await anyio.to_thread.run_sync(open_sink, sink)
    if isinstance(opened_sink, IndexSink):
        opened_sink.stall_timeout, opened_sink.ids = options.stall_timeout, opened_sink.ids or options.ids
    return with_stall_timeout(opened_source, options.stall_timeout), opened_sink


def _dead_letters(sink: Sink, options: JobOptions) -> DeadLetters:
    """Return the dead letter file: the one that is named, or one beside the checkpoint or the output."""
    if options.dead_letters is not None:
        return DeadLetters(options.dead_letters)
    beside = options.checkpoint or (sink.path if isinstance(sink, BlockingSink) else None)
    if beside is not None:
        return DeadLetters(Path(beside).with_name(Path(beside).name + ENDING))
    return DeadLetters(file_name(sink.name) + ENDING, suggested=True)


def _check_arguments(source: Source, sink: Sink, dead_letters: DeadLetters, options: JobOptions, resumed: bool) -> None:
    """Raise InvalidRequest if the arguments do not go together, or the output exists; CacheError. It blocks."""
    check_sink(sink, options)
    check_files(source, sink, checkpoint=options.checkpoint, dead_letters=dead_letters.path, cache=options.cache)
    check_output(sink, overwrite=options.overwrite or resumed)
    # Not a dead letter file that nobody named, and that most jobs never create.
    check_places(sink, checkpoint=options.checkpoint, dead_letters=options.dead_letters, cache=options.cache)
    check_dead_letters(dead_letters.path)
    if options.cache is not None:
        check_cache(options.cache)


async def _with_checked_head(source: Source, sink: Sink, options: JobOptions, *, resumed: bool) -> Source:
    """Check the first rows of a source, now if it can be read again, else when the job reads it."""
    may_replace = options.overwrite or resumed
    numbered = sink.check_numbers if isinstance(sink, IndexSink) and not may_replace else _nothing
    if options.id is None:
        await numbered()
    check = HeadCheck.of(source, options)
    if not await anyio.to_thread.run_sync(rereadable, source):
        return CheckedSource(source, check, numbered)
    if not resumed:
        await check_head(source, check, numbered)
    return source


async def _nothing() -> None:
    """Do nothing: only an index may hold documents of earlier jobs."""


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
        "ids": sink.ids if isinstance(sink, IndexSink) else None,
    }


async def _target(sink: Sink, options: JobOptions) -> str:
    """Return what tells the sink from others in the cache, which ``skip_unchanged`` goes by."""
    return await sink.target() if options.skip_unchanged and isinstance(sink, IndexSink) else sink.name


def _identity(extractor: str | Callable[[Row], Any] | None) -> str | None:
    """Return how a checkpoint identifies a field or a function."""
    if isinstance(extractor, TextFrom):
        return extractor.spec if extractor.default is None else repr(extractor)
    return getattr(extractor, "__qualname__", "a function") if callable(extractor) else extractor
