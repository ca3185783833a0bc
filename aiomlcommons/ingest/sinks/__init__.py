"""Sinks of embedded documents: files that appear by atomic rename, an index, or a function."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, cast

from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.paths import printable, redacted
from aiomlcommons.ingest.sinks.callables import CallableSink
from aiomlcommons.ingest.sinks.index import IndexSink
from aiomlcommons.ingest.sinks.jsonl import JsonLinesSink
from aiomlcommons.ingest.sinks.npy import NpySink
from aiomlcommons.ingest.sinks.parquet import ParquetSink
from aiomlcommons.ingest.sinks.stdout import StdoutSink
from aiomlcommons.ingest.types import Documents, Sink
from aiomlcommons.spelling import did_you_mean

__all__ = [
    "CallableSink",
    "IndexSink",
    "JsonLinesSink",
    "NpySink",
    "ParquetSink",
    "SinkError",
    "StdoutSink",
    "open_sink",
]

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_BY_SUFFIX: Mapping[str, Callable[[Path, str], Sink]] = {
    ".jsonl": lambda path, field: JsonLinesSink(path, field=field),
    ".ndjson": lambda path, field: JsonLinesSink(path, field=field),
    ".npy": lambda path, _: NpySink(path),
    ".parquet": lambda path, field: ParquetSink(path, field=field),
}


def open_sink(what: Any, *, field: str = "embedding") -> Sink:
    """Return the sink for a path, by its suffix, or for a function; a Sink is returned as it is.

    ``-`` is JSON Lines to standard output. ``field`` is the name of the vector in JSON Lines or Parquet. It looks at
    the file system: call it in a thread. Raises ValueError for another suffix, SinkError if the folder does not exist,
    TypeError for anything else.
    """
    if isinstance(what, str | PathLike):
        if _URL.match(os.fspath(what)):
            url = redacted(os.fspath(what))
            raise SinkError(f"cannot write {url}: files are written on this machine, name one and copy it afterwards")
        return StdoutSink(field=field) if what == "-" else _of_path(Path(what), field)
    if all(hasattr(what, method) for method in ("open", "write", "flush", "close")):
        return cast("Sink", what)
    if callable(what):
        return CallableSink(cast("Callable[[Documents], Any]", what))
    raise TypeError(f"a sink is a path, a function that takes Documents, or a Sink, not {what!r}")


def _of_path(path: Path, field: str) -> Sink:
    kind = _BY_SUFFIX.get(path.suffix.lower())
    if kind is None:
        hint = did_you_mean(path.suffix, _BY_SUFFIX)
        raise ValueError(f"cannot write {printable(path)}: name it {', '.join(_BY_SUFFIX)}" + (hint and f"; {hint}"))
    if not path.parent.is_dir():
        raise SinkError(f"cannot write {printable(path)}: there is no folder {printable(path.parent)}")
    return kind(path, field)
