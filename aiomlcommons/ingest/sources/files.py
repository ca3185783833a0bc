"""Several files as one source: a list, a glob, or a folder."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from os import PathLike
from typing import Any, TypeAlias

import attrs

from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.sources._listing import listed, names, would_list
from aiomlcommons.ingest.sources.formats import file_source
from aiomlcommons.ingest.sources.reading import in_thread
from aiomlcommons.ingest.sources.remote import size_of
from aiomlcommons.ingest.sources.traits import once_only
from aiomlcommons.ingest.types import Rows, Source
from aiomlcommons.spelling import some_of
from aiomlcommons.typed import typed_fields

Name: TypeAlias = "str | PathLike[str]"
SHOWN = 3


@attrs.frozen(field_transformer=typed_fields)
class FilesSource:
    """The rows of several files, one file after the other, in the order of their names.

    ``paths`` are files, globs (``"data/**/*.jsonl.gz"``) and folders, whose files may be of different formats. A
    folder is read with those below it, without names that begin with ``.`` or ``_``. ``options`` are those of the
    sources of files of text, as ``open_source`` takes them. A position is ``[file, position in it, row in it, number of
    all names, their checksum]``: after a file came or went, a job does not resume.
    """

    paths: Name | Sequence[Name]
    options: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The paths, or the first of them and their number."""
        return some_of(names(self.paths), SHOWN)

    async def count(self) -> int | None:
        """Return the number of rows, or None if one of the files does not tell it."""
        counts = [await source.count() for source in (await in_thread(self.opened)).sources]
        return None if None in counts else sum(count or 0 for count in counts)

    def reads(self, path: str) -> bool:
        """Return whether this is one of the files, or would be if it existed."""
        return would_list(self.paths, path)

    def once_only(self) -> bool:
        """Return whether one of the files can be read only once."""
        return any(map(once_only, self.opened().sources))

    def rereadable(self) -> bool:
        """Return whether all of the files can be read again."""
        return not self.once_only()

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the rows. Raises as the sources of the files do, and SourceError if these are not those of before."""
        files = await in_thread(self.opened)
        file, inner, first = (0, None, 0) if position is None else files.place(position)
        start -= first
        for number in range(file, len(files.sources)):
            end = 0
            async with aclosing(files.sources[number].read(inner, first)) as reading:
                async for rows in reading:
                    end = rows.start + len(rows.rows)
                    yield files.numbered(number, rows, start)
            start, inner, first = start + max(end, first), None, 0

    def opened(self) -> Files:
        """Return the files with their sources. Raises OSError if there are none. May block: call it in a thread."""
        paths, options = listed(self.paths), self.options or {}
        sources = [file_source(path, options) for path in paths]
        return Files(self.name, names(paths), sources, [size_of(path) for path in paths])


@attrs.frozen
class Files:
    """The files at one time: their names, sources, and sizes in bytes."""

    name: str
    names: Sequence[str]
    sources: Sequence[Source]
    sizes: Sequence[int]

    def numbered(self, number: int, rows: Rows, start: int) -> Rows:
        """Return rows of a file as rows of all files, of which ``start`` come before it."""
        position = [self.names[number], rows.position, rows.start, *self._identity]
        return Rows(start + rows.start, rows.rows, position, self._share(number, rows.share))

    def place(self, position: Any) -> tuple[int, Any, int]:
        """Return the number of the file, and position and row in it. Raises SourceError if these are other files."""
        match position:
            case [str(file), inner, int(row), int(count), int(checksum)]:
                pass
            case _:
                raise SourceError(f"{self.name} cannot resume at {position!r}, which is not a position in it")
        if file not in self.names:
            raise SourceError(f"{self.name} cannot resume in {file}: that file does not exist any more")
        if [count, checksum] != self._identity:
            raise SourceError(
                f"{self.name} are {len(self.names):,} files, and were {count:,} others when they were read: files came "
                "or went, or were renamed; bring them back, or begin anew without the checkpoint"
            )
        return self.names.index(file), inner, row

    @property
    def _identity(self) -> list[int]:
        return [len(self.names), zlib.crc32("\0".join(self.names).encode())]

    def _share(self, number: int, share: float | None) -> float | None:
        total = sum(self.sizes)
        return (sum(self.sizes[:number]) + self.sizes[number] * (share or 0.0)) / total if total else None
