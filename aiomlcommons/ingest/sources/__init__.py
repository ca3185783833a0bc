"""Sources of documents: files, Arrow datasets, an index, and iterables of a program."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.tables import is_column
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.sources._compression import suffix_of
from aiomlcommons.ingest.sources.arrow import ArrowSource
from aiomlcommons.ingest.sources.csv import CsvSource
from aiomlcommons.ingest.sources.index import IndexSource
from aiomlcommons.ingest.sources.iterables import IterableSource
from aiomlcommons.ingest.sources.jsonl import JsonlSource, PipeSource, StdinSource
from aiomlcommons.ingest.sources.mapping import MappedSource
from aiomlcommons.ingest.sources.traits import once_only, with_stall_timeout
from aiomlcommons.ingest.types import Source
from aiomlcommons.lazy import lazily

__all__ = [
    "ArrowSource",
    "CsvSource",
    "IndexSource",
    "IterableSource",
    "JsonlSource",
    "MappedSource",
    "SourceError",
    "StdinSource",
    "once_only",
    "open_source",
    "with_stall_timeout",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazily(__name__, __all__, (), renamed={"with_patience": "with_stall_timeout"})


def open_source(what: Any) -> Source:
    """Return the source for a path, by its suffix, or for an object, by its type. Opens nothing yet.

    ``-`` is JSON Lines from standard input, and a named pipe of JSON Lines is read alike; .jsonl, .ndjson, .csv and
    .tsv may be compressed (.gz, .bz2, .xz, .zst); .parquet, .arrow and .feather, a folder of Parquet files, datasets
    and tables of pyarrow, and data frames are read by pyarrow. An (async) iterable of rows or texts, a column of texts
    (an array, a Series), or a function that returns one, becomes an IterableSource; a Source is returned as it is.

    It looks at the file system: call it in a thread. Raises OSError if there is no such file, InvalidRequest for
    anything else.
    """
    if isinstance(what, str | PathLike):
        return StdinSource() if what == "-" else _of_path(Path(what))
    if all(callable(getattr(what, name, None)) for name in ("read", "count")) and hasattr(what, "name"):
        source: Source = what
        return source
    if is_column(what):
        return IterableSource(what)
    if hasattr(what, "__arrow_c_stream__") or type(what).__module__.startswith("pyarrow."):
        return ArrowSource(what)
    return IterableSource(what)


def _of_path(path: Path) -> Source:
    if path.is_dir():
        return ArrowSource(path)
    if path.is_fifo() and path.suffix.lower() in {".jsonl", ".ndjson"}:
        return PipeSource(path=path)
    source = _by_suffix(path)
    path.stat()  # raises FileNotFoundError early
    return source


def _by_suffix(path: Path) -> Source:
    match suffix_of(path):
        case ".jsonl" | ".ndjson":
            return JsonlSource(path)
        case ".csv":
            return CsvSource(path)
        case ".tsv":
            return CsvSource(path, delimiter="\t")
        case ".parquet" if path.suffix.lower() == ".parquet":
            return ArrowSource(path)
        case ".arrow" | ".feather" if path.suffix.lower() in {".arrow", ".feather"}:
            return ArrowSource(path, format="arrow")
        case "" if path.suffix == "":
            return ArrowSource(path)
    raise InvalidRequest(
        f"cannot read {printable(path)}: name it .jsonl, .csv, .tsv, .parquet or .arrow, or give a Source"
    )
