"""The checkpoint: how far a job is, on disk, so that a killed one goes on where it was."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import attrs
import orjson

from aiomlcommons.ingest.errors import WrongJob
from aiomlcommons.ingest.json_values import dumped
from aiomlcommons.ingest.paths import naming, printable
from aiomlcommons.wire import convert

# The last entry is all that counts, so a long journal is written anew with that one alone.
COMPACT = 1_000_000


@attrs.frozen
class Checkpoint:
    """How far a job is: the rows below ``done`` are dealt with, and those of ``beyond`` (pairs of first and last).

    ``start`` and ``position`` are where the source is to be read from, ``sink`` is what the sink needs to go on,
    ``counts`` are the job's accounts.
    """

    done: int = 0
    beyond: list[tuple[int, int]] = attrs.field(factory=list)
    start: int = 0
    position: Any = None
    sink: Mapping[str, Any] | None = None
    counts: Mapping[str, int] = attrs.field(factory=dict)
    finished: bool = False

    @property
    def begun(self) -> bool:
        """Whether any row is dealt with."""
        return self.done > 0 or bool(self.beyond)


class CheckpointFile:
    """A journal file; each entry is on disk when ``write`` returns. All of it is blocking: call it in a thread."""

    def __init__(self, path: Path, file: IO[bytes], header: Mapping[str, Any]) -> None:
        self.path, self._file, self._header = path, file, header

    @classmethod
    def open(cls, path: str | os.PathLike[str], header: Mapping[str, Any]) -> tuple[CheckpointFile, Checkpoint]:
        """The journal and the last entry in it; a new one where there is none.

        ``header`` says which job it is. A torn last line, which a crash leaves, is cut off. Raises WrongJob where the
        file is another job's or no journal, OSError.
        """
        checkpoint = cls.check(path, header) or Checkpoint()
        return cls._created(Path(path), header, checkpoint), checkpoint

    @classmethod
    def check(cls, path: str | os.PathLike[str], header: Mapping[str, Any]) -> Checkpoint | None:
        """The last entry of a job's journal, or None where there is none; nothing is changed.

        Raises WrongJob where the file is another job's or no journal, OSError.
        """
        if (found := cls.peek(path)) is None:
            return None
        there, checkpoint = found
        _check(Path(path), there, header)
        return checkpoint

    @staticmethod
    def peek(path: str | os.PathLike[str]) -> tuple[Mapping[str, Any], Checkpoint] | None:
        """Which job a journal is of and its last entry, or None where there is none; nothing is changed.

        Raises WrongJob where the file is no journal, OSError.
        """
        path = Path(path)
        if not path.exists() or not path.stat().st_size:
            return None
        header, *entries = _lines(path)
        if not isinstance(header, dict) or "job" not in header:
            raise WrongJob(f"{printable(path)} is no checkpoint of a job; name another file")
        return header, _checkpoint_of(path, entries[-1]) if entries else Checkpoint()

    @classmethod
    def _created(cls, path: Path, header: Mapping[str, Any], checkpoint: Checkpoint) -> CheckpointFile:
        """Written beside and renamed, so that there is a whole journal at any moment."""
        part, lines = path.with_name(path.name + ".tmp"), _line(header) + _line(attrs.asdict(checkpoint))
        with naming(part), part.open("wb") as file:
            file.write(lines)
            _sync(file)
        part.replace(path)
        return cls(path, path.open("ab"), header)

    def write(self, checkpoint: Checkpoint) -> None:
        """Note how far the job is. Raises OSError, naming the file."""
        if self._file.tell() > COMPACT:
            # The old file is open until there is a new one: the next note may find the disk no longer full.
            full, self._file = self._file, self._created(self.path, self._header, checkpoint)._file
            full.close()
            return
        with naming(self.path):
            self._file.write(_line(attrs.asdict(checkpoint)))
            _sync(self._file)

    def close(self) -> None:
        """Close the file. Raises OSError where what could not be written before still cannot."""
        with naming(self.path):
            self._file.close()


def _lines(path: Path) -> list[Any]:
    """The first line, None if it is no JSON, and those after it that a crash did not tear."""
    # What comes after the last line's end was never finished.
    first, *later = map(_decoded, path.read_bytes().split(b"\n")[:-1] or [b""])
    return [first, *(line for line in later if line is not None)]


def _decoded(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return None


def _check(path: Path, was: Mapping[str, Any], header: Mapping[str, Any]) -> None:
    wanted = orjson.loads(_line(header))
    keys = [key for key in sorted({*was, *wanted}) if was.get(key) != wanted.get(key)]
    if changed := [f"{key} was {was.get(key)!r} and is {wanted.get(key)!r}" for key in keys]:
        raise WrongJob(
            f"{printable(path)} is the checkpoint of another job: {'; '.join(changed)}; name another file, or remove it"
        )


def _checkpoint_of(path: Path, data: Any) -> Checkpoint:
    try:
        checkpoint = convert.structure(data, Checkpoint)
    except convert.Unreadable as error:
        raise _damaged(path, str(error)) from None
    # A key that is missing would have its default, as if nothing were done yet.
    if odd := {field.name for field in attrs.fields(Checkpoint)}.symmetric_difference(data):
        raise _damaged(path, f"its keys are not the same: {', '.join(sorted(odd))}")
    return checkpoint


def _damaged(path: Path, why: str) -> WrongJob:
    return WrongJob(f"{printable(path)} is damaged: {why}; remove it to begin anew")


def _line(data: Mapping[str, Any]) -> bytes:
    return dumped(data, orjson.OPT_APPEND_NEWLINE)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
