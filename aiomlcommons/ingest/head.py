"""The head of a source: whether its first rows have the fields that a job takes text and id from."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import Any

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.fields import TextFrom, has_value
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.rows.pipeline_texts import PipelineTexts, in_lists
from aiomlcommons.ingest.sources.traits import WrappedSource
from aiomlcommons.ingest.types import BadRow, Row, Rows, Source, TextRow
from aiomlcommons.spelling import did_you_mean, some_of

log = logging.getLogger("aiomlcommons")
# Rows that are looked at, if none of them has a field.
HEAD = 1_000
# Fields that an error lists.
LISTED = 30
# In place of an option that names the fields.
PIPELINE = "pipeline"


@attrs.define
class HeadCheck:
    """Looks for fields in the first rows, each of which must be in one of them. What a function reads is not known.

    ``missing`` are the fields that no row had yet, each with the option that names it. With ``text_default`` one field
    of a text is enough. ``numbers`` tells that the rows are numbered, ``bare`` that they are bare texts, which are
    numbered anyway.
    """

    source: str
    missing: dict[str, str]
    numbers: bool
    text_default: str | None = None
    looked: int = 0
    seen: int = 0
    bare: bool = False
    _fields: dict[str, None] = attrs.field(factory=dict)

    @classmethod
    def of(cls, source: Source, options: JobOptions) -> HeadCheck:
        """Return the check of a job's options."""
        texts = TextFrom(options.text).names if isinstance(options.text, str) else []
        missing = dict.fromkeys(texts, "text")
        if isinstance(options.text, PipelineTexts) and options.text.looks:
            missing = dict.fromkeys(options.text.names, PIPELINE if options.text.known else "text")
        if isinstance(options.id, str) and options.ids is None:
            missing.setdefault(options.id, "id")
        return cls(source.name, missing, options.id is None, options.text_default)

    def look(self, rows: Iterable[Row | BadRow]) -> bool:
        """Look at rows; return whether that is enough. Raises InvalidRequest if no row of the head has a field."""
        for row in rows:
            if self._enough:
                break
            self.looked += 1
            if not isinstance(row, BadRow):
                self._look(row)
        if self.looked == HEAD:
            self.end()
        return self._enough

    def end(self) -> None:
        """Raise InvalidRequest if a field is missing still."""
        if self.seen and self.missing:
            raise InvalidRequest("; ".join(self._words(field, option) for field, option in self.missing.items()))

    @property
    def _enough(self) -> bool:
        return self.looked == HEAD or (self.seen > 0 and not self.missing)

    def _look(self, row: Row) -> None:
        self.seen += 1
        if isinstance(row, TextRow) and not self.bare:
            self.bare = True
            if not self.numbers:
                log.info("%s holds texts without ids: each gets the number of its row", self.source)
        found = [field for field, option in self.missing.items() if _has(row, field, option)]
        texts = {field for field, option in self.missing.items() if option == "text"}
        if self.text_default is not None and not texts.isdisjoint(found):
            found += texts.difference(found)
        for field in found:
            del self.missing[field]
        if self.missing:
            self._fields.update(dict.fromkeys(_fields(row)))

    def _words(self, field: str, option: str) -> str:
        rows = f"none of the first {HEAD:,} rows" if self.looked == HEAD else "no row"
        hint = did_you_mean(field, self._fields)
        meant = f" ({hint})" if hint else ""
        fields = some_of(self._fields, LISTED)
        remedy = f"set {option}= (--{option}) to one of them"
        if option == PIPELINE:
            remedy = "rename one of them to it, because the server embeds that field"
        if option == "id":
            remedy += ", or id=None (--id '') to number the rows"
        return f"{rows} of {self.source} has the field {field!r}{meant}; the fields are: {fields or 'none'}; {remedy}"


@attrs.define
class CheckedSource(WrappedSource):
    """A source whose first rows are held back until they are checked; ``when_bare`` is called if they are bare."""

    source: Source
    check: HeadCheck
    when_bare: Callable[[], Awaitable[None]]

    async def count(self) -> int | None:
        """Return the count of the source."""
        return await self.source.count()

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the rows. Raises as the source does, InvalidRequest if the first ones lack a field."""
        held: list[Rows] = []
        passed = position is not None or start > 0  # a job that is resumed was checked before
        async with aclosing(self.source.read(position, start)) as reading:
            try:
                async for rows in reading:
                    held.append(rows)
                    if not passed and self.check.look(rows.rows):
                        await self._bare()
                        passed = True
                    while passed and held:
                        yield held.pop(0)
            except InvalidRequest:
                raise
            except Exception:
                # The job settles the rows before an error, then it raises it.
                for rows in held:
                    yield rows
                raise
        if not passed:
            self.check.end()
            await self._bare()
        for rows in held:
            yield rows

    async def _bare(self) -> None:
        if self.check.bare:
            await self.when_bare()


async def check_head(source: Source, check: HeadCheck, when_bare: Callable[[], Awaitable[None]]) -> None:
    """Read the first rows of a source, and check them as CheckedSource does."""
    async with aclosing(CheckedSource(source, check, when_bare).read()) as reading:
        async for _ in reading:
            return


def _has(row: Row, field: str, option: str) -> bool:
    if option == PIPELINE and any(value is not None for value in in_lists(row, field)):
        return True
    return (option == "id" and isinstance(row, TextRow)) or has_value(row, field)


def _fields(row: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Yield the fields of a row, those of objects in it as paths."""
    for name, value in row.items():
        yield f"{before}{name}"
        if isinstance(value, Mapping) and before.count(".") < 2:
            yield from _fields(value, f"{before}{name}.")
