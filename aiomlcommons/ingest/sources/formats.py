"""The source for one file, by the suffix of its name, and for Arrow by its first bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import Any

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.sources._compression import is_compressed, suffix_of
from aiomlcommons.ingest.sources.arrow import ArrowSource
from aiomlcommons.ingest.sources.arrow_stream import ArrowStreamSource
from aiomlcommons.ingest.sources.csv import CsvSource
from aiomlcommons.ingest.sources.json import JsonSource
from aiomlcommons.ingest.sources.jsonl import JsonlSource, PipeSource
from aiomlcommons.ingest.sources.remote import Location, RemotePath, size_of
from aiomlcommons.ingest.types import Source
from aiomlcommons.spelling import did_you_mean


def file_source(path: Location, options: Mapping[str, Any]) -> Source:
    """Return the source for a file. May block: call it in a thread.

    Raises OSError if there is no such file, InvalidRequest for another suffix, or an option that the source lacks.
    """
    kind = kind_of(path)
    if kind is None:
        hint = did_you_mean(suffix_of(path), KINDS)
        raise InvalidRequest(
            f"cannot read {printable(path)}: name it .jsonl, .json, .csv, .tsv, .parquet or .arrow, or give a Source"
            + (hint and f"; {hint}")
        )
    if kind is JsonlSource and isinstance(path, Path) and path.is_fifo() and not is_compressed(path):
        check_options(PipeSource, path, options)
        return PipeSource(path=path, **options)
    check_options(kind, path, options)
    size_of(path)  # raises FileNotFoundError early
    return kind(path, **options)


def kind_of(path: str | PathLike[str]) -> Callable[..., Source] | None:
    """Return what makes the source for a file by its suffix, None if that is of no format that can be read."""
    suffix = suffix_of(path)
    return None if suffix in NOT_COMPRESSED and is_compressed(path) else KINDS.get(suffix)


def check_options(kind: Callable[..., Source], what: str | PathLike[str], options: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for an option that this kind of source does not have."""
    known = signature(kind).parameters
    if unknown := [name for name in options if name not in known]:
        raise no_option(unknown, printable(what), did_you_mean(unknown[0], known))


def no_option(names: Iterable[str], what: str, hint: str = "") -> InvalidRequest:
    """Return the error for options that do not suit a source."""
    return InvalidRequest(
        f"{what} cannot be read with {', '.join(names)}: delimiter, quoting and header are for .csv and .tsv files, "
        "encoding is for these and for JSON" + (hint and f"; {hint}")
    )


def _arrow(path: Location) -> Source:
    """Return the source for a file of Arrow: both of its formats have the same suffixes."""
    with path.open() if isinstance(path, RemotePath) else path.open("rb") as file:
        magic: Any = file.read(4)
    if magic == b"FEA1":
        again = "pyarrow.feather.write_feather(pyarrow.feather.read_table(old), new)"
        raise SourceError(f"{printable(path)} is of version 1 of Feather, which is not read: write it anew by {again}")
    return ArrowStreamSource(path) if magic == b"\xff\xff\xff\xff" else ArrowSource(path, format="arrow")


KINDS: Mapping[str, Callable[..., Source]] = {
    ".jsonl": JsonlSource,
    ".ndjson": JsonlSource,
    ".json": JsonSource,
    ".csv": CsvSource,
    ".tsv": partial(CsvSource, delimiter="\t"),
    ".parquet": ArrowSource,
    "": ArrowSource,
    ".arrow": _arrow,
    ".feather": _arrow,
}
# What compresses within its files.
NOT_COMPRESSED = {".parquet", "", ".arrow", ".feather"}
