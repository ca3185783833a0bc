"""The accounts of a job."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aiomlcommons.ingest.paths import printable

# How much one answer changes the latency that is shown.
SMOOTHING = 0.1
COUNTS = ("read", "written", "deduplicated", "skipped", "failed", "embedded", "reused", "retried", "requests")


@attrs.define
class Stats:
    """What a job has done so far; every row that was read is in the end written, deduplicated, skipped or failed.

    ``embedded`` counts texts that the model was asked for, ``reused`` documents that got another one's vector
    because their text is the same, ``retried`` requests that were sent again, ``requests`` all of them.
    ``in_flight`` requests are under way, of ``limit``. ``latency`` is how many seconds recent ones took, smoothed.
    ``total`` is the number of rows where the source knows it, or else, ``about``, what is to be expected.
    ``seconds`` counts from this run's start, and so do the rates.
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

    def __attrs_post_init__(self) -> None:
        self.started = self.clock()

    def resume(self, counts: Mapping[str, int]) -> None:
        """Go on with the accounts of an earlier run."""
        for name in COUNTS:
            setattr(self, name, counts.get(name, 0))
        self.before = self.settled

    def answered(self, seconds: float) -> None:
        """A request was answered after so long."""
        self.latency += (seconds - self.latency) * SMOOTHING if self.latency else seconds

    def expect(self, rows: int, share: float) -> None:
        """So many rows are that share of all."""
        if self.total is None or self.about:
            self.total, self.about = round(rows / share), True

    @property
    def done(self) -> str:
        """How many rows are dealt with, of how many, for people."""
        of = f" of {'about ' if self.about else ''}{self.total:,}" if self.total else ""
        return f"{self.settled:,}{of} documents"

    @property
    def counts(self) -> dict[str, int]:
        """The counts by name, as a checkpoint keeps them."""
        return {name: getattr(self, name) for name in COUNTS}

    @property
    def settled(self) -> int:
        """Rows that are dealt with."""
        return self.written + self.deduplicated + self.skipped + self.failed

    @property
    def seconds(self) -> float:
        """Since this run's start."""
        return self.clock() - self.started

    @property
    def rate(self) -> float:
        """Rows dealt with each second, in this run."""
        return (self.settled - self.before) / max(self.seconds, 1e-9)

    @property
    def eta(self) -> float | None:
        """Seconds to the end at this rate, where the number of rows is known or to be expected."""
        if self.total is None or not self.rate:
            return None
        return max(0.0, self.total - self.settled) / self.rate

    def __str__(self) -> str:
        parts = [self.done, f"{self.rate:,.0f}/s", f"{self.in_flight} of {self.limit} requests under way"]
        parts += [f"{self.latency * 1000:,.0f} ms each"] if self.latency else []
        parts += [f"{getattr(self, name):,} {name}" for name in ("retried", "failed") if getattr(self, name)]
        if self.eta is not None and math.isfinite(self.eta):
            parts.append(f"{self.eta:,.0f} s to go")
        return ", ".join(parts)


@attrs.frozen(kw_only=True)
class Report:
    """What came of a job: its accounts, how long it took, and where the documents are that failed."""

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

    @classmethod
    def of(cls, stats: Stats, dead_letters: Any) -> Report:
        """The report of a job that is at its end."""
        where = printable(dead_letters) if stats.failed and dead_letters else None
        return cls(**stats.counts, seconds=stats.seconds, dead_letters=where)

    @property
    def balanced(self) -> bool:
        """Whether every row that was read is accounted for."""
        return self.read == self.written + self.deduplicated + self.skipped + self.failed

    def __str__(self) -> str:
        words = f"{self.read:,} read = {self.written:,} written + {self.deduplicated:,} deduplicated + "
        words += f"{self.skipped:,} skipped + {self.failed:,} failed; {self.seconds:.1f} s"
        return words + (f"; the failed ones are in {self.dead_letters}" if self.dead_letters else "")
