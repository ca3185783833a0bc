"""Where embedded documents go: files that appear whole or not at all, an index, a program's own function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, cast

from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.sinks.callables import CallableSink
from aiomlcommons.ingest.sinks.index import IndexSink
from aiomlcommons.ingest.sinks.jsonl import JsonLinesSink
from aiomlcommons.ingest.sinks.npy import NpySink
from aiomlcommons.ingest.sinks.parquet import ParquetSink
from aiomlcommons.ingest.types import Documents, Sink

__all__ = ["CallableSink", "IndexSink", "JsonLinesSink", "NpySink", "ParquetSink", "SinkError", "open_sink"]

_BY_ENDING: Mapping[str, Callable[[Path, str], Sink]] = {
    ".jsonl": lambda path, field: JsonLinesSink(path, field=field),
    ".ndjson": lambda path, field: JsonLinesSink(path, field=field),
    ".npy": lambda path, _: NpySink(path),
    ".parquet": lambda path, field: ParquetSink(path, field=field),
}


def open_sink(what: Any, *, field: str = "embedding") -> Sink:
    """The sink that is meant: of a path by its ending, of a function, or the sink itself.

    ``field`` is what the vector is called in a file that has names. It looks for a path's folder: call it in a thread.
    Raises ValueError for any other ending, SinkError where there is no such folder, TypeError for anything else.
    """
    if isinstance(what, str | PathLike):
        return _of_path(Path(what), field)
    if all(hasattr(what, method) for method in ("open", "write", "flush", "close")):
        return cast("Sink", what)
    if callable(what):
        return CallableSink(cast("Callable[[Documents], Any]", what))
    raise TypeError(f"a sink is a path, a function that takes Documents, or a Sink, not {what!r}")


def _of_path(path: Path, field: str) -> Sink:
    kind = _BY_ENDING.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"cannot write {printable(path)}: name it {', '.join(_BY_ENDING)}")
    if not path.parent.is_dir():
        raise SinkError(f"cannot write {printable(path)}: there is no folder {printable(path.parent)}")
    return kind(path, field)
