"""Batching: fill batches with valid rows; set invalid, duplicate and unchanged ones aside as settled."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any, TypeAlias

import attrs

from aiomlcommons.ingest.rows.batch_size import BatchSize
from aiomlcommons.ingest.rows.checked_rows import CheckedRows, check_rows
from aiomlcommons.ingest.rows.checking import RowChecker
from aiomlcommons.ingest.rows.tracking import Tracker
from aiomlcommons.ingest.state.dead_letters import DeadLetter
from aiomlcommons.ingest.types import ColumnarRows, Refused, Row, Rows

# Returns the indices of those rows for which something holds.
RowPredicate: TypeAlias = Callable[[CheckedRows], Sequence[int]]
# Returns what a sink cannot hold, of documents given as ids and rows.
Screen: TypeAlias = Callable[[Sequence[str], Sequence[Row]], Sequence[Refused]]
# Bounds the settled rows that a batch carries, as a multiple of its documents: they take memory too.
SETTLED = 16
# Why a row is set aside that is no dead letter.
DUPLICATE, UNCHANGED = "duplicate", "unchanged"
# By the number of the row.
Aside: TypeAlias = "dict[int, DeadLetter | str]"


@attrs.define(eq=False)
class Batch:
    """Documents that are embedded together, and the rows read with them that need no embedding.

    ``numbers`` are the row numbers of the documents, ``settled`` those of the other rows. Of these, the failed ones are
    in ``dead_letters``; ``deduplicated`` and ``skipped`` count the rest.
    """

    index: int = 0
    numbers: Sequence[int] = attrs.field(factory=list)
    ids: list[str] = attrs.field(factory=list)
    rows: Sequence[Row] = attrs.field(factory=list)
    texts: list[str] = attrs.field(factory=list)
    settled: list[int] = attrs.field(factory=list)
    dead_letters: list[DeadLetter] = attrs.field(factory=list)
    deduplicated: int = 0
    skipped: int = 0
    size: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def append(self, documents: CheckedRows, begin: int, end: int) -> None:
        """Append some of the documents."""
        numbers, rows = documents.numbers[begin:end], documents.rows[begin:end]
        if self.ids:
            self.numbers, self.rows = _joined(self.numbers, numbers), _joined(self.rows, rows)
        else:
            self.numbers, self.rows = numbers, rows
        self.ids += documents.ids[begin:end]
        self.texts += documents.texts[begin:end]
        self.size += sum(documents.sizes[begin:end])

    def part(self, chosen: Iterable[int]) -> Batch:
        """Return a batch of some of the documents, without the settled rows."""
        indices = list(chosen)
        numbers, ids, texts = ([column[i] for i in indices] for column in (self.numbers, self.ids, self.texts))
        rows = self.rows
        taken = rows.take(indices) if isinstance(rows, ColumnarRows) else [rows[i] for i in indices]
        return Batch(self.index, numbers, ids, taken, texts)  # type: ignore[arg-type]  # each column has its type

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
    seen: RowPredicate
    unchanged: RowPredicate | None = None
    alike: int = 1
    refused: Screen | None = None
    _pending: Batch = attrs.field(factory=Batch)
    _made: int = 0

    def add(self, rows: Rows) -> list[Batch]:
        """Add rows; return the batches that are full."""
        numbers = self.tracker.unsettled(rows.start, rows.start + len(rows.rows))
        documents = check_rows(self.check, rows, numbers)
        aside: Aside = {
            one.number: DeadLetter(one.number, one.id or None, one.why, one.row) for one in documents.faulty
        }
        for predicate, why in ((self.seen, DUPLICATE), (self.unchanged, UNCHANGED)):
            if predicate is not None and documents and (found := predicate(documents)):
                aside |= dict.fromkeys((documents.numbers[i] for i in found), why)
                documents = documents.without(found)
        if self.refused is not None and documents and (refused := self.refused(documents.ids, documents.rows)):
            for i, why in {one.index: one.why for one in refused}.items():
                aside[documents.numbers[i]] = DeadLetter(documents.numbers[i], documents.ids[i], why, documents.rows[i])
            documents = documents.without([one.index for one in refused])
        return self._fill(documents, aside)

    def _fill(self, documents: CheckedRows, aside: Aside) -> list[Batch]:
        """Append all rows in their order, and return the batches that are full."""
        full: list[Batch] = []
        begin = 0
        for number in sorted(aside):
            end = bisect_left(documents.numbers, number)
            full += self._append(documents, begin, end)
            begin = end
            self._settle(number, aside[number])
            full += self.flush() if self._full else ()
        return full + self._append(documents, begin, len(documents))

    def _append(self, documents: CheckedRows, begin: int, end: int) -> list[Batch]:
        """Append documents to the pending batch; flush it when it is full, or lacks room for the next one."""
        full: list[Batch] = []
        while begin < end:
            room = max(1, self.sizes.count * self.alike - len(self._pending))
            stop = self._within_bytes(documents.sizes, begin, min(end, begin + room))
            if stop > begin:
                self._pending.append(documents, begin, stop)
            if stop == begin or self._full:
                full += self.flush()
            begin = stop
        return full

    def _within_bytes(self, sizes: list[int], begin: int, end: int) -> int:
        """Return up to where documents fit into the pending batch; the first one fits into an empty one."""
        room = self.sizes.most_bytes * self.alike - self._pending.size
        if sum(sizes[begin:end]) <= room:
            return end
        fitting = bisect_right(list(accumulate(sizes[begin:end])), room)
        return begin + (fitting if self._pending.ids else max(1, fitting))

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
        return bool(self._pending.ids or self._pending.settled)

    @property
    def _full(self) -> bool:
        batch, count = self._pending, self.sizes.count * self.alike
        many = len(batch) >= count or len(batch.settled) >= count * SETTLED
        return many or batch.size >= self.sizes.most_bytes * self.alike

    def _cut(self, pool: Batch) -> list[Batch]:
        order = sorted(range(len(pool)), key=list(map(len, pool.texts)).__getitem__)
        texts = [pool.texts[i] for i in order]
        parts = list(self.sizes.parts(texts))
        # Long and short ones in turn, lest the concurrency limiter take a run of long ones for a queue.
        batches = [pool.part(order[parts[i]]) for i in scattered(len(parts))] or [Batch()]
        first = batches[0]
        first.settled, first.dead_letters = pool.settled, pool.dead_letters
        first.deduplicated, first.skipped = pool.deduplicated, pool.skipped
        return batches

    def _settle(self, number: int, why: DeadLetter | str) -> None:
        self._pending.settled.append(number)
        if isinstance(why, DeadLetter):
            self._pending.dead_letters.append(why)
        elif why == UNCHANGED:
            self._pending.skipped += 1
        else:
            self._pending.deduplicated += 1


def scattered(count: int) -> list[int]:
    """Return the numbers below ``count`` in an order in which neighbours are far apart (bit reversal)."""
    width = (count - 1).bit_length()
    return sorted(range(count), key=lambda number: int(f"{number:0{width}b}"[::-1], 2))


def _joined(first: Any, second: Any) -> Any:
    """Return two sequences as one: ranges that follow each other stay a range, and rows stay columns."""
    if isinstance(first, range) or isinstance(second, range):
        adjoining = isinstance(first, range) and isinstance(second, range) and first.stop == second.start
        return range(first.start, second.stop) if adjoining else [*first, *second]
    if isinstance(first, list):
        first += second  # in place, lest rows that come one by one be copied each time
        return first
    return first + second
