"""Arrow IPC streams, such as the ``.arrow`` files of Hugging Face datasets."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from typing import Any

import attrs

from aiomlcommons.ingest.arrow_rows import ArrowRows
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.sources._arrow_fragments import opened_stream
from aiomlcommons.ingest.sources.reading import FileSource, checked_position, in_thread, source_errors
from aiomlcommons.ingest.sources.remote import RemotePath, location, size_of
from aiomlcommons.ingest.types import Rows
from aiomlcommons.typed import typed_fields

ROWS_AT_ONCE = 1_024


@attrs.frozen(field_transformer=typed_fields)
class ArrowStreamSource(FileSource):
    """The rows of a file in Arrow's streaming format, record batch by record batch.

    A file of this machine is mapped into memory, so that record batches that are skipped are not read. A position is
    ``[record batch, row in it, size of the file in bytes]``. Needs the extra ``arrow``.
    """

    async def count(self) -> int | None:
        """Return the number of rows, or None if that would mean fetching the file from elsewhere."""
        return None if isinstance(self.path, RemotePath) else await in_thread(self._count)

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the rows, read off the event loop. Raises SourceError, OSError if the file cannot be opened."""
        reading = self._rows(None if position is None else checked_position(position, 3, self.name), start)
        try:
            while (rows := await in_thread(lambda: next(reading, None))) is not None:
                yield rows
        finally:
            reading.close()

    def _count(self) -> int:
        with self._opened() as (reader, _):
            return sum(batch.num_rows for batch in reader)

    def _rows(self, position: list[int] | None, start: int) -> Generator[Rows]:
        with self._opened() as (reader, size):
            first, skip, known = position or [0, 0, size]
            if known != size:
                raise SourceError(
                    f"{self.name} has {size:,} bytes, and had {known:,} when it was read: was it replaced?"
                )
            for number, batch in enumerate(reader):
                begin = skip if number == first else 0
                for row in range(begin, batch.num_rows if number >= first else 0, ROWS_AT_ONCE):
                    rows = ArrowRows([batch.slice(row, ROWS_AT_ONCE)])
                    yield Rows(start, rows, [number, row, size])
                    start += len(rows)

    @contextmanager
    def _opened(self) -> Generator[tuple[Any, int]]:
        path = location(self.path)
        size = size_of(path)  # raises FileNotFoundError
        with source_errors(self.name):
            file = path.open() if isinstance(path, RemotePath) else os.fspath(path)
            with opened_stream(file) as reader:
                yield reader, size
