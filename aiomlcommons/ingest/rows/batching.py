"""Rows to batches of documents: what is wrong set aside, what is there already left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import attrs

from aiomlcommons.ingest.rows.batch_size import BatchSize, size_of
from aiomlcommons.ingest.rows.checking import CheckedRow, RowChecker
from aiomlcommons.ingest.rows.tracking import Tracker
from aiomlcommons.ingest.state.dead_letters import DeadLetter
from aiomlcommons.ingest.types import Row, Rows

Tells: TypeAlias = Callable[[list[CheckedRow]], list[bool]]
# A batch holds at most so many times as many rows that are no documents as documents: they take memory too.
SETTLED = 16


@attrs.define(eq=False)
class Batch:
    """Documents that are embedded together, and the rows between them that are none.

    ``numbers`` are the rows of the documents, ``settled`` those that need no embedding: ``letters`` say why some
    failed, of the others so many are ``deduplicated`` and ``skipped``.
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
        """Some of its documents, without what is settled."""
        at = list(chosen)
        lists = (self.numbers, self.ids, self.rows, self.texts)
        return Batch(self.index, *([found[i] for i in at] for found in lists))  # type: ignore[arg-type]

    def fail(self, position: int, why: str) -> DeadLetter:
        """The letter of a document that cannot be embedded or written."""
        return DeadLetter(self.numbers[position], self.ids[position], why, self.rows[position])


@attrs.define
class Batcher:
    """Fills batches with rows, as large as ``sizes`` says.

    ``seen`` tells of documents whether an earlier row of the job had their id, ``unchanged`` whether they were written
    before with the same text. With ``alike`` above 1, so many batches are filled together and then cut so that the
    texts of each are of like length: a model takes as long for all of a batch as for its longest text.
    """

    check: RowChecker
    tracker: Tracker
    sizes: BatchSize
    seen: Tells
    unchanged: Tells | None = None
    alike: int = 1
    _open: Batch = attrs.field(factory=Batch)
    _made: int = 0

    def add(self, rows: Rows) -> list[Batch]:
        """Take rows in; return the batches that are full."""
        full: list[Batch] = []
        numbered = enumerate(rows.rows, rows.start)
        checked = [self.check(number, row) for number, row in numbered if number not in self.tracker]
        good = [one for one in checked if not one.why]
        twice = _told(self.seen, good)
        same = _told(self.unchanged, [one for one in good if one.number not in twice])
        for one in checked:
            if one.why or one.number in twice or one.number in same:
                self._settle(one, skipped=one.number in same)
            else:
                full += self._take(one)
            if self._full:
                full += self.rest()
        return full

    def rest(self) -> list[Batch]:
        """The batches that are begun and not full yet."""
        pool, self._open = self._open, Batch()
        batches = self._cut(pool) if self.alike > 1 else [pool]
        for batch in batches:
            batch.index, self._made = self._made, self._made + 1
        return batches

    @property
    def waiting(self) -> bool:
        """Whether a batch is begun."""
        return bool(self._open.numbers or self._open.settled)

    @property
    def _full(self) -> bool:
        batch, count = self._open, self.sizes.count * self.alike
        enough = len(batch) >= count or len(batch.settled) >= count * SETTLED
        return enough or batch.size >= self.sizes.most_bytes * self.alike

    def _cut(self, pool: Batch) -> list[Batch]:
        order = sorted(range(len(pool)), key=lambda i: len(pool.texts[i]))
        texts = [pool.texts[i] for i in order]
        batches = [pool.part(order[part]) for part in self.sizes.parts(texts)] or [Batch()]
        first = batches[0]
        first.settled, first.dead_letters = pool.settled, pool.dead_letters
        first.deduplicated, first.skipped = pool.deduplicated, pool.skipped
        return batches

    def _settle(self, one: CheckedRow, *, skipped: bool) -> None:
        self._open.settled.append(one.number)
        if one.why:
            self._open.dead_letters.append(DeadLetter(one.number, one.id or None, one.why, one.row))
        elif skipped:
            self._open.skipped += 1
        else:
            self._open.deduplicated += 1

    def _take(self, one: CheckedRow) -> list[Batch]:
        """Put a document into the batch that is begun; return that one first where it has no room for it."""
        size = size_of(one.text)
        no_room = self._open.size and self._open.size + size > self.sizes.most_bytes * self.alike
        full = self.rest() if no_room else []
        batch = self._open
        batch.numbers.append(one.number)
        batch.ids.append(one.id)
        batch.rows.append(one.row)  # type: ignore[arg-type]  # a bad row says why it is none
        batch.texts.append(one.text)
        batch.size += size
        return full


def _told(tells: Tells | None, documents: list[CheckedRow]) -> set[int]:
    """The numbers of those rows of which it says yes."""
    if tells is None or not documents:
        return set()
    return {one.number for one, yes in zip(documents, tells(documents), strict=True) if yes}
