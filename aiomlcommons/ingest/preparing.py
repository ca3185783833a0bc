"""Rows to batches of documents: ids and texts found, what is wrong set aside, what is there already left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from aiomlcommons.ingest.dead_letter import Letter
from aiomlcommons.ingest.tracking import Tracker
from aiomlcommons.ingest.types import BadRow, Row, Rows

TextOf: TypeAlias = Callable[[Row], Any]
IdOf: TypeAlias = Callable[[Row, int], Any]
# A batch holds at most so many times as many rows that are no documents as documents: they take memory too.
SETTLED = 16


@attrs.define(eq=False)
class Batch:
    """Documents that are embedded together, and the rows between them that are none.

    ``numbers`` are the rows of the documents, ``settled`` those that need no embedding: ``letters`` say why some
    failed, the others are ``deduplicated``.
    """

    index: int = 0
    numbers: list[int] = attrs.field(factory=list)
    ids: list[str] = attrs.field(factory=list)
    rows: list[Row] = attrs.field(factory=list)
    texts: list[str] = attrs.field(factory=list)
    settled: list[int] = attrs.field(factory=list)
    letters: list[Letter] = attrs.field(factory=list)
    deduplicated: int = 0
    size: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, chosen: slice) -> Batch:
        """Some of its documents, without what is settled."""
        return Batch(self.index, self.numbers[chosen], self.ids[chosen], self.rows[chosen], self.texts[chosen])

    def fail(self, position: int, why: str) -> Letter:
        """The letter of a document that cannot be embedded or written."""
        return Letter(self.numbers[position], self.ids[position], why, self.rows[position])


@attrs.define
class Preparer:
    """Fills batches with rows, up to ``count`` documents and ``most_bytes`` of text (or one longer text) each.

    ``seen`` tells of ids with their rows whether an earlier row of the job had them.
    """

    text_of: TextOf
    id_of: IdOf
    tracker: Tracker
    seen: Callable[[list[tuple[str, int]]], list[bool]]
    count: int = 64
    most_bytes: int = 1_000_000
    longest: int | None = None
    _open: Batch = attrs.field(factory=Batch)
    _made: int = 0

    def add(self, rows: Rows) -> list[Batch]:
        """Take rows in; return the batches that are full."""
        full: list[Batch] = []
        fresh = [(rows.start + i, row) for i, row in enumerate(rows.rows) if rows.start + i not in self.tracker]
        checked = [(number, row, *self._read(number, row)) for number, row in fresh]
        duplicates = iter(self.seen([(key, number) for number, _, key, _, why in checked if not why]))
        for number, row, key, text, why in checked:
            if isinstance(row, BadRow) or why or next(duplicates):
                self._settle(number, row, key, why)
            else:
                size = len(text) if text.isascii() else len(text.encode())
                if self._open.size and self._open.size + size > self.most_bytes:
                    full.append(self.rest())
                self._take(number, row, key, text, size)
            if self._full:
                full.append(self.rest())
        return full

    def rest(self) -> Batch:
        """The batch that is not full yet; a new one is begun."""
        batch, self._open = self._open, Batch()
        batch.index, self._made = self._made, self._made + 1
        return batch

    @property
    def waiting(self) -> bool:
        """Whether a batch is begun."""
        return bool(self._open.numbers or self._open.settled)

    @property
    def _full(self) -> bool:
        batch = self._open
        enough = len(batch) >= self.count or len(batch.settled) >= self.count * SETTLED
        return enough or batch.size >= self.most_bytes

    def _read(self, number: int, row: Row | BadRow) -> tuple[str, str, str]:
        """Id, text, and what is wrong."""
        if isinstance(row, BadRow):
            return "", "", f"{row.where}: {row.why}"
        key = ""
        try:
            key = _id(self.id_of(row, number))
            return key, self._text(self.text_of(row)), ""
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # The words of a KeyError are the key alone.
            return key, "", repr(error) if isinstance(error, KeyError) else str(error) or repr(error)

    def _text(self, text: Any) -> str:
        if not isinstance(text, str):
            raise TypeError(f"its text must be a string, not {type(text).__name__}")
        if not text.strip():
            raise ValueError("its text is empty")
        if self.longest is not None and len(text) > self.longest:
            raise ValueError(f"its text has {len(text):,} characters, and {self.longest:,} are the limit")
        _check_unicode("text", text)
        return text

    def _settle(self, number: int, row: Row | BadRow, key: str, why: str) -> None:
        self._open.settled.append(number)
        if why:
            self._open.letters.append(Letter(number, key or None, why, row))
        else:
            self._open.deduplicated += 1

    def _take(self, number: int, row: Row, key: str, text: str, size: int) -> None:
        batch = self._open
        batch.numbers.append(number)
        batch.ids.append(key)
        batch.rows.append(row)
        batch.texts.append(text)
        batch.size += size


def _id(key: Any) -> str:
    if not isinstance(key, str | int) or isinstance(key, bool) or key == "":
        raise TypeError(f"its id must be text or a whole number, not {key!r}")
    _check_unicode("id", str(key))
    return str(key)


def _check_unicode(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"its {name} has half a character at {error.start}, which no request can hold") from None
