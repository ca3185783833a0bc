"""The counters and rates of a job, and its final report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs

from aiomlcommons.display.brief import Part
from aiomlcommons.display.json_data import plain
from aiomlcommons.display.shown import Readable, Shown
from aiomlcommons.ingest.paths import printable
from aiomlcommons.progress.event import Phase, Progress

# The weight of one response in the moving average of the latency.
SMOOTHING = 0.1
COUNTS = ("read", "written", "deduplicated", "skipped", "failed", "embedded", "reused", "retried", "requests")
TIMES = ("seconds", "rate", "eta")
LIVE = ("in_flight", "limit", "latency", "total", "about", *TIMES)


@attrs.define(repr=False)
class Stats(Shown):
    """The live statistics of a job. Each row that is read ends as written, deduplicated, skipped or failed.

    ``embedded`` counts texts that the model embedded, ``reused`` documents that got the vector of an equal text,
    ``retried`` requests that were sent again, and ``requests`` all requests. ``in_flight`` requests are running, and
    ``limit`` is the concurrency limit. ``latency`` is the smoothed latency of requests in seconds. ``total`` is the
    number of rows if the source knows it, or an estimate if ``about`` is set. ``seconds`` and ``rate`` count from the
    start of this run.
    """

    read: int = 0
    written: int = 0
    deduplicated: int = 0
    skipped: int = 0
    failed: int = 0
    embedded: int = 0
    reused: int = 0
    retried: int = 0
    requests: int = 0
    in_flight: int = 0
    limit: int = 0
    latency: float = 0.0
    total: int | None = None
    about: bool = False
    clock: Callable[[], float] = attrs.field(default=time.monotonic, repr=False)
    started: float = attrs.field(init=False, repr=False)
    before: int = attrs.field(init=False, default=0, repr=False)
    _pauses: dict[object, str] = attrs.field(init=False, factory=dict, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        self.started = self.clock()

    def resume(self, counts: Mapping[str, int]) -> None:
        """Restore the counters of an earlier run."""
        for name in COUNTS:
            setattr(self, name, counts.get(name, 0))
        self.before = self.settled

    def answered(self, seconds: float) -> None:
        """Record the latency of a request."""
        self.latency += (seconds - self.latency) * SMOOTHING if self.latency else seconds

    def expect(self, rows: int, share: float) -> None:
        """Estimate the total from the fraction of the source that these rows are, unless the total is known."""
        if self.total is None or self.about:
            self.total, self.about = round(rows / share), True

    def to_dict(self) -> dict[str, Any]:
        """Return the statistics of this moment as JSON data, with ``seconds``, ``rate`` and ``eta``."""
        now = {name: getattr(self, name) for name in (*COUNTS, *LIVE)}
        return {name: plain(value) for name, value in now.items() if value is not None}

    def _parts(self) -> Iterable[Part]:
        return [*super()._parts(), *(Part(name, value) for name in TIMES if (value := getattr(self, name)) is not None)]

    @property
    def done(self) -> str:
        """The progress as text: ``200 of 1,000 documents``."""
        return self.progress("").counted

    @contextmanager
    def pausing(self, why: str) -> Iterator[None]:
        """Note why a request waits, for as long as it does."""
        key = object()
        self._pauses[key] = why
        try:
            yield
        finally:
            del self._pauses[key]

    @property
    def waiting(self) -> str:
        """How many requests pause, and why the last one of them does; empty if none does."""
        if not self._pauses:
            return ""
        *_, last = self._pauses.values()
        return f"{len(self._pauses):,} {'request pauses' if len(self._pauses) == 1 else 'requests pause'}: {last}"

    def progress(self, name: str, words: str = "") -> Progress:
        """Return the state as an event, which does not change any more."""
        return Progress(
            phase=Phase.EMBEDDING,
            name=name,
            words=words or self.waiting,
            done=self.settled,
            total=self.total,
            about=self.about,
            unit="documents",
            seconds=self.seconds,
            rate=self.rate,
            eta=self.eta,
            counts=self.counts,
            in_flight=self.in_flight,
            limit=self.limit,
            latency=self.latency or None,
        )

    @property
    def counts(self) -> dict[str, int]:
        """The counters by name, as a checkpoint keeps them."""
        return {name: getattr(self, name) for name in COUNTS}

    @property
    def settled(self) -> int:
        """Rows that are settled: written, deduplicated, skipped or failed."""
        return self.written + self.deduplicated + self.skipped + self.failed

    @property
    def seconds(self) -> float:
        """Seconds since the start of this run."""
        return self.clock() - self.started

    @property
    def rate(self) -> float:
        """Rows settled per second, in this run."""
        return (self.settled - self.before) / max(self.seconds, 1e-9)

    @property
    def eta(self) -> float | None:
        """Seconds left at this rate, or None if the number of rows is not known."""
        if self.total is None or not self.rate:
            return None
        return max(0.0, self.total - self.settled) / self.rate

    def __str__(self) -> str:
        return self.progress("").line


@attrs.frozen(kw_only=True, repr=False)
class Report(Readable):
    """The result of a job: its counters, its seconds, and the dead letter file if any document failed.

    ``ids`` is the file with the rows and ids of the vectors, if the sink is a ``.npy`` file.
    """

    read: int
    written: int
    deduplicated: int
    skipped: int
    failed: int
    embedded: int
    reused: int
    retried: int
    requests: int
    seconds: float
    dead_letters: str | None = None
    ids: str | None = None

    @classmethod
    def of(cls, stats: Stats, dead_letters: Any, ids: Any = None) -> Report:
        """Build the report of a finished job."""
        where = printable(dead_letters) if stats.failed and dead_letters else None
        named = None if ids is None else printable(ids)
        return cls(**stats.counts, seconds=stats.seconds, dead_letters=where, ids=named)

    @property
    def balanced(self) -> bool:
        """Whether each row that was read is settled once."""
        return self.read == self.written + self.deduplicated + self.skipped + self.failed

    def __str__(self) -> str:
        words = f"{self.read:,} read = {self.written:,} written + {self.deduplicated:,} deduplicated + "
        words += f"{self.skipped:,} skipped + {self.failed:,} failed; {self.seconds:.1f} s"
        words += f"; rows and ids of the vectors are in {self.ids}" if self.ids else ""
        return words + (f"; the failed ones are in {self.dead_letters}" if self.dead_letters else "")
