"""A job that embeds a source into a sink: started, watched, awaited, and gone on with after whatever ended it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from os import PathLike
from typing import Any

import anyio
import anyio.to_thread

from aiomlcommons.concurrency import beside
from aiomlcommons.ingest.assembly import engine_of
from aiomlcommons.ingest.embedding.model import JobModel
from aiomlcommons.ingest.engine import Engine
from aiomlcommons.ingest.errors import JobStopped, RowsLost
from aiomlcommons.ingest.job_files import JobFiles
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.state.dead_letters import DeadLetters
from aiomlcommons.ingest.stats import Report, Stats
from aiomlcommons.ingest.types import Sink, Source


class Job:
    """A job that is under way: ``stats`` says how far it is, ``await job`` waits for its report.

    Raises what ended it: SourceError, JobStalled, ModelFails, OSError of the sink, ApiError; JobLeft.
    """

    def __init__(self, engine: Engine, report: Callable[[], Report]) -> None:
        self._engine, self._report = engine, report
        self._ended = anyio.Event()
        self._error: Exception | None = None
        self._unheard: Exception | None = None

    @property
    def stats(self) -> Stats:
        """The accounts so far."""
        return self._engine.stats

    def done(self) -> bool:
        """Whether it has ended, well or not, so that awaiting it takes no time."""
        return self._ended.is_set()

    @property
    def succeeded(self) -> bool:
        """Whether it has come to its end."""
        return self.done() and self._error is None

    def __await__(self) -> Generator[Any, Any, Report]:
        """Wait for the end."""
        return self._end().__await__()

    async def _end(self) -> Report:
        await self._ended.wait()
        self._unheard = None
        if self._error is not None:
            raise self._error
        return self._report()

    async def _run(self) -> None:
        try:
            await self._engine.run()
        except Exception as error:
            self._error = self._unheard = _single(error)
        except anyio.get_cancelled_exc_class():
            self._error = JobStopped("the job was left before its end; what is done is kept")
            raise
        finally:
            self._ended.set()


def _single(error: Exception) -> Exception:
    """The first error itself: task groups wrap even one of them."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


@asynccontextmanager
async def ingesting(
    model: JobModel,
    source: Source,
    sink: Sink,
    *,
    header: Mapping[str, Any],
    dead_letters: str | PathLike[str],
    target: str,
    settings: JobOptions,
) -> AsyncGenerator[Job]:
    """A job, for as long as the context is open; leaving it early keeps what is done for the next call.

    Leaving it raises what ended the job, where nobody has awaited that. ``target`` tells the cache one sink from
    another.
    """
    whole = {"job": "ingest", **model.identity, **header}
    letters = DeadLetters(dead_letters)
    files = await anyio.to_thread.run_sync(partial(JobFiles.open, whole, letters, settings, model, target))
    engine = engine_of(model, source, sink, files, settings)
    job = Job(engine, lambda: Report.of(engine.stats, dead_letters))
    try:
        await engine.open()
        async with beside(job._run):
            yield job
    finally:
        with anyio.CancelScope(shield=True):
            try:
                await engine.close(complete=job.succeeded)
            finally:
                await anyio.to_thread.run_sync(files.close)
    if job._unheard is not None:
        raise job._unheard
    if job.succeeded and not job._report().balanced:
        raise RowsLost(str(job._report()))
