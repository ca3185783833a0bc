"""Sources of documents: files, Arrow datasets, an index, and iterables of a program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import signature
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
from aiomlcommons.ingest.sources.json import JsonSource
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
    "JsonSource",
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


def open_source(what: Any, **options: Any) -> Source:
    """Return the source for a path, by its suffix, or for an object, by its type. Opens nothing yet.

    ``-`` is JSON Lines from standard input, and a named pipe of JSON Lines is read alike; .jsonl, .ndjson, .json, .csv
    and .tsv may be compressed (.gz, .bz2, .xz, .zst); .parquet, .arrow and .feather, a folder of Parquet files,
    datasets and tables of pyarrow, and data frames are read by pyarrow. An (async) iterable of rows or texts, a column
    of texts (an array, a Series), or a function that returns one, becomes an IterableSource; a Source is returned as it
    is.

    ``options`` are those of the source of a file of text: ``delimiter``, ``quoting``, ``encoding`` and ``header`` of
    CsvSource, ``encoding`` of JsonlSource and JsonSource.

    It looks at the file system: call it in a thread. Raises OSError if there is no such file, InvalidRequest for
    anything else, and for an option that the source does not have.
    """
    if isinstance(what, str | PathLike):
        return _of(StdinSource, "-", options) if what == "-" else _of_path(Path(what), options)
    if options:
        raise _no_option(options, f"a source of type {type(what).__name__}")
    if all(callable(getattr(what, name, None)) for name in ("read", "count")) and hasattr(what, "name"):
        source: Source = what
        return source
    if is_column(what):
        return IterableSource(what)
    if hasattr(what, "__arrow_c_stream__") or type(what).__module__.startswith("pyarrow."):
        return ArrowSource(what)
    return IterableSource(what)


def _of_path(path: Path, options: Mapping[str, Any]) -> Source:
    if path.is_dir():
        return _of(ArrowSource, path, options, data=path)
    if path.is_fifo() and path.suffix.lower() in {".jsonl", ".ndjson"}:
        return _of(PipeSource, path, options, path=path)
    source = _by_suffix(path, options)
    path.stat()  # raises FileNotFoundError early
    return source


def _by_suffix(path: Path, options: Mapping[str, Any]) -> Source:
    match suffix_of(path):
        case ".jsonl" | ".ndjson":
            return _of(JsonlSource, path, options, path=path)
        case ".json":
            return _of(JsonSource, path, options, path=path)
        case ".csv":
            return _of(CsvSource, path, options, path=path)
        case ".tsv":
            return _of(CsvSource, path, {"delimiter": "\t", **options}, path=path)
        case ".parquet" if path.suffix.lower() == ".parquet":
            return _of(ArrowSource, path, options, data=path)
        case ".arrow" | ".feather" if path.suffix.lower() in {".arrow", ".feather"}:
            return _of(ArrowSource, path, options, data=path, format="arrow")
        case "" if path.suffix == "":
            return _of(ArrowSource, path, options, data=path)
    raise InvalidRequest(
        f"cannot read {printable(path)}: name it .jsonl, .json, .csv, .tsv, .parquet or .arrow, or give a Source"
    )


def _of(kind: Callable[..., Source], what: str | Path, options: Mapping[str, Any], **given: Any) -> Source:
    """Return a source of a kind. Raises InvalidRequest for an option that it does not have."""
    if unknown := [name for name in options if name not in signature(kind).parameters]:
        raise _no_option(unknown, printable(what))
    return kind(**given, **options)


def _no_option(names: Iterable[str], what: str) -> InvalidRequest:
    return InvalidRequest(
        f"{what} cannot be read with {', '.join(names)}: delimiter, quoting and header are for .csv and .tsv files, "
        "encoding is for these and for JSON"
    )
