"""Bulk embedding job: run in the background of a context, awaitable, resumable from its checkpoint."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from aiomlcommons.concurrency import beside
from aiomlcommons.ingest.assembly import engine_of
from aiomlcommons.ingest.embedding.model import JobModel
from aiomlcommons.ingest.engine import Engine
from aiomlcommons.ingest.errors import JobStopped, RowsLost
from aiomlcommons.ingest.events import JobEvents
from aiomlcommons.ingest.job_files import JobFiles
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.server_side.model import ServerModel
from aiomlcommons.ingest.sinks import IndexSink, NpySink
from aiomlcommons.ingest.state.dead_letters import DeadLetters
from aiomlcommons.ingest.stats import Report, Stats
from aiomlcommons.ingest.threads import run_to_end
from aiomlcommons.ingest.types import Sink, Source, kind_of
from aiomlcommons.net.sparing import Sparing
from aiomlcommons.owner import Owner
from aiomlcommons.progress.event import Progress
from aiomlcommons.tracing.jobs import JobCounters
from aiomlcommons.tracing.spans import NO_SPAN, Span
from aiomlcommons.usage import refuses

log = logging.getLogger("aiomlcommons")


@refuses("async with", "with", "async for", "for", write="`report = await job`")
class Job:
    """A running job: ``stats`` has its counts so far, ``await job`` waits for its end and returns the report.

    Awaiting it raises the error that ended it: SourceError, SinkError, JobStalled, ModelFails, CacheError, ApiError,
    OSError; JobStopped if its context was left early.
    """

    def __init__(self, engine: Engine, report: Callable[[], Report], span: Span = NO_SPAN) -> None:
        self._engine, self._report, self._span = engine, report, span
        self._ended = anyio.Event()
        self._owner = Owner()
        self._error: Exception | None = None
        self._unretrieved: Exception | None = None

    @property
    def stats(self) -> Stats:
        """The counts so far."""
        return self._engine.stats

    def progress(self, name: str) -> Progress:
        """Return how far the job is; ``name`` is what it is called there."""
        sink = self._engine.sink
        return self.stats.progress(name, sink.waiting if isinstance(sink, IndexSink) else "")

    def done(self) -> bool:
        """Return whether the job has ended, successfully or not, so that awaiting it returns at once."""
        return self._ended.is_set()

    @property
    def succeeded(self) -> bool:
        """Whether the job has ended without an error."""
        return self.done() and self._error is None

    @property
    def report(self) -> Report:
        """The report of what was done until now."""
        return self._report()

    @property
    def _state(self) -> str:
        return "running" if not self.done() else "succeeded" if self.succeeded else "failed"

    def __repr__(self) -> str:
        return f"<Job {self._state}: {self.stats}>"

    def _repr_html_(self) -> str:
        """Return a table of this moment, for notebooks."""
        from aiomlcommons.display.html_tables import key_values  # only notebooks need it

        error = {} if self._error is None else {"error": f"{type(self._error).__name__}: {self._error}"}
        return key_values(
            "Job", {**error, **{part.name: part.value for part in self.stats._parts()}}, subtitle=self._state
        )

    def __await__(self) -> Generator[Any, Any, Report]:
        """Wait for the end of the job and return its report. Raises SessionClosed on another event loop."""
        return self._end().__await__()

    async def _end(self) -> Report:
        self._owner.check("the job")
        await self._ended.wait()
        self._unretrieved = None
        if self._error is not None:
            raise self._error
        return self._report()

    async def _run(self) -> None:
        try:
            with self._span.current():
                await self._engine.run()
        except Exception as error:
            self._error = self._unretrieved = _unwrap(error)
        except anyio.get_cancelled_exc_class():
            self._error = JobStopped("the job was left before its end; with a checkpoint, the same call resumes it")
            raise
        finally:
            if self._error is not None:
                self._span.failed(self._error)
            self._ended.set()


def _unwrap(error: Exception) -> Exception:
    """Return the first error of nested exception groups: task groups wrap even a single one."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _told(model: JobModel | ServerModel, options: JobOptions) -> dict[str, Any]:
    """Return what the log says of how a job is run."""
    least_most = options.concurrency
    return {
        "model": model.identity.get("model_id"),
        "embedded by": model.identity.get("embedded by"),
        "batches of": options.batch,
        "concurrency": " to ".join(map(str, least_most)) if isinstance(least_most, tuple | list) else least_most,
        "requests a minute": options.requests_per_minute,
        "tokens a minute": options.tokens_per_minute,
        "checkpoint": None if options.checkpoint is None else printable(options.checkpoint),
    }


async def _discard(files: JobFiles) -> None:
    """Remove the checkpoint, which says itself that the job is finished if it cannot be removed."""
    try:
        await anyio.to_thread.run_sync(files.discard)
    except OSError as error:
        log.warning("the checkpoint of a job that needs it no more could not be removed: %s", error)


@asynccontextmanager
async def ingesting(
    model: JobModel | ServerModel,
    source: Source,
    sink: Sink,
    *,
    header: Mapping[str, Any],
    dead_letters: DeadLetters,
    target: str,
    options: JobOptions,
    anew: bool = False,
    keep: bool = False,
    span: Span = NO_SPAN,
) -> AsyncGenerator[Job]:
    """Run a job while the context is open; after leaving it early, the next call resumes from the checkpoint.

    The checkpoint is removed when the job is finished, or has not written anything. Leaving the context raises the
    error that ended the job unless that was retrieved by ``await job``, and RowsLost if the counts do not balance.

    Args:
        model: The model to embed with, or what embeds on the server of the sink.
        source: Where rows are read from.
        sink: Where documents are written to.
        header: What identifies the job in its checkpoint, besides the model.
        dead_letters: The dead letter file.
        target: The identity of the sink in the cache.
        options: How the job is run.
        anew: Drop the checkpoint of an earlier job.
        keep: Leave the checkpoint of a finished job to the caller.
        span: The span of the job, which the caller ends.
    """
    job_header = {"job": "ingest", **model.identity, **header}
    opening = partial(JobFiles.open, job_header, dead_letters, options, model.kind, target, anew=anew)
    files = await run_to_end(opening, lambda opened: opened.close())
    events = JobEvents(Sparing(options.clock))
    engine = engine_of(model, source, sink, files, options, events)
    ids = sink.ids_path if isinstance(sink, NpySink) else None
    job = Job(engine, lambda: Report.of(engine.stats, dead_letters.path, ids), span)
    engine.counted = JobCounters(kind_of(sink), engine.stats.counts)
    try:
        with span.current():
            await engine.open()
        events.started(source.name, sink.name, done=engine.stats.settled, options=_told(model, options))
        async with beside(job._run):
            yield job
    finally:
        with anyio.CancelScope(shield=True):
            try:
                with span.current():
                    await engine.close(complete=job.succeeded)
            finally:
                engine.counted(engine.stats.counts)
                span.put({f"aiomlcommons.ingest.{name}": count for name, count in engine.stats.counts.items()})
                await anyio.to_thread.run_sync(files.close)
            if (job.succeeded and not keep) or not engine.began:
                await _discard(files)
            if job.succeeded:
                events.ended(job._report())
            elif job._error is not None:
                events.broke_off(job._error, engine.stats)
    if job._unretrieved is not None:
        raise job._unretrieved
    if job.succeeded and not job.report.balanced:
        raise RowsLost(str(job.report))
