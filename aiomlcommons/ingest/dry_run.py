"""Dry runs: an estimate of a job, measured on the first rows of its source and extrapolated to all of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import attrs

from aiomlcommons.display.shown import Readable
from aiomlcommons.ingest.job import Job
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.paths import redacted
from aiomlcommons.ingest.rows.checking import RowChecker
from aiomlcommons.ingest.sinks.index_dry_run import DryRunIndexSink
from aiomlcommons.ingest.sources.traits import WrappedSource, once_only, with_stall_timeout
from aiomlcommons.ingest.start import start_job
from aiomlcommons.ingest.state.dead_letters import DeadLetter, by_reason, read_dead_letters
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Rows, Sink, Source
from aiomlcommons.lifecycle.spec import Spec
from aiomlcommons.progress.event import Phase, Progress
from aiomlcommons.progress.telling import Logging, Progressing, Teller, telling

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# Seconds between two looks at the progress of a sample.
LOOK_EVERY = 0.5


@attrs.frozen(kw_only=True, repr=False)
class Estimate(Readable):
    """The result of a dry run: what a job is expected to take.

    Attributes:
        rows: The rows of the source; None if it cannot be read twice.
        faulty: Rows that are not documents (unreadable, or without a usable text or id), counted by reason; None if
            the rows were not read for the count.
        sampled: The first rows, which were embedded as a sample.
        written: The documents of the sample that were written.
        failed: The rows of the sample that would be dead letters.
        reasons: The reasons of these, with their counts.
        sampling: Seconds that the sample took.
        rate: Documents per second in the sample.
        latency: Seconds of a request in the sample.
        concurrency: The limit of requests at once at the end of the sample.
        seconds: The time for all rows at this rate; None if it is not known.
        size: The bytes of the whole output; None if it is not known.
    """

    rows: int | None
    faulty: dict[str, int] | None
    sampled: int
    written: int
    failed: int
    reasons: dict[str, int]
    sampling: float
    rate: float
    latency: float
    concurrency: int
    seconds: float | None
    size: int | None

    @classmethod
    def of(cls, stats: Stats, reasons: dict[str, int], sampling: float, size: int) -> Estimate:
        """Return the estimate of a sample, not yet extrapolated."""
        return cls(
            rows=None,
            faulty=None,
            sampled=stats.settled,
            written=stats.written,
            failed=stats.failed,
            reasons=reasons,
            sampling=sampling,
            rate=stats.written / sampling,
            latency=stats.latency,
            concurrency=stats.limit,
            seconds=None,
            size=size,
        )


async def estimate(
    ml: Client,
    source: Source,
    sink_in: Callable[[Path], Sink],
    *,
    rows: int = 1_000,
    seconds: float = 10.0,
    model: Spec | str,
    progress: Progressing = False,
    **how: Any,
) -> Estimate:
    """Estimate a job: embed a sample of the source as ``ml.ingest`` would, and count its rows.

    Args:
        ml: The session.
        source: The source; it is read up to three times, unless it can be read only once.
        sink_in: Makes the sink in a temporary folder, which a DryRunIndexSink does not use.
        rows: The rows of the sample.
        seconds: About how long the sample may take.
        model: The model, as for ``ml.ingest``.
        progress: As for ``ml.ingest``: of the sample, and of the counting of rows.
        **how: The other options of ``ml.ingest``.

    Raises:
        Exception: As ``ml.ingest`` does.
    """
    options = JobOptions(**how)
    # Split before the sample is taken, for it is documents that are counted and extrapolated.
    source = options.chunked(source)
    trial = _Trial(ml, sink_in, seconds, model, attrs.evolve(options, chunk=None))
    read_twice = not await anyio.to_thread.run_sync(once_only, source)
    async with telling(progress, Progress(phase=Phase.CHECKING, name=redacted(source.name))) as tell:
        async with anyio.TemporaryDirectory(prefix="aiomlcommons-") as folder:
            if read_twice:
                # Warm up, so that one-time costs, those of the server too, are not extrapolated.
                await trial(Head(source, 1), Path(folder, "first"), Logging())
            sample = Head(source, rows)
            found = await trial(sample, Path(folder, "sample"), tell)
        total, faulty = sample.count_read if sample.exhausted else await source.count(), None
        if total is None and read_twice:
            total, faulty = await _read_through(source, options.checker(), tell)
    return _extrapolated(attrs.evolve(found, rows=total, faulty=faulty))


def _extrapolated(found: Estimate) -> Estimate:
    """Extrapolate time and bytes to all rows; None if the sample has no written document or the total is unknown."""
    if found.rows is None or found.size is None or not found.written:
        return attrs.evolve(found, seconds=None, size=None)
    share = found.rows / found.sampled
    return attrs.evolve(found, seconds=found.sampling * share, size=round(found.size * share))


@attrs.frozen
class _Trial:
    """Embeds samples as ``ml.ingest`` would, each for about ``seconds``."""

    ml: Client
    sink_in: Callable[[Path], Sink]
    seconds: float
    model: Spec | str
    options: JobOptions

    async def __call__(self, sample: Head, folder: Path, tell: Teller) -> Estimate:
        """Embed a sample; return its estimate."""
        out, dead = folder / "out", folder / "dead.jsonl"
        await anyio.to_thread.run_sync(lambda: out.mkdir(parents=True))
        sink, options = self.sink_in(out), attrs.evolve(self.options, dead_letters=dead)
        async with start_job(self.ml, sample, model=self.model, sink=sink, options=options) as job:
            tell(job.progress("a sample"))
            tell.watch(partial(job.progress, "a sample"))
            await self._enough(job)
            sampling, in_time = sample.seconds, job.stats.settled
        # Batches that were in flight when the time was up are finished on leaving: scale the time up to them.
        sampling *= job.stats.settled / in_time if in_time else 1
        size = await anyio.to_thread.run_sync(_size, out, sink)
        reasons = await anyio.to_thread.run_sync(lambda: by_reason(read_dead_letters(dead)) if job.stats.failed else {})
        return Estimate.of(job.stats, reasons, sampling, size)

    async def _enough(self, job: Job) -> None:
        """Wait for the end of the job, or until the time is up and some row is settled. Raises the error of the job."""
        while job.stats.seconds < self.seconds or not job.stats.settled:
            with anyio.move_on_after(LOOK_EVERY):
                await job
                return


@attrs.define
class Head(WrappedSource):
    """A source of at most the first ``most`` rows of another one; ``exhausted`` is set if that has no more.

    ``seconds`` counts from the start of the reading, because the time to start a job does not grow with the rows.
    """

    source: Source
    most: int
    exhausted: bool = False
    count_read: int = 0
    begun: float = attrs.field(factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds since the reading began."""
        return max(time.monotonic() - self.begun, 1e-9)

    def with_stall_timeout(self, seconds: float) -> Head:
        """Give the source this stall timeout; return the same object, which the dry run looks at afterwards."""
        self.source = with_stall_timeout(self.source, seconds)
        return self

    async def count(self) -> int | None:
        """Return an upper bound of the number of rows."""
        known = await self.source.count()
        return self.most if known is None else min(known, self.most)

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the rows. Raises as the source does."""
        self.begun, self.count_read = time.monotonic(), 0
        async with aclosing(self.source.read(position, start)) as reading:
            async for rows in reading:
                first = rows.rows[: self.most - self.count_read]
                self.count_read += len(first)
                yield attrs.evolve(rows, rows=first)
                if self.count_read == self.most:
                    return
        self.exhausted = True


def _size(folder: Path, sink: Sink) -> int:
    in_files = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return in_files + (sink.sent if isinstance(sink, DryRunIndexSink) else 0)


async def _read_through(source: Source, check: RowChecker, tell: Teller) -> tuple[int, dict[str, int]]:
    """Count the rows of a source, and those of them that are not documents, by reason."""
    total, found = 0, Counter[str]()

    def failing(rows: Rows) -> list[DeadLetter]:
        checked = (check(number, row) for number, row in enumerate(rows.rows, rows.start))
        return [DeadLetter(one.number, one.id or None, one.why, one.row) for one in checked if one.why]

    async with aclosing(source.read()) as reading:
        async for rows in reading:
            found.update(by_reason(await anyio.to_thread.run_sync(failing, rows)))
            total += len(rows.rows)
            tell(Progress(phase=Phase.READING, name=redacted(source.name), done=total, unit="rows"))
    return total, dict(found.most_common())
