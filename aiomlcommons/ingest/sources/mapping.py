"""A source that renames the fields of another source."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import attrs

from aiomlcommons.inference.fields import FieldMap
from aiomlcommons.ingest.sources.traits import WrappedSource, with_stall_timeout
from aiomlcommons.ingest.types import SHOWN, BadRow, Row, Rows, Source
from aiomlcommons.typed import typed_fields


@attrs.frozen(field_transformer=typed_fields)
class MappedSource(WrappedSource):
    """A source whose rows are mapped by a FieldMap; a row without one of the fields becomes a BadRow."""

    source: Source
    fields: FieldMap

    def with_stall_timeout(self, seconds: float) -> Source:
        """Return the same of the wrapped source with this stall timeout."""
        return attrs.evolve(self, source=with_stall_timeout(self.source, seconds))

    async def count(self) -> int | None:
        """Return the count of the wrapped source."""
        return await self.source.count()

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the mapped rows. Raises as the wrapped source does."""
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
