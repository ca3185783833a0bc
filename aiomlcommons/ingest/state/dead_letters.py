"""Documents that failed for good, with the reason, on disk: nothing is dropped in silence."""

from __future__ import annotations

import itertools
import logging
import os
import re
import threading
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import attrs
import orjson

from aiomlcommons.ingest.durable import REMEDY, TAIL, hold
from aiomlcommons.ingest.errors import SinkError, SourceError
from aiomlcommons.ingest.json_values import dumped, plain
from aiomlcommons.ingest.paths import naming, printable
from aiomlcommons.ingest.types import SHOWN, BadRow, Row

log = logging.getLogger("aiomlcommons")
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
# Not those within a word, such as the name of a model.
_NUMBER = re.compile(r"(?<!\w)\d+(?:[.,]\d+)*")


@attrs.frozen
class DeadLetter:
    """A document that failed: its row in the source, its id if it has one, the row itself, and why.

    One that is read from a file is ``whole`` unless the document held what JSON cannot, which stands there as text.
    """

    row: int
    id: str | None
    why: str
    document: Row | BadRow
    whole: bool = True

    @property
    def reason(self) -> str:
        """Why, with N for each number and without the place: what letters are counted by."""
        return _NUMBER.sub("N", self.document.why if isinstance(self.document, BadRow) else self.why)

    def line(self) -> bytes:
        """As a line of the file; what is no document stands under ``bad_row`` in place of ``document``."""
        data: dict[str, Any] = {"row": self.row, "id": self.id, "why": self.why}
        if isinstance(self.document, BadRow):
            data["bad_row"] = attrs.asdict(self.document)
        else:
            data["document"] = dict(self.document) if isinstance(self.document, Mapping) else self.document
        try:
            return orjson.dumps(data if self.whole else {**data, "whole": False}, plain, _OPTIONS)
        except TypeError:
            data["whole"] = False
        try:
            return dumped(data, _OPTIONS, repr)
        except (TypeError, RecursionError):  # nested too deeply for any JSON
            return dumped({**data, "document": str(self.document)[:SHOWN]}, _OPTIONS)


class DeadLetters:
    """A JSON Lines file of letters. All of it is blocking: call it in threads, ``write`` in several at once."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: IO[bytes] | None = None
        self._opening = threading.Lock()

    def open(self, position: Sequence[int] | None) -> None:
        """Begin, or go on after a mark that ``flush`` gave: what was written later belongs to rows that come again.

        The letters of an earlier job stay, in a file with a number after its name. Raises SinkError where another job
        has the file or has written it since, OSError.
        """
        if not self.path.exists():
            return
        with self.path.open("rb+") as file:
            hold(file.fileno(), self.path)
            if position is None:
                self._put_aside()
            elif self._mark(position[0]) == list(position):
                file.truncate(position[0])
            else:
                raise SinkError(f"{self.path} is not what this job wrote there: {REMEDY}")

    def _put_aside(self) -> None:
        if not self.path.stat().st_size:
            return
        numbered = (self.path.with_name(f"{self.path.name}.{number}") for number in itertools.count(1))
        aside = next(path for path in numbered if not path.exists())
        self.path.rename(aside)
        log.warning("%s held the dead letters of an earlier job, which are in %s now", self.path, aside)

    def write(self, dead_letters: Iterable[DeadLetter]) -> None:
        """Append letters; the file appears with the first one. Raises OSError, naming it, SinkError as ``open``."""
        lines = b"".join(letter.line() for letter in dead_letters)
        if lines:
            with self._opening:
                if self._file is None:
                    self._file = self.path.open("ab")
                    hold(self._file.fileno(), self.path)
            with naming(self.path):
                self._file.write(lines)

    def flush(self) -> list[int]:
        """Make all letters durable; return a mark: the file's length, and what tells it from another one.

        Raises OSError, naming the file.
        """
        if self._file is not None:
            with naming(self.path):
                self._file.flush()
                os.fsync(self._file.fileno())
        return self._mark(self.path.stat().st_size) if self.path.exists() else [0, 0]

    def _mark(self, length: int) -> list[int]:
        with self.path.open("rb") as file:
            file.seek(max(0, length - TAIL))
            return [length, zlib.crc32(file.read(min(length, TAIL)))]

    def close(self) -> None:
        """Close the file. Raises OSError, naming it."""
        if self._file is not None:
            with naming(self.path):
                self._file.close()


def read_dead_letters(path: str | os.PathLike[str]) -> Iterator[DeadLetter]:
    """The letters of a file; a torn last line is left out. Raises SourceError, naming the line, for what is none."""
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n") and not line.isspace():
                yield _letter(line, f"{printable(path)}, line {number}")


def documents(path: str | os.PathLike[str]) -> Iterator[Row]:
    """The documents of a dead letter file. Raises as ``letters`` does."""
    for letter in read_dead_letters(path):
        if not isinstance(letter.document, BadRow):
            yield letter.document


def by_reason(found: Iterable[DeadLetter]) -> dict[str, int]:
    """How many letters there are for each reason, the most frequent first."""
    return dict(Counter(letter.reason for letter in found).most_common())


def _document(what: Mapping[Any, Any]) -> Any:
    match what:
        case {"bad_row": {"why": str(), "where": str(), "raw": str(), **more} as bad} if not more:
            return BadRow(**bad)
        case {"document": document} if "bad_row" not in what:
            return document
    raise ValueError("neither a document nor a bad row")


def _letter(line: bytes, where: str) -> DeadLetter:
    with suppress(ValueError):
        match orjson.loads(line):
            case {"row": int(row), "id": None | str() as key, "why": str(why), **what}:
                return DeadLetter(row, key, why, _document(what), what.get("whole", True) is True)
    raise SourceError(f"{where} is no dead letter")
