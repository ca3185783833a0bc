"""Dead letter file: the documents that failed for good (poison documents among them), each with the reason."""

from __future__ import annotations

import itertools
import logging
import os
import re
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import attrs
import orjson

from aiomlcommons.ingest.durable import REMEDY, TAIL, lock, rename_open
from aiomlcommons.ingest.errors import SinkError, SourceError
from aiomlcommons.ingest.json_values import NotJson, dumped, dumped_anyhow, loaded
from aiomlcommons.ingest.paths import naming, printable
from aiomlcommons.ingest.types import BadRow, Row
from aiomlcommons.typed import typed

log = logging.getLogger("aiomlcommons")
# What the default name of the file ends with.
ENDING = ".dead.jsonl"
# Of each line.
BEGINNING = b'{"row":'
# Not the digits within a word, such as the name of a model or UTF-8.
_NUMBER = re.compile(r"(?<!\w)(?<![A-Za-z]-)\d+(?:[.,]\d+)*")


@attrs.frozen
class DeadLetter:
    """A document that failed: its row number in the source, its id if it has one, the reason, and the document.

    ``whole`` is False for one from a file whose document held values that JSON cannot hold, which became text.
    """

    row: int
    id: str | None
    why: str
    document: Row | BadRow
    whole: bool = True

    @property
    def reason(self) -> str:
        """The reason with N for each number and without what is of this document alone, for counting.

        That is its place in the source, and its id and its values where they are quoted: a server that cannot parse a
        field says of which document and which value, so that no two reasons would be the same.
        """
        if isinstance(self.document, BadRow):
            return _NUMBER.sub("N", self.document.why)
        why, values = self.why, self.document.values() if isinstance(self.document, Mapping) else ()
        for own in (self.id, *values) if "'" in why or '"' in why else ():
            if isinstance(own, str) and own in why:
                why = why.replace(f"'{own}'", "'...'").replace(f'"{own}"', '"..."')
        return _NUMBER.sub("N", why)

    def line(self) -> bytes:
        """Return it as a line of JSON; a row that is no document has the key ``bad_row`` in place of ``document``."""
        data: dict[str, Any] = {"row": self.row, "id": self.id, "why": self.why}
        if isinstance(self.document, BadRow):
            data["bad_row"] = attrs.asdict(self.document)
        else:
            data["document"] = dict(self.document) if isinstance(self.document, Mapping) else self.document
        try:
            return dumped(data if self.whole else {**data, "whole": False}, orjson.OPT_APPEND_NEWLINE)
        except NotJson:
            return dumped_anyhow({**data, "whole": False}, orjson.OPT_APPEND_NEWLINE)


class DeadLetters:
    """A JSON Lines file of dead letters. It blocks: call it in threads; ``write`` may be called in several at once.

    If another job uses the file it is an error, unless the name is a ``suggested`` one: then ``path`` becomes the next
    numbered name that is free.
    """

    def __init__(self, path: str | os.PathLike[str], *, suggested: bool = False) -> None:
        self.path, self._suggested = Path(path), suggested
        self._file: IO[bytes] | None = None
        self._opening = threading.Lock()
        self._resumed = False

    def open(self, position: Sequence[int] | None) -> None:
        """Start a new file, or resume at a position that ``flush`` returned and cut off what follows it.

        The rows of what is cut off come again. The file of an earlier job is kept under a numbered name. Raises
        SinkError if another job has locked the file or changed it since, OSError.
        """
        self._resumed = position is not None
        if position is None:
            self._clear()
        elif self.path.exists():
            with self.path.open("rb+") as file:
                lock(file.fileno(), self.path)
                if self._position(position[0]) != list(position):
                    raise SinkError(f"{self.path} is not what this job wrote there: {REMEDY}")
                file.truncate(position[0])

    def _clear(self) -> None:
        """Make the name free: put the file of an earlier job aside, or take the next name if a job is writing it."""
        if not self.path.exists():
            return
        try:
            with self.path.open("rb+") as file:
                lock(file.fileno(), self.path)
                if self.path.stat().st_size:
                    self._put_aside(file)
        except FileNotFoundError:
            pass  # another job has put it aside meanwhile
        except SinkError:
            if not self._suggested:
                raise
            stem = self.path.name.removesuffix(ENDING)
            self.path = _free(self.path, lambda number: f"{stem}-{number + 1}{ENDING}")

    def _put_aside(self, file: IO[bytes]) -> None:
        aside = _free(self.path, lambda number: f"{self.path.name}.{number}")
        rename_open(file, self.path, aside)
        log.warning("%s held the dead letters of an earlier job, which are in %s now", self.path, aside)

    def write(self, dead_letters: Iterable[DeadLetter]) -> None:
        """Append dead letters; the first one creates the file. Raises OSError, naming it, SinkError as ``open``."""
        lines = b"".join(dead_letter.line() for dead_letter in dead_letters)
        if lines:
            with self._opening:
                if self._file is None:
                    self._file = self._created()
            with naming(self.path):
                self._file.write(lines)

    def _created(self) -> IO[bytes]:
        while True:
            if not self._resumed:
                self._clear()  # another job may have taken the name since ``open``
            file = self.path.open("ab")
            try:
                lock(file.fileno(), self.path)
            except SinkError:
                file.close()
                if self._resumed or not self._suggested:
                    raise
            else:
                return file

    def flush(self) -> list[int]:
        """Flush and fsync the file; return the position: its length, and a CRC-32 of its end that identifies it.

        Raises OSError, naming the file.
        """
        if self._file is not None:
            with naming(self.path):
                self._file.flush()
                os.fsync(self._file.fileno())
        return self._position(self.path.stat().st_size) if self.path.exists() else [0, 0]

    def _position(self, length: int) -> list[int]:
        with self.path.open("rb") as file:
            file.seek(max(0, length - TAIL))
            return [length, zlib.crc32(file.read(min(length, TAIL)))]

    def close(self) -> None:
        """Close the file. Raises OSError, naming it."""
        if self._file is not None:
            with naming(self.path):
                self._file.close()


def _free(path: Path, name: Callable[[int], str]) -> Path:
    """Return the first path beside this one, by its number from 1 on, that does not exist."""
    return next(free for number in itertools.count(1) if not (free := path.with_name(name(number))).exists())


@typed
def read_dead_letters(path: str | os.PathLike[str]) -> Iterator[DeadLetter]:
    """Yield the dead letters of a file, but not a torn last line. Raises SourceError, naming the line."""
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n") and not line.isspace():
                yield _parsed(line, f"{printable(path)}, line {number}")


def holds_dead_letters(path: str | os.PathLike[str]) -> bool:
    """Return whether a file begins with a dead letter, whole or torn, or is empty."""
    with Path(path).open("rb") as file:
        begins = BEGINNING.startswith(file.read(len(BEGINNING)))
    try:
        next(read_dead_letters(path), None)
    except SourceError:
        return False
    return begins


@typed
def documents(path: str | os.PathLike[str]) -> Iterator[Row]:
    """Yield the documents of a dead letter file. Raises as ``read_dead_letters`` does."""
    for dead_letter in read_dead_letters(path):
        if not isinstance(dead_letter.document, BadRow):
            yield dead_letter.document


def by_reason(dead_letters: Iterable[DeadLetter]) -> dict[str, int]:
    """Count dead letters by reason, the most frequent first."""
    return dict(Counter(dead_letter.reason for dead_letter in dead_letters).most_common())


def _document(data: Mapping[Any, Any]) -> Any:
    match data:
        case {"bad_row": {"why": str(), "where": str(), "raw": str(), **more} as bad} if not more:
            return BadRow(**bad)
        case {"document": document} if "bad_row" not in data:
            return document
    raise ValueError("neither a document nor a bad row")


def _parsed(line: bytes, where: str) -> DeadLetter:
    with suppress(ValueError):
        match loaded(line):
            case {"row": int(row), "id": None | str() as key, "why": str(why), **data}:
                return DeadLetter(row, key, why, _document(data), data.get("whole", True) is True)
    raise SourceError(f"{where} is not a dead letter")
