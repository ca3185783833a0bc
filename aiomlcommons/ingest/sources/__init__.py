"""Where documents come from: files, datasets, an index, a program's own rows."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sources.arrow import ArrowSource
from aiomlcommons.ingest.sources.compressed import ending
from aiomlcommons.ingest.sources.csv import CsvSource
from aiomlcommons.ingest.sources.index import IndexSource
from aiomlcommons.ingest.sources.iterables import IterableSource
from aiomlcommons.ingest.sources.lines import JsonlSource, StdinSource
from aiomlcommons.ingest.sources.mapped import MappedSource
from aiomlcommons.ingest.sources.reading import SourceError
from aiomlcommons.ingest.types import Source

__all__ = [
    "ArrowSource",
    "CsvSource",
    "IndexSource",
    "IterableSource",
    "JsonlSource",
    "MappedSource",
    "SourceError",
    "StdinSource",
    "open_source",
]


def open_source(what: Any) -> Source:
    """The source that a path's ending, or the type of an object, asks for.

    ``-`` is JSON Lines from standard input; .jsonl, .ndjson, .csv and .tsv may be compressed (.gz, .bz2, .xz, .zst);
    .parquet, .arrow and .feather are read by pyarrow, and so are its datasets and tables, data frames, and a folder,
    which is one of Parquet files. An (async) iterable of rows, or a function that makes one, is read as it is; a
    Source stays itself. Nothing is opened yet. Raises InvalidRequest for anything else.
    """
    if isinstance(what, str | PathLike):
        return StdinSource() if what == "-" else _file(Path(what))
    if all(callable(getattr(what, name, None)) for name in ("read", "count")) and hasattr(what, "name"):
        source: Source = what
        return source
    if hasattr(what, "__arrow_c_stream__") or type(what).__module__.startswith("pyarrow."):
        return ArrowSource(what)
    return IterableSource(what)


def _file(path: Path) -> Source:
    match ending(path):
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
    raise InvalidRequest(f"cannot read {path}: name it .jsonl, .csv, .tsv, .parquet or .arrow, or give a Source")
