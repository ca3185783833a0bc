"""Failure limit: ends a job of which too much fails, as for a wrong setting, instead of reading on to the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import attrs

from aiomlcommons.ingest.errors import TooManyFailures
from aiomlcommons.ingest.state.dead_letters import DeadLetter, DeadLetters
from aiomlcommons.ingest.types import BadRow

# The rows that may not all fail for one reason, if no limit is given.
FIRST = 1_000
# Rows below which a share says little, unless they are all.
LEAST = 100
# Reasons that are counted: some hold a word of the document, so that there may be as many as rows.
REASONS = 1_000


@attrs.define
class FailureLimit:
    """Counts dead letters, and raises TooManyFailures, naming the most frequent reason and the file.

    ``most`` is a number, or a share of the settled rows. Without it the job ends if its first 1,000 rows from
    ``start`` on all fail for one reason; that they cannot be read is one.
    """

    file: DeadLetters
    most: float | None = None
    start: int = 0
    _reasons: Counter[str] = attrs.field(factory=Counter)
    _first: Counter[str] = attrs.field(factory=Counter)

    def add(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Count dead letters of this run."""
        for one in dead_letters:
            if one.reason in self._reasons or len(self._reasons) < REASONS:
                self._reasons[one.reason] += 1
            if self.most is None and one.row - self.start < FIRST:
                # A file of another format fails for as many reasons as it has kinds of lines.
                self._first["" if isinstance(one.document, BadRow) else one.reason] += 1

    def check(self, settled: int, failed: int, *, ended: bool = False) -> None:
        """Raise TooManyFailures if of the ``settled`` rows of the job too many ``failed``."""
        if self.most is None:
            exceeded = max(self._first.values(), default=0) >= FIRST
        elif 0 < self.most < 1:
            exceeded = failed > self.most * settled and (ended or settled >= LEAST)
        else:
            exceeded = failed > self.most
        if exceeded:
            raise TooManyFailures(self._words(settled, failed))

    def _words(self, settled: int, failed: int) -> str:
        limit = "all of the first" if self.most is None else f"more than max_failures={self.most:g}"
        words = f"{failed:,} of {settled:,} rows failed, {limit}"
        if self.most is None:
            words += f" {FIRST:,} for one reason"
        # A job that resumes may have failed rows of an earlier run alone.
        reason, count = next(iter(self._reasons.most_common(1)), ("", 0))
        why = f"; {count:,} of them for: {reason}" if count else ""
        return f"{words}{why}; they are in {self.file.path}. With a checkpoint the same call resumes the job"
