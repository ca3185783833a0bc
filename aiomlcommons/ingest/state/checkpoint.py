"""Checkpoint file (a write-ahead journal): how far a job is, on disk, so that it resumes after a crash.

An append-only file of JSON lines. A checkpoint is fsynced after the data of the sink is; the last whole line counts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import attrs
import orjson

from aiomlcommons.ingest.errors import WrongJob
from aiomlcommons.ingest.json_values import dumped_anyhow
from aiomlcommons.ingest.paths import naming, printable
from aiomlcommons.wire import convert

# Bytes. Only the last checkpoint counts, so a longer file is compacted to that one.
COMPACT = 1_000_000


@attrs.frozen
class Checkpoint:
    """The state of a job: rows below ``done`` are settled, and so are the ranges ``beyond`` it (first and last row).

    The source is read again from ``position``, which is that of row ``start``. ``sink`` is the state from which the
    sink resumes, ``counts`` are the job's counters by name, ``dimension`` is that of the model's vectors, if known.
    """

    done: int = 0
    beyond: list[tuple[int, int]] = attrs.field(factory=list)
    start: int = 0
    position: Any = None
    sink: Mapping[str, Any] | None = None
    counts: Mapping[str, int] = attrs.field(factory=dict)
    finished: bool = False
    dimension: int | None = None

    @property
    def begun(self) -> bool:
        """Whether any row is settled."""
        return self.done > 0 or bool(self.beyond)

    @property
    def settled_below(self) -> int:
        """The number of the last settled row, plus one."""
        return max(self.done, *(last + 1 for _, last in self.beyond), 0)


class CheckpointFile:
    """An open checkpoint file; what ``write`` appends is durable when it returns. It blocks: call it in a thread."""

    def __init__(self, path: Path, file: IO[bytes], header: Mapping[str, Any]) -> None:
        self.path, self._file, self._header = path, file, header

    @classmethod
    def open(cls, path: str | os.PathLike[str], header: Mapping[str, Any]) -> tuple[CheckpointFile, Checkpoint]:
        """Open or create a checkpoint file; return it with its last checkpoint.

        ``header`` identifies the job. A torn last line, which a crash leaves, is dropped. Raises WrongJob if the file
        belongs to another job or is not a checkpoint file, OSError.
        """
        checkpoint = cls.check(path, header) or Checkpoint()
        return cls._create(Path(path), header, checkpoint), checkpoint

    @classmethod
    def check(cls, path: str | os.PathLike[str], header: Mapping[str, Any]) -> Checkpoint | None:
        """Return the last checkpoint of a job, or None if there is no file. Changes nothing.

        Raises WrongJob if the file belongs to another job or is not a checkpoint file, OSError.
        """
        if (found := cls.peek(path)) is None:
            return None
        found_header, checkpoint = found
        _check_header(Path(path), found_header, header)
        return checkpoint

    @staticmethod
    def peek(path: str | os.PathLike[str]) -> tuple[Mapping[str, Any], Checkpoint] | None:
        """Return the header and the last checkpoint of a file, or None if there is no file. Changes nothing.

        Raises WrongJob if the file is not a checkpoint file, OSError.
        """
        path = Path(path)
        if not path.exists() or not path.stat().st_size:
            return None
        header, *checkpoints = _lines(path)
        if not isinstance(header, dict) or "job" not in header:
            raise WrongJob(f"{printable(path)} is not the checkpoint of a job; name another file")
        return header, _parsed(path, checkpoints[-1]) if checkpoints else Checkpoint()

    @classmethod
    def _create(cls, path: Path, header: Mapping[str, Any], checkpoint: Checkpoint) -> CheckpointFile:
        """Write a file with one checkpoint. The atomic rename leaves a whole file at any moment."""
        part, lines = path.with_name(path.name + ".tmp"), _line(header) + _line(attrs.asdict(checkpoint))
        with naming(part), part.open("wb") as file:
            file.write(lines)
            _sync(file)
        part.replace(path)
        return cls(path, path.open("ab"), header)

    def write(self, checkpoint: Checkpoint) -> None:
        """Append a checkpoint and fsync it. Raises OSError, naming the file."""
        if self._file.tell() > COMPACT:
            # The old file stays open until there is a new one: if the disk is full now, a later write may succeed.
            old, self._file = self._file, self._create(self.path, self._header, checkpoint)._file
            old.close()
            return
        with naming(self.path):
            self._file.write(_line(attrs.asdict(checkpoint)))
            _sync(self._file)

    def close(self) -> None:
        """Close the file. Raises OSError if data that is still buffered cannot be written."""
        with naming(self.path):
            self._file.close()


def _lines(path: Path) -> list[Any]:
    """Return the first line, None if it is no JSON, and the whole lines after it."""
    # What follows the last newline was torn by a crash.
    first, *later = map(_decoded, path.read_bytes().split(b"\n")[:-1] or [b""])
    return [first, *(line for line in later if line is not None)]


def _decoded(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return None


def _check_header(path: Path, found: Mapping[str, Any], header: Mapping[str, Any]) -> None:
    wanted = orjson.loads(_line(header))
    keys = [key for key in sorted({*found, *wanted}) if found.get(key) != wanted.get(key)]
    if changed := [f"{key} was {found.get(key)!r} and is {wanted.get(key)!r}" for key in keys]:
        raise WrongJob(
            f"{printable(path)} is the checkpoint of another job: {'; '.join(changed)}; name another file, or remove it"
        )


def _parsed(path: Path, data: Any) -> Checkpoint:
    try:
        checkpoint = convert.structure(data, Checkpoint)
    except convert.Unreadable as error:
        raise _damaged(path, str(error)) from None
    # A missing key would get its default, as if nothing were done yet; only a missing dimension is learned anew.
    if differing := {field.name for field in attrs.fields(Checkpoint)}.symmetric_difference(data) - {"dimension"}:
        raise _damaged(path, f"missing or unknown keys: {', '.join(sorted(differing))}")
    return checkpoint


def _damaged(path: Path, why: str) -> WrongJob:
    return WrongJob(f"{printable(path)} is damaged: {why}; remove it to begin anew")


def _line(data: Mapping[str, Any]) -> bytes:
    return dumped_anyhow(data, orjson.OPT_APPEND_NEWLINE)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
