"""Parquet and Arrow files, folders of them, and datasets and tables of pyarrow."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Sequence
from os import PathLike
from typing import Any, TypeAlias

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.sources._arrow_fragments import Part, as_table, dataset_library, opened_part
from aiomlcommons.ingest.sources.reading import in_thread, telling
from aiomlcommons.ingest.types import Rows

ROWS_AT_ONCE = 1_000
# A file, a row group of it, rows of that, and the file's bytes if it is one.
Place: TypeAlias = "tuple[str, int, int, int | None]"


@attrs.frozen
class ArrowSource:
    """The rows of a Parquet or Arrow file, of a folder of such files, of a pyarrow Dataset or Table, or a data frame.

    Files are read in the order of their names, row group by row group, never a whole file at once. ``columns`` are
    the only ones read (default: all). ``format`` is that of the files: "parquet" or "arrow". ``label`` is the name for
    people and the checkpoint (default: the path). A mark is ``[file, row group, rows of it, bytes of the file]``.
    Needs the extra ``arrow``.
    """

    data: Any
    columns: Sequence[str] | None = None
    format: str = "parquet"
    label: str | None = None

    @property
    def name(self) -> str:
        """The label, or the path, or the kind of the dataset."""
        if self.label is not None:
            return self.label
        return printable(self.data) if isinstance(self.data, str | PathLike) else type(self.data).__name__

    async def count(self) -> int | None:
        """How many rows the files say they have."""
        return await in_thread(self._counted)

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """The rows, read off the event loop.

        Raises SourceError, OSError where there is no such file, InvalidRequest for a column that is not there.
        """
        place = None if position is None else _place(position, self.name)
        dataset = await in_thread(self._opened)
        reading = self._rows(dataset, place, start)
        try:
            while (rows := await in_thread(lambda: next(reading, None))) is not None:
                yield rows
        finally:
            reading.close()

    def _counted(self) -> int | None:
        with telling(self.name):
            dataset = self._opened()
            # Files of text, which a dataset may have too, would be read whole for it.
            known = getattr(dataset, "format", None) is None or dataset.format.default_extname in {"parquet", "ipc"}
            return int(dataset.count_rows()) if known else None

    def _opened(self) -> Any:
        dataset = self._dataset()
        if absent := set(self.columns or ()) - set(dataset.schema.names):
            raise InvalidRequest(f"{self.name} has no column {', '.join(map(repr, sorted(absent)))}")
        return dataset

    @property
    def _own(self) -> bool:
        return isinstance(self.data, str | PathLike)

    def _dataset(self) -> Any:
        library = dataset_library()
        if not self._own:
            return self.data if isinstance(self.data, library.Dataset) else library.dataset(as_table(self.data))
        try:
            return library.dataset(os.fspath(self.data), format=self.format, partitioning="hive")
        except ValueError as error:
            raise SourceError(f"{self.name} cannot be read: {error}") from error

    def _rows(self, dataset: Any, place: Place | None, start: int) -> Generator[Rows]:
        with telling(self.name):
            for file, fragment in _files(dataset, place, self.name):
                at = _in_file(place, file, _size(fragment))
                with opened_part(dataset, fragment, self.columns, own=self._own) as part:
                    for position, rows in _rows_of(part, at):
                        yield Rows(start, rows, position)
                        start += len(rows)


def _rows_of(part: Part, place: Place) -> Generator[tuple[Place, list[Any]]]:
    """The rows of a file from the place on, each time with their mark."""
    file, first, skip, size = place
    if first and first >= part.groups:
        raise SourceError(f"{file} has {part.groups:,} row groups, and was read to row group {first:,} before")
    for group in range(first, part.groups):
        for begin, rows in _from_row(part, group, skip if group == first else 0, file):
            yield (file, group, begin, size), rows


def _from_row(part: Part, group: int, skip: int, file: str) -> Generator[tuple[int, list[Any]]]:
    """Where in the row group rows begin, and the rows, without the first ones of it."""
    at = 0
    for batch in part.batches(group, ROWS_AT_ONCE):
        begin = max(0, skip - at)
        if begin < len(batch):
            rows = batch.slice(begin).to_pylist()
            yield at + begin, [{**row, **part.keys} for row in rows] if part.keys else rows
        at += len(batch)
    if at < skip:
        raise SourceError(f"row group {group} of {file} has {at:,} rows, and was read to row {skip:,} before")


def _files(dataset: Any, place: Place | None, name: str) -> list[tuple[str, Any]]:
    """The files from the place on, each with its name; parts of a table have numbers."""
    named = [(getattr(part, "path", None) or f"{i:09}", part) for i, part in enumerate(dataset.get_fragments())]
    files = sorted(named, key=lambda one: one[0])
    if place is None:
        return files
    if place[0] not in dict(files):
        raise SourceError(f"{name} has no file {place[0]} any more, in which it was read before")
    return [one for one in files if one[0] >= place[0]]


def _in_file(place: Place | None, file: str, size: int | None) -> Place:
    """The place, if it is in this file, or the file's beginning. Raises SourceError where the file is another one."""
    if place is None or place[0] != file:
        return file, 0, 0, size
    if place[3] != size:
        raise SourceError(f"{file} has {size:,} bytes, and had {place[3]:,} when it was read: was it replaced?")
    return place


def _size(fragment: Any) -> int | None:
    """The bytes of a file, None for a part of a table."""
    path = getattr(fragment, "path", None)
    return fragment.filesystem.get_file_info(path).size if path else None


def _place(position: Any, name: str) -> Place:
    match position:
        case [str(file), int(group), int(rows), int() | None as size]:
            return file, group, rows, size
    raise SourceError(f"{name} cannot be read on from {position!r}: that is no place in it")
