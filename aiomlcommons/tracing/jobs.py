"""The counters of bulk jobs, which are kept up to date while they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiomlcommons.tracing.telemetry import telemetry

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter

OUTCOMES = ("written", "deduplicated", "skipped", "failed")


class JobCounters:
    """Adds to the counters what the counts of a job have grown by: ``sink`` is its kind, ``counts`` what it begins at.

    Args:
        sink: The kind of the job's sink.
        counts: The counts of the job so far: those of the run that it resumes are counted already.
    """

    def __init__(self, sink: str, counts: Mapping[str, int]) -> None:
        self._found, self._sink, self._counts = telemetry(), sink, dict(counts)

    def __call__(self, counts: Mapping[str, int]) -> None:
        """Count what was added since the last call."""
        if self._found is None:
            return
        added = {name: count - self._counts[name] for name, count in counts.items()}
        self._counts = dict(counts)
        self._add(self._found.documents_read, added["read"])
        self._add(self._found.requests_retried, added["retried"])
        for outcome in OUTCOMES:
            self._add(self._found.documents_settled, added[outcome], outcome)

    def _add(self, counter: Counter, number: int, outcome: str | None = None) -> None:
        if number > 0:
            told = {} if outcome is None else {"aiomlcommons.ingest.outcome": outcome}
            counter.add(number, {"aiomlcommons.ingest.sink": self._sink, **told})
