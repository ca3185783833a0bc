"""Checks of a job's arguments against each other, before the first request."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import TypeAlias

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sinks import CallableSink, NpySink
from aiomlcommons.ingest.sinks.file_sink import BlockingSink
from aiomlcommons.ingest.sources.traits import reads
from aiomlcommons.ingest.types import Sink, Source

Name: TypeAlias = "str | PathLike[str]"
# The suffixes of the files beside a file that is being written, by the argument that names it.
BESIDE: Mapping[str, tuple[str, ...]] = {
    "sink": (".part", ".parts", ".parts.old"),
    "checkpoint": (".tmp", ".seen", ".seen-wal"),
    "cache": ("-wal", "-shm"),
}


def check_sink(sink: Sink, *, ordered: bool, skip_unchanged: bool) -> None:
    """Raise InvalidRequest if the options do not suit the sink."""
    if not ordered and isinstance(sink, NpySink):
        raise InvalidRequest(
            f"{sink.name} holds vectors without ids, which only their order identifies: set ordered=True"
        )
    if skip_unchanged and isinstance(sink, BlockingSink):
        raise InvalidRequest(
            f"skip_unchanged needs a sink that keeps its documents, such as an index: {sink.name} is written anew, and "
            "would lack the unchanged ones"
        )
    if skip_unchanged and isinstance(sink, CallableSink) and "<lambda>" in sink.name:
        raise InvalidRequest(
            "skip_unchanged identifies a sink by its name, and all lambdas share one: name the function"
        )


def check_files(source: Source, sink: Sink, **others: Name | None) -> None:
    """Raise InvalidRequest if two arguments would use the same file; ``others`` are paths by argument. It blocks."""
    named = {"sink": sink.path if isinstance(sink, BlockingSink) else None, **others}
    owners: dict[str, str] = {}
    for argument, name in named.items():
        for file in () if name is None else _files(argument, name):
            if reads(source, file):
                owners[file] = "source"
            if (owner := owners.setdefault(file, argument)) != argument:
                raise InvalidRequest(f"{argument} and {owner} would both use {file}: name another file")


def _files(argument: str, name: Name) -> Iterator[str]:
    path = os.path.realpath(name)
    yield from (path + suffix for suffix in ("", *BESIDE.get(argument, ())))
