"""Sources of documents: files, Arrow datasets, an index, and iterables of a program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
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
        return _stdin(options) if what == "-" else _of_path(Path(what), options)
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


def _stdin(options: Mapping[str, Any]) -> Source:
    _check_options(StdinSource, "-", options)
    return StdinSource(**options)


def _of_path(path: Path, options: Mapping[str, Any]) -> Source:
    if path.is_dir():
        return _file(ArrowSource, path, options)
    if path.is_fifo() and path.suffix.lower() in {".jsonl", ".ndjson"}:
        _check_options(PipeSource, path, options)
        return PipeSource(path=path, **options)
    source = _by_suffix(path, options)
    path.stat()  # raises FileNotFoundError early
    return source


def _by_suffix(path: Path, options: Mapping[str, Any]) -> Source:
    match suffix_of(path):
        case ".jsonl" | ".ndjson":
            return _file(JsonlSource, path, options)
        case ".json":
            return _file(JsonSource, path, options)
        case ".csv":
            return _file(CsvSource, path, options)
        case ".tsv":
            return _file(CsvSource, path, {"delimiter": "\t", **options})
        case ".parquet" if path.suffix.lower() == ".parquet":
            return _file(ArrowSource, path, options)
        case ".arrow" | ".feather" if path.suffix.lower() in {".arrow", ".feather"}:
            return _file(partial(ArrowSource, format="arrow"), path, options)
        case "" if path.suffix == "":
            return _file(ArrowSource, path, options)
    raise InvalidRequest(
        f"cannot read {printable(path)}: name it .jsonl, .json, .csv, .tsv, .parquet or .arrow, or give a Source"
    )


def _file(kind: Callable[..., Source], path: Path, options: Mapping[str, Any]) -> Source:
    _check_options(kind, path, options)
    return kind(path, **options)


def _check_options(kind: Callable[..., Source], what: str | Path, options: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for an option that this kind of source does not have."""
    if unknown := [name for name in options if name not in signature(kind).parameters]:
        raise _no_option(unknown, printable(what))


def _no_option(names: Iterable[str], what: str) -> InvalidRequest:
    return InvalidRequest(
        f"{what} cannot be read with {', '.join(names)}: delimiter, quoting and header are for .csv and .tsv files, "
        "encoding is for these and for JSON"
    )
