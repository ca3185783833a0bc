"""Checks of a job's arguments against each other, before the first request."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.fields import TextFrom, is_template
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.sinks import CallableSink, IndexSink, StdoutSink
from aiomlcommons.ingest.sinks.file_sink import BlockingSink
from aiomlcommons.ingest.sources.traits import reads
from aiomlcommons.ingest.state.checkpoint import CheckpointFile
from aiomlcommons.ingest.state.dead_letters import holds_dead_letters
from aiomlcommons.ingest.types import Sink, Source

Name: TypeAlias = "str | PathLike[str]"
# The suffixes of the files beside a file that is being written, by the argument that names it.
BESIDE: Mapping[str, tuple[str, ...]] = {
    "sink": (".part", ".parts", ".parts.old", ".ids.jsonl", ".ids.jsonl.part"),
    "checkpoint": (".tmp", ".seen", ".seen-wal"),
    "cache": ("-wal", "-shm"),
}


def check_sink(sink: Sink, options: JobOptions) -> None:
    """Raise InvalidRequest if the options do not suit the sink."""
    skip_unchanged = options.skip_unchanged
    _check_field(sink, options)
    if options.ids is not None and not isinstance(sink, IndexSink):
        raise InvalidRequest(f"ids={options.ids!r} is for an index, whose server makes the ids: {sink.name} is none")
    if isinstance(sink, IndexSink) and sink.replicas.wanted and options.checkpoint is None:
        raise InvalidRequest(
            "replicas_off=True (--replicas-off) needs checkpoint= (--checkpoint): after a crash nothing else knows how "
            "many replicas the index had"
        )
    if options.checkpoint is not None and isinstance(sink, StdoutSink):
        raise InvalidRequest("standard output cannot be resumed: drop the checkpoint, or name a file as the sink")
    if skip_unchanged and isinstance(sink, BlockingSink):
        raise InvalidRequest(
            f"skip_unchanged needs a sink that keeps its documents, such as an index: {sink.name} is written anew, and "
            "would lack the unchanged ones"
        )
    if skip_unchanged and isinstance(sink, CallableSink) and "<lambda>" in sink.name:
        raise InvalidRequest(
            "skip_unchanged identifies a sink by its name, and all lambdas share one: name the function"
        )


def check_served(sink: Sink, options: JobOptions) -> IndexSink:
    """Return the sink whose server embeds the documents. Raises InvalidRequest if it, or an option, does not suit."""
    if not isinstance(sink, IndexSink):
        raise InvalidRequest(
            f"without a model the server embeds the documents of an index: {sink.name} is none; name a model with "
            "model= (--model), or give an IndexSink with its pipeline (--index, --pipeline)"
        )
    if not isinstance(options.text, str | TextFrom) or (isinstance(options.text, str) and is_template(options.text)):
        raise InvalidRequest("text= (--text) must name a field: the server embeds what the documents have there")
    if options.text_default is not None:
        raise InvalidRequest("text_default= (--text-default) is for texts that are embedded here, not by the server")
    if options.content_type is not None:
        raise InvalidRequest("content_type= (--content-type) is for a model that is asked here: the pipeline tells it")
    if options.cache is not None and not options.skip_unchanged:
        raise InvalidRequest(
            "cache= (--cache) keeps vectors, and the server makes them: drop it, or set skip_unchanged=True "
            "(--skip-unchanged), which keeps what was written"
        )
    return sink


def _check_field(sink: Sink, options: JobOptions) -> None:
    """Raise InvalidRequest if the vectors would have no name, or replace the ids or texts of the rows."""
    field = getattr(sink, "field", None)
    if field == "":
        raise InvalidRequest("field= (--field) must be the name of the field of the vectors, not empty")
    texts = TextFrom(options.text) if isinstance(options.text, str) else options.text
    used: dict[str, list[Any]] = {"id": [options.id], "text": texts.names if isinstance(texts, TextFrom) else []}
    for what, names in used.items():
        if isinstance(field, str) and field in names:
            raise InvalidRequest(
                f"the vectors would replace the field {field!r} of the rows, which {what}= (--{what}) names: name "
                "another one for them with field= (--field)"
            )


def resumes(options: JobOptions) -> bool:
    """Return whether the checkpoint is of a job that has opened its sink. It blocks. Raises WrongJob, OSError."""
    if options.checkpoint is None or Path(options.checkpoint).is_dir():  # which ``check_places`` refuses
        return False
    found = CheckpointFile.peek(options.checkpoint)
    return found is not None and found[1].sink is not None


def check_output(sink: Sink, *, overwrite: bool) -> None:
    """Raise InvalidRequest if a file of a sink exists and may not be replaced. It blocks."""
    found = [path for path in sink.outputs if os.path.lexists(path)] if isinstance(sink, BlockingSink) else []
    for path in found:
        if path.is_dir():
            raise InvalidRequest(f"{printable(path)} is a folder: name another file")
    if found and not overwrite:
        raise InvalidRequest(
            f"{printable(found[0])} exists already: name another file, or replace it with overwrite=True (--overwrite)"
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


def check_places(sink: Sink, **others: Name | None) -> None:
    """Raise InvalidRequest if a file of a job cannot be created; ``others`` are paths by argument. It blocks."""
    named = {"sink": sink.path if isinstance(sink, BlockingSink) else None, **others}
    for argument, path in ((argument, Path(name)) for argument, name in named.items() if name is not None):
        folder, shown = path.parent, f"{argument}: cannot write {printable(path)}:"
        if path.exists() and not path.is_file():
            # Renaming a file to its name would remove a device, such as /dev/null.
            raise InvalidRequest(f"{shown} it is no regular file; name another one")
        if not folder.is_dir():
            raise InvalidRequest(f"{shown} there is no folder {printable(folder)}")
        if not _may_write(folder):
            raise InvalidRequest(f"{shown} the folder {printable(folder)} is read-only; name a file in another one")


def check_dead_letters(path: Path) -> None:
    """Raise InvalidRequest if a file would be put aside as dead letters that is something else. It blocks."""
    if path.is_file() and not holds_dead_letters(path):
        raise InvalidRequest(
            f"dead_letters: {printable(path)} holds something else than dead letters: name another file"
        )


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _files(argument: str, name: Name) -> Iterator[str]:
    path = os.path.realpath(name)
    yield from (path + suffix for suffix in ("", *BESIDE.get(argument, ())))
