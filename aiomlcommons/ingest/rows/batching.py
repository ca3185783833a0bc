"""Batching: fill batches with valid rows; set invalid, duplicate and unchanged ones aside as settled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import attrs

from aiomlcommons.ingest.rows.batch_size import BatchSize, size_of
from aiomlcommons.ingest.rows.checking import CheckedRow, RowChecker
from aiomlcommons.ingest.rows.tracking import Tracker
from aiomlcommons.ingest.state.dead_letters import DeadLetter
from aiomlcommons.ingest.types import Refused, Row, Rows

# Answers a yes-or-no question for many documents at once.
BatchPredicate: TypeAlias = Callable[[list[CheckedRow]], list[bool]]
# Returns what a sink cannot hold, of documents given as ids and rows.
Screen: TypeAlias = Callable[[Sequence[str], Sequence[Row]], Sequence[Refused]]
# Bounds the settled rows that a batch carries, as a multiple of its documents: they take memory too.
SETTLED = 16


@attrs.define(eq=False)
class Batch:
    """Documents that are embedded together, and the rows read with them that need no embedding.

    ``numbers`` are the row numbers of the documents, ``settled`` those of the other rows. Of these, the failed ones are
    in ``dead_letters``; ``deduplicated`` and ``skipped`` count the rest.
    """

    index: int = 0
    numbers: list[int] = attrs.field(factory=list)
    ids: list[str] = attrs.field(factory=list)
    rows: list[Row] = attrs.field(factory=list)
    texts: list[str] = attrs.field(factory=list)
    settled: list[int] = attrs.field(factory=list)
    dead_letters: list[DeadLetter] = attrs.field(factory=list)
    deduplicated: int = 0
    skipped: int = 0
    size: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, chosen: Iterable[int]) -> Batch:
        """Return a batch of some of the documents, without the settled rows."""
        indices = list(chosen)
        columns = (self.numbers, self.ids, self.rows, self.texts)
        return Batch(self.index, *([column[i] for i in indices] for column in columns))  # type: ignore[arg-type]

    def fail(self, position: int, why: str) -> DeadLetter:
        """Return the dead letter of a document that cannot be embedded or written."""
        return DeadLetter(self.numbers[position], self.ids[position], why, self.rows[position])


@attrs.define
class Batcher:
    """Fills batches with rows, up to the size limit ``sizes``.

    ``seen`` tells which documents have an id that an earlier row of the job had, ``unchanged`` which were written
    before with the same text, and ``refused`` which of the others the sink cannot hold. With ``alike`` above 1, so many
    batches are filled together and then sorted by text length (length bucketing), because a model takes as long for
    each text of a batch as for the longest.
    """

    check: RowChecker
    tracker: Tracker
    sizes: BatchSize
    seen: BatchPredicate
    unchanged: BatchPredicate | None = None
    alike: int = 1
    refused: Screen | None = None
    _pending: Batch = attrs.field(factory=Batch)
    _made: int = 0

    def add(self, rows: Rows) -> list[Batch]:
        """Add rows; return the batches that are full."""
        full: list[Batch] = []
        numbered = enumerate(rows.rows, rows.start)
        checked = [self.check(number, row) for number, row in numbered if number not in self.tracker]
        valid = [row for row in checked if not row.why]
        duplicates = _matching(self.seen, valid)
        unchanged = _matching(self.unchanged, [row for row in valid if row.number not in duplicates])
        for row in self._screened(checked, duplicates | unchanged):
            if row.why or row.number in duplicates or row.number in unchanged:
                self._settle(row, skipped=row.number in unchanged)
            else:
                full += self._append(row)
            if self._full:
                full += self.flush()
        return full

    def _screened(self, checked: list[CheckedRow], settled: set[int]) -> list[CheckedRow]:
        """Return the rows, those that the sink refuses with its reason."""
        wanted = [i for i, row in enumerate(checked) if not row.why and row.number not in settled]
        if self.refused is None or not wanted:
            return checked
        documents = [checked[i] for i in wanted]
        for one in self.refused([row.id for row in documents], [row.row for row in documents]):  # type: ignore[misc]
            checked[wanted[one.index]] = attrs.evolve(documents[one.index], why=one.why)
        return checked

    def flush(self) -> list[Batch]:
        """Return the pending batches, although they are not full."""
        pool, self._pending = self._pending, Batch()
        batches = self._cut(pool) if self.alike > 1 else [pool]
        for batch in batches:
            batch.index, self._made = self._made, self._made + 1
        return batches

    @property
    def pending(self) -> bool:
        """Whether a batch is pending, with documents or settled rows."""
        return bool(self._pending.numbers or self._pending.settled)

    @property
    def _full(self) -> bool:
        batch, count = self._pending, self.sizes.count * self.alike
        many = len(batch) >= count or len(batch.settled) >= count * SETTLED
        return many or batch.size >= self.sizes.most_bytes * self.alike

    def _cut(self, pool: Batch) -> list[Batch]:
        order = sorted(range(len(pool)), key=lambda i: len(pool.texts[i]))
        texts = [pool.texts[i] for i in order]
        batches = [pool.part(order[part]) for part in self.sizes.parts(texts)] or [Batch()]
        first = batches[0]
        first.settled, first.dead_letters = pool.settled, pool.dead_letters
        first.deduplicated, first.skipped = pool.deduplicated, pool.skipped
        return batches

    def _settle(self, checked: CheckedRow, *, skipped: bool) -> None:
        self._pending.settled.append(checked.number)
        if checked.why:
            dead_letter = DeadLetter(checked.number, checked.id or None, checked.why, checked.row)
            self._pending.dead_letters.append(dead_letter)
        elif skipped:
            self._pending.skipped += 1
        else:
            self._pending.deduplicated += 1

    def _append(self, checked: CheckedRow) -> list[Batch]:
        """Append a document to the pending batch; if that lacks room for it, flush and return it first."""
        size = size_of(checked.text)
        no_room = self._pending.size and self._pending.size + size > self.sizes.most_bytes * self.alike
        full = self.flush() if no_room else []
        batch = self._pending
        batch.numbers.append(checked.number)
        batch.ids.append(checked.id)
        batch.rows.append(checked.row)  # type: ignore[arg-type]  # a BadRow has `why` and does not get here
        batch.texts.append(checked.text)
        batch.size += size
        return full


def _matching(predicate: BatchPredicate | None, documents: list[CheckedRow]) -> set[int]:
    """Return the row numbers of the documents for which the predicate holds."""
    if predicate is None or not documents:
        return set()
    return {one.number for one, holds in zip(documents, predicate(documents), strict=True) if holds}
