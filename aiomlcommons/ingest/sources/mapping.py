"""A source whose rows get other names."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import attrs

from aiomlcommons.inference.fields import FieldMap
from aiomlcommons.ingest.types import SHOWN, BadRow, Row, Rows, Source


@attrs.frozen
class MappedSource:
    """The rows of a source under other names, as FieldMap tells; a row without one of the fields is a BadRow."""

    source: Source
    fields: FieldMap

    @property
    def name(self) -> str:
        """That of the source."""
        return self.source.name

    async def count(self) -> int | None:
        """That of the source."""
        return await self.source.count()

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """The rows under their new names. Raises as the source does."""
        async with aclosing(self.source.read(position, start)) as reading:
            async for rows in reading:
                mapped = [self._row(row, rows.start + i) for i, row in enumerate(rows.rows)]
                yield attrs.evolve(rows, rows=mapped)

    def _row(self, row: Row | BadRow, number: int) -> Row | BadRow:
        if isinstance(row, BadRow):
            return row
        try:
            return self.fields(row)
        except (LookupError, TypeError) as error:
            return BadRow(str(error.args[0]), f"{self.name}, row {number}", repr(row)[:SHOWN])
