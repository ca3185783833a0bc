"""Sources of documents: files, Arrow datasets, an index, and iterables of a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.tables import is_column
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.sources._compression import suffix_of
from aiomlcommons.ingest.sources._listing import in_folder, is_several
from aiomlcommons.ingest.sources.arrow import ArrowSource
from aiomlcommons.ingest.sources.arrow_stream import ArrowStreamSource
from aiomlcommons.ingest.sources.chunks import Chunks
from aiomlcommons.ingest.sources.csv import CsvSource
from aiomlcommons.ingest.sources.files import FilesSource
from aiomlcommons.ingest.sources.formats import check_options, file_source, kind_of, no_option
from aiomlcommons.ingest.sources.index import IndexSource
from aiomlcommons.ingest.sources.iterables import IterableSource
from aiomlcommons.ingest.sources.json import JsonSource
from aiomlcommons.ingest.sources.jsonl import JsonlSource, StdinSource
from aiomlcommons.ingest.sources.mapping import MappedSource
from aiomlcommons.ingest.sources.remote import Location, RemotePath, location
from aiomlcommons.ingest.sources.traits import once_only, rereadable, with_stall_timeout
from aiomlcommons.ingest.types import Source
from aiomlcommons.lazy import lazily

__all__ = [
    "ArrowSource",
    "ArrowStreamSource",
    "Chunks",
    "CsvSource",
    "FilesSource",
    "IndexSource",
    "IterableSource",
    "JsonSource",
    "JsonlSource",
    "MappedSource",
    "RemotePath",
    "SourceError",
    "StdinSource",
    "once_only",
    "open_source",
    "rereadable",
    "with_stall_timeout",
]

# Of a string in a list that is taken for the name of a file.
LONGEST_NAME = 1_000

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazily(__name__, __all__, {}, renamed={"with_patience": "with_stall_timeout"})


def open_source(what: Any, **options: Any) -> Source:
    """Return the source for a path, by its suffix, or for an object, by its type. Reads no rows yet.

    ``-`` is JSON Lines from standard input, and a named pipe of JSON Lines is read alike; .jsonl, .ndjson, .json, .csv
    and .tsv may be compressed (.gz, .bz2, .xz, .zst); .parquet, .arrow and .feather, datasets and tables of pyarrow,
    and data frames are read by pyarrow. A glob, a folder and a list of Path objects are several files; a URL is read by
    fsspec. An (async) iterable of rows or texts, a column of texts (an array, a Series), or a function that returns
    one, becomes an IterableSource; a Source is returned as it is.

    ``options`` are those of the source of a file of text: ``delimiter``, ``quoting``, ``encoding`` and ``header`` of
    CsvSource, ``encoding`` of JsonlSource and JsonSource.

    It looks at the file system: call it in a thread. Raises OSError if there is no such file, InvalidRequest for
    anything else, and for an option that the source does not have.
    """
    if isinstance(what, str | PathLike):
        return _stdin(options) if what == "-" else _of_path(what, options)
    if isinstance(what, list | tuple) and _are_paths(what):
        return open_source(FilesSource(what, options or None))
    if options:
        raise no_option(options, f"a source of type {type(what).__name__}")
    if all(callable(getattr(what, name, None)) for name in ("read", "count")) and hasattr(what, "name"):
        if isinstance(what, FilesSource):
            what.opened()  # raises early
        return cast("Source", what)
    if is_column(what):
        return IterableSource(what)
    if hasattr(what, "__arrow_c_stream__") or type(what).__module__.startswith("pyarrow."):
        return ArrowSource(what)
    return IterableSource(what)


def _stdin(options: Mapping[str, Any]) -> Source:
    check_options(StdinSource, "-", options)
    return StdinSource(**options)


def _are_paths(items: Sequence[Any]) -> bool:
    """Return whether items are paths, not rows or texts. Raises InvalidRequest for what may be meant as either."""
    if any(isinstance(item, PathLike) for item in items):
        return True
    if items and all(isinstance(item, str) and _is_file_name(item) for item in items):
        raise InvalidRequest(
            f"{items[0]!r} looks like a file, and a list of strings is one of texts: give Path objects, or FilesSource"
        )
    return False


def _is_file_name(text: str) -> bool:
    is_word = len(text) < LONGEST_NAME and len(text.split()) == 1
    return is_word and Path(text).suffix != "" and kind_of(text) is not None


def _of_path(what: str | PathLike[str], options: dict[str, Any]) -> Source:
    path = location(what)
    if is_several(path):
        return open_source(FilesSource(what, options or None))
    return _of_folder(path, options) if path.is_dir() else file_source(path, options)


def _of_folder(path: Location, options: dict[str, Any]) -> Source:
    """Return the source of a folder, whose files must be of one format. Those of Parquet may be partitioned by it."""
    files = in_folder(path)
    kinds = {kind_of(file) for file in files}
    if kinds - {None} == {ArrowSource}:
        check_options(ArrowSource, path, options)
        return ArrowSource(path)
    if len(kinds) > 1:
        found = ", ".join(sorted({suffix_of(file) or "none" for file in files}))
        words = f"has files of several formats ({found}): give a glob of those to read"
        raise InvalidRequest(f"the folder {printable(path)} {words}")
    return open_source(FilesSource(path, options or None))
