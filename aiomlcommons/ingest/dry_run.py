"""What a job would take: measured on the first rows of its source, and reckoned up for all of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import attrs

from aiomlcommons.ingest.job import Job
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.rows.checking import RowChecker
from aiomlcommons.ingest.sinks.index_dry_run import IndexRehearsal
from aiomlcommons.ingest.sources import once_only
from aiomlcommons.ingest.start import start_job
from aiomlcommons.ingest.state.dead_letters import DeadLetter, by_reason, read_dead_letters
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Rows, Sink, Source
from aiomlcommons.lifecycle.spec import Spec

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# How often a job is looked at that has not dealt with a single row yet.
LOOK_EVERY = 0.5


@attrs.frozen(kw_only=True)
class Estimate:
    """What a job would take.

    The source has ``rows``, None where it cannot be read twice. Of these ``faulty`` are no documents, by reason: not
    readable, or without a usable text or id; None where the rows are known without reading them.

    The first ``sampled`` rows took ``sampling`` seconds: ``written`` documents at ``rate`` a second, with up to
    ``concurrency`` requests at once of ``latency`` seconds each; ``failed`` would be dead letters, for ``reasons``.
    At that rate all rows take ``seconds`` and fill ``size`` bytes; None where there is nothing to go by.
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
        """The estimate of a sample alone."""
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
    client: Client,
    source: Source,
    sink_in: Callable[[Path], Sink],
    *,
    rows: int = 1_000,
    seconds: float = 10.0,
    model: Spec | str,
    watched: Callable[[Stats], None] = lambda _: None,
    counted: Callable[[int], None] = lambda _: None,
    **how: Any,
) -> Estimate:
    """Embed the first ``rows`` of a source, for about ``seconds``, as ``ml.ingest`` would with these arguments.

    ``sink_in`` makes the sink, in a folder that is removed afterwards; an IndexRehearsal needs none. ``watched`` hears
    how far the sample is, ``counted`` how many rows of the source are read. Raises as ``ml.ingest`` does.
    """
    options = JobOptions(**how)
    trial = _Trial(client, sink_in, seconds, model, options)
    read_twice = not await anyio.to_thread.run_sync(once_only, source)
    async with anyio.TemporaryDirectory(prefix="aiomlcommons-") as folder:
        if read_twice:
            # What is done once in a job, by the server too, must not count for every row.
            await trial(Head(source, 1), Path(folder, "first"))
        sample = Head(source, rows)
        found = await trial(sample, Path(folder, "sample"), watched)
    total, faulty = sample.count_read if sample.whole else await source.count(), None
    if total is None and read_twice:
        total, faulty = await _read_through(source, options.checker(), counted)
    return _reckoned(attrs.evolve(found, rows=total, faulty=faulty))


def _reckoned(found: Estimate) -> Estimate:
    """With time and bytes for all rows, where a sample has anything to go by."""
    if found.rows is None or found.size is None or not found.written:
        return attrs.evolve(found, seconds=None, size=None)
    share = found.rows / found.sampled
    return attrs.evolve(found, seconds=found.sampling * share, size=round(found.size * share))


@attrs.frozen
class _Trial:
    """Embeds samples, for at most so many ``seconds`` each, as ``ml.ingest`` would."""

    client: Client
    sink_in: Callable[[Path], Sink]
    seconds: float
    model: Spec | str
    options: JobOptions

    async def __call__(self, sample: Head, folder: Path, watched: Callable[[Stats], None] = lambda _: None) -> Estimate:
        """What a sample took, and what it fills."""
        out, dead = folder / "out", folder / "dead.jsonl"
        await anyio.to_thread.run_sync(lambda: out.mkdir(parents=True))
        sink, options = self.sink_in(out), attrs.evolve(self.options, dead_letters=dead)
        async with start_job(self.client, sample, model=self.model, sink=sink, options=options) as job:
            await self._enough(job, watched)
            sampling, in_time = sample.seconds, job.stats.settled
        # What was being written when the time was up is whole now, and counts as if it had had its time too.
        sampling *= job.stats.settled / in_time if in_time else 1
        size = await anyio.to_thread.run_sync(_size, out, sink)
        reasons = await anyio.to_thread.run_sync(lambda: by_reason(read_dead_letters(dead)) if job.stats.failed else {})
        return Estimate.of(job.stats, reasons, sampling, size)

    async def _enough(self, job: Job, watched: Callable[[Stats], None]) -> None:
        """Wait for the job's end, or so long, but until something is dealt with. Raises what ended the job."""
        while job.stats.seconds < self.seconds or not job.stats.settled:
            with anyio.move_on_after(LOOK_EVERY):
                await job
                return
            watched(job.stats)


@attrs.define
class Head:
    """The first rows of a source, at ``most`` so many: ``count_read``; ``whole`` says that it was read to its end.

    ``seconds`` counts from the first row: what a job needs to begin is the same for many rows as for few.
    """

    source: Source
    most: int
    whole: bool = False
    count_read: int = 0
    begun: float = attrs.field(factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the reading began."""
        return max(time.monotonic() - self.begun, 1e-9)

    @property
    def name(self) -> str:
        """That of the source."""
        return self.source.name

    async def count(self) -> int | None:
        """How many rows it has at most."""
        known = await self.source.count()
        return self.most if known is None else min(known, self.most)

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """The rows. Raises as the source does."""
        self.begun, self.count_read = time.monotonic(), 0
        async with aclosing(self.source.read(position, start)) as reading:
            async for rows in reading:
                first = rows.rows[: self.most - self.count_read]
                self.count_read += len(first)
                yield attrs.evolve(rows, rows=first)
                if self.count_read == self.most:
                    return
        self.whole = True


def _size(folder: Path, sink: Sink) -> int:
    kept = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return kept + (sink.sent if isinstance(sink, IndexRehearsal) else 0)


async def _read_through(
    source: Source, check: RowChecker, counted: Callable[[int], None]
) -> tuple[int, dict[str, int]]:
    """How many rows a source has, and how many of them are no documents, by reason."""
    total, found = 0, Counter[str]()

    def judged(rows: Rows) -> list[DeadLetter]:
        checked = (check(number, row) for number, row in enumerate(rows.rows, rows.start))
        return [DeadLetter(one.number, one.id or None, one.why, one.row) for one in checked if one.why]

    async with aclosing(source.read()) as reading:
        async for rows in reading:
            found.update(by_reason(await anyio.to_thread.run_sync(judged, rows)))
            total += len(rows.rows)
            counted(total)
    return total, dict(found.most_common())
