"""Parquet and Arrow files, folders of them, pyarrow datasets and tables, and data frames."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import nullcontext
from operator import attrgetter
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.arrow_rows import ArrowRows, pyarrow
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.paths import printable, redacted
from aiomlcommons.ingest.sources._arrow_fragments import Part, as_table, opened_part
from aiomlcommons.ingest.sources._listing import in_folder
from aiomlcommons.ingest.sources.reading import in_thread, source_errors
from aiomlcommons.ingest.sources.remote import RemotePath, located
from aiomlcommons.ingest.types import Rows
from aiomlcommons.spelling import did_you_mean
from aiomlcommons.typed import typed_fields

# Sixteen batches of the usual size, so that few batches are of two record batches.
ROWS_AT_ONCE = 1_024
# The file, its row group, the row in that, and the size of the file in bytes (None for a table).
Position: TypeAlias = "tuple[str, int, int, int | None]"


def _located(data: Any) -> Any:
    return located(data) if isinstance(data, str) else data


@attrs.frozen(field_transformer=typed_fields)
class ArrowSource:
    """The rows of a Parquet or Arrow file, of a folder of such files, of a pyarrow Dataset or Table, or a data frame.

    Files are read in the order of their names, row group by row group, never a whole file at once. ``columns`` are
    the columns to read (default: all). ``format`` is that of the files: "parquet" or "arrow". ``label`` is the name in
    messages and in the checkpoint (default: the path). A position is ``[file, row group, row in it, size of the file
    in bytes]``. Needs the extra ``arrow``.
    """

    data: Any = attrs.field(converter=_located)
    columns: Sequence[str] | None = None
    format: str = "parquet"
    label: str | None = None

    @property
    def name(self) -> str:
        """The label, or the path, or the type of the data."""
        if self.label is not None:
            return self.label
        return printable(self.data) if isinstance(self.data, str | PathLike) else type(self.data).__name__

    def reads(self, path: str) -> bool:
        """Return whether this is the file, or one in the folder."""
        return self._own and Path(path).is_relative_to(os.path.realpath(self.data))

    def rereadable(self) -> bool:
        """Return whether it is not a reader of a stream."""
        return not hasattr(self.data, "read_next_batch")

    async def count(self) -> int | None:
        """Return the number of rows in the metadata of the files, or None for files of text."""
        return await in_thread(self._count)

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the rows, read off the event loop.

        Raises SourceError, OSError if there is no such file, InvalidRequest for a missing column.
        """
        begin = None if position is None else _parsed(position, self.name)
        dataset = await in_thread(self._opened)
        reading = self._rows(dataset, begin, start)
        try:
            while (rows := await in_thread(lambda: next(reading, None))) is not None:
                yield rows
        finally:
            reading.close()

    def _count(self) -> int | None:
        with source_errors(self.name):
            dataset = self._opened()
            # A dataset may also have files of text, which would have to be read for it.
            known = getattr(dataset, "format", None) is None or dataset.format.default_extname in {"parquet", "ipc"}
            return int(dataset.count_rows()) if known else None

    def _opened(self) -> Any:
        dataset = self._dataset()
        known = dataset.schema.names
        if missing := sorted(set(self.columns or ()) - set(known)):
            hint = did_you_mean(missing[0], known)
            raise InvalidRequest(f"{self.name} has no column {', '.join(map(repr, missing))}" + (hint and f"; {hint}"))
        return dataset

    @property
    def _own(self) -> bool:
        return isinstance(self.data, str | PathLike)

    def _dataset(self) -> Any:
        library = pyarrow("dataset").dataset
        if not self._own:
            return self.data if isinstance(self.data, library.Dataset) else library.dataset(as_table(self.data))
        base, files, filesystem = self._files()
        how = {"format": self.format, "partitioning": "hive", "partition_base_dir": base, "filesystem": filesystem}
        with self.data.errors() if isinstance(self.data, RemotePath) else nullcontext():
            try:
                return library.dataset(files, **how)
            except ValueError as error:
                raise SourceError(f"{self.name} cannot be read: {redacted(str(error))}") from None

    def _files(self) -> tuple[str | None, str | list[str], Any]:
        """Return the folder if it is one, its files or the file, and their filesystem, as pyarrow takes them."""
        path = self.data if isinstance(self.data, RemotePath) else Path(self.data)
        inner: Callable[[Any], str] = attrgetter("path") if isinstance(path, RemotePath) else os.fspath
        filesystem = path.filesystem if isinstance(path, RemotePath) else None
        if path.is_dir():
            return inner(path), [inner(file) for file in in_folder(path)], filesystem
        return None, inner(path), filesystem

    def _rows(self, dataset: Any, begin: Position | None, start: int) -> Generator[Rows]:
        with source_errors(self.name):
            for file, fragment in _files(dataset, begin, self.name):
                in_file = _in_file(begin, file, _size(fragment))
                with opened_part(dataset, fragment, self.columns, own=self._own) as part:
                    for position, rows in _rows_of(part, in_file):
                        yield Rows(start, rows, position)
                        start += len(rows)


def _rows_of(part: Part, begin: Position) -> Generator[tuple[Position, ArrowRows]]:
    """Yield the rows of a file from a position on, some at a time with their position."""
    file, first, skip, size = begin
    if first and first >= part.groups:
        raise SourceError(f"{file} has {part.groups:,} row groups, and was read to row group {first:,} before")
    for group in range(first, part.groups):
        for row, rows in _from_row(part, group, skip if group == first else 0, file):
            yield (file, group, row, size), rows


def _from_row(part: Part, group: int, skip: int, file: str) -> Generator[tuple[int, ArrowRows]]:
    """Yield the rows of a row group after the first ``skip``, some at a time with the number of the first one."""
    at = 0
    for batch in part.batches(group, ROWS_AT_ONCE):
        begin = max(0, skip - at)
        if begin < len(batch):
            yield at + begin, ArrowRows([batch.slice(begin)])
        at += len(batch)
    if at < skip:
        raise SourceError(f"row group {group} of {file} has {at:,} rows, and was read to row {skip:,} before")


def _files(dataset: Any, begin: Position | None, name: str) -> list[tuple[str, Any]]:
    """Return the files from a position on with their names; fragments of a table are numbered."""
    parts = enumerate(dataset.get_fragments())
    named = [(redacted(getattr(part, "path", None) or f"{i:09}"), part) for i, part in parts]
    files = sorted(named, key=lambda one: one[0])
    if begin is None:
        return files
    if begin[0] not in dict(files):
        raise SourceError(f"{name} cannot resume in {begin[0]}: that file does not exist any more")
    return [one for one in files if one[0] >= begin[0]]


def _in_file(begin: Position | None, file: str, size: int | None) -> Position:
    """Return the position if it is in this file, else the beginning. Raises SourceError if the file has changed."""
    if begin is None or begin[0] != file:
        return file, 0, 0, size
    if begin[3] != size:
        raise SourceError(f"{file} has {size:,} bytes, and had {begin[3]:,} when it was read: was it replaced?")
    return begin


def _size(fragment: Any) -> int | None:
    """Return the size of a file in bytes, None for a fragment of a table."""
    path = getattr(fragment, "path", None)
    return fragment.filesystem.get_file_info(path).size if path else None


def _parsed(position: Any, name: str) -> Position:
    match position:
        case [str(file), int(group), int(rows), int() | None as size]:
            return file, group, rows, size
    raise SourceError(f"{name} cannot resume at {position!r}, which is not a position in it")
