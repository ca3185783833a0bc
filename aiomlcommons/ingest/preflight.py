"""What does not go together in one job, and is refused before the first request."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any, TypeAlias

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sinks import CallableSink, NpySink
from aiomlcommons.ingest.sinks.file_sink import BlockingSink
from aiomlcommons.ingest.sources import ArrowSource
from aiomlcommons.ingest.sources.reading import FileSource
from aiomlcommons.ingest.types import Sink, Source

Name: TypeAlias = "str | PathLike[str]"
# What lies beside a file that is being written, by the argument that names it.
BESIDE: Mapping[str, tuple[str, ...]] = {
    "sink": (".part", ".parts", ".parts.old"),
    "checkpoint": (".tmp", ".seen", ".seen-wal"),
    "cache": ("-wal", "-shm"),
}


def check_sink(sink: Sink, *, ordered: bool, skip_unchanged: bool) -> None:
    """Raises InvalidRequest for settings that would leave a sink without what it needs."""
    if not ordered and isinstance(sink, NpySink):
        raise InvalidRequest(f"{sink.name} has no ids: without order nobody could tell whose its vectors are")
    if skip_unchanged and isinstance(sink, BlockingSink):
        raise InvalidRequest(f"skip_unchanged would leave documents out of {sink.name}, which is written anew")
    if skip_unchanged and isinstance(sink, CallableSink) and "<lambda>" in sink.name:
        raise InvalidRequest("skip_unchanged knows a sink by its name, and all lambdas have one: give a function")


def check_files(source: Source, sink: Sink, **others: Name | None) -> None:
    """Raises InvalidRequest where two of a job's files are one: ``others`` are names by argument. It blocks."""
    named = {"source": _source_file(source), "sink": sink.path if isinstance(sink, BlockingSink) else None, **others}
    owners: dict[str, str] = {}
    for argument, name in named.items():
        for file in () if name is None else _files(argument, name):
            if (owner := owners.setdefault(file, argument)) != argument:
                raise InvalidRequest(f"{argument} is {os.fspath(name or '')}, which {owner} needs: name another file")


def _files(argument: str, name: Name) -> Iterator[str]:
    whole = os.path.realpath(name)
    yield from (whole + ending for ending in ("", *BESIDE.get(argument, ())))


def _source_file(source: Any) -> Name | None:
    source = getattr(source, "source", source)
    if isinstance(source, FileSource):
        return source.path
    return source.data if isinstance(source, ArrowSource) and isinstance(source.data, str | PathLike) else None
