"""Files of text that are damaged at random, with what is known of the damage."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable
from random import Random
from typing import Any

import attrs

KINDS = ("csv", "tsv", "jsonl", "json")
WORDS = ["water", "sky", 'the "great" sea', "six, seven", "it's", "zwölf", '"', "12 inches", "a;b", "{x}", "[y]", ""]
FAR = ["水", "🌊", "\u2028", "Ā"]
MARKS = {"utf-8": b"", "utf-8-sig": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}


@attrs.define
class DamagedFile:
    """A file of a ``kind``: its records as bytes, each with its line end, and the numbers of those that are damaged.

    Record 0 of a CSV file, a TSV file and a JSON array is what stands before its first row. ``rows[i]`` is the row of
    record ``i`` as it was, or None.
    """

    kind: str
    encoding: str
    rows: list[dict[str, Any] | None]
    records: list[bytes]
    damaged: set[int] = attrs.field(factory=set)
    done: list[str] = attrs.field(factory=list)

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return MARKS.get(self.encoding, b"") + b"".join(self.records)

    @property
    def without_names(self) -> bool:
        """Whether the names of its columns are damaged, so that it may be refused, and its rows have other names."""
        return self.kind in {"csv", "tsv"} and 0 in self.damaged

    @property
    def codec(self) -> str:
        """The encoding of its text after the byte order mark."""
        return self.encoding.removesuffix("-sig")

    @property
    def options(self) -> dict[str, Any]:
        """The options with which it must be read."""
        return {} if self.encoding in MARKS else {"encoding": self.encoding}

    def encoded(self, text: str) -> bytes:
        """Encode text for this file."""
        return text.encode(self.codec)


def damaged_file(random: Random) -> DamagedFile:
    """Return a file with up to five damages."""
    kind, encoding = (
        random.choice(KINDS),
        random.choice(["utf-8"] * 6 + ["utf-8-sig", "utf-16-le", "utf-16-be", "cp1252"]),
    )
    end = random.choice(["\n", "\n", "\n", "\r\n"])
    rows = [_row(random, kind, number, encoding) for number in range(random.randint(1, 30))]
    texts = _texts(kind, rows, end, random)
    of_records = [*[None] * (len(texts) - len(rows)), *rows]
    file = DamagedFile(kind, encoding, of_records, [text.encode(encoding.removesuffix("-sig")) for text in texts])
    for _ in range(random.randint(0, 5)):
        damage = random.choice(DAMAGES)
        damage(file, _chosen(file, random), random)
        file.done.append(damage.__name__.strip("_"))
    return file


def _row(random: Random, kind: str, number: int, encoding: str) -> dict[str, Any]:
    words = WORDS if encoding == "cp1252" else WORDS + FAR
    text = " ".join(random.choices(words, k=random.randint(1, 8)))
    if kind == "csv" and random.random() < 0.1:
        text += random.choice(["\n", "\r\n"]) + random.choice(words)
    if kind in {"csv", "tsv"}:
        return {"id": f"d{number}", "text": text, "more": random.choice(words)}
    return {
        "id": f"d{number}",
        "text": text,
        "n": random.choice([number, 10**25 + number, number / 7]),
        "more": {"id": 1},
    }


def _texts(kind: str, rows: list[dict[str, Any]], end: str, random: Random) -> list[str]:
    if kind == "csv":
        quoting = random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        return [_csv_line(row, end, quoting == csv.QUOTE_ALL) for row in [["id", "text", "more"], *map(_cells, rows)]]
    if kind == "tsv":
        return ["\t".join(row) + end for row in [["id", "text", "more"], *map(_cells, rows)]]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    if kind == "jsonl":
        return [line + end for line in lines]
    return ["[" + end, *(f"{line},{end}" for line in lines[:-1]), f"{lines[-1]}{end}]{end}"]


def _cells(row: dict[str, Any]) -> list[str]:
    return [str(value) for value in row.values()]


def _csv_line(cells: list[str], end: str, quoted: bool) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator=end).writerow(cells)
    return text.getvalue()


def _chosen(file: DamagedFile, random: Random) -> int:
    """Choose a record; seldom the header, whose damage may make the whole file unreadable."""
    first = 0 if file.rows[0] is not None or random.random() < 0.05 else 1
    return random.randrange(first, len(file.records))


def _place(file: DamagedFile, number: int, random: Random) -> int:
    """Return a place between two code units of a record."""
    width = len(file.encoded("\n"))
    return width * random.randint(0, len(file.records[number]) // width)


def _put(file: DamagedFile, number: int, at: int, text: str) -> None:
    record = file.records[number]
    file.records[number] = record[:at] + file.encoded(text) + record[at:]
    _mark(file, number, at, len(record))


def _mark(file: DamagedFile, number: int, at: int, length: int) -> None:
    """Mark a record as damaged, and the next one too if the line end between them may be."""
    near_the_end = at >= length - len(file.encoded("\r\n"))
    file.damaged |= {number, number + 1} if near_the_end else {number}


def _bytes_cut(file: DamagedFile, number: int, random: Random) -> None:
    begin, record = _place(file, number, random), file.records[number]
    end = begin + len(file.encoded("\n")) * random.randint(1, 20)
    file.records[number] = record[:begin] + record[end:]
    _mark(file, number, end, len(record))


def _quote_anywhere(file: DamagedFile, number: int, random: Random) -> None:
    _put(file, number, _place(file, number, random), '"')


def _quote_opened(file: DamagedFile, number: int, random: Random) -> None:
    delimiter = file.encoded("\t" if file.kind == "tsv" else ",")
    at = file.records[number].find(delimiter)
    _put(file, number, at + len(delimiter) if at >= 0 and at % len(delimiter) == 0 else 0, '"')


def _quotes_dropped(file: DamagedFile, number: int, random: Random) -> None:
    text = file.records[number].decode(file.codec, errors="replace")
    if '"' in text and "\ufffd" not in text:
        file.records[number] = file.encoded(text.replace('"', "", random.randint(1, 2)))
        file.damaged.add(number)


def _lines_joined(file: DamagedFile, number: int, random: Random) -> None:
    record = file.records[number]
    for end in (file.encoded("\r\n"), file.encoded("\n")):
        record = record.removesuffix(end)
    file.records[number] = record + file.encoded(" ") * random.randint(0, 1)
    file.damaged |= {number, number + 1}


def _encodings_mixed(file: DamagedFile, number: int, random: Random) -> None:
    if file.codec.startswith("utf-16"):
        return  # bytes of another width would leave no line after them as it was
    other = random.choice(["latin-1", "utf-16-le", "utf-8"])
    text = file.records[number].decode(file.codec, errors="replace")
    if "\ufffd" not in text:
        file.records[number] = text.encode(other, errors="replace")
        file.damaged |= {number, number + 1}


def _nul(file: DamagedFile, number: int, random: Random) -> None:
    _put(file, number, _place(file, number, random), "\0" * random.randint(1, 3))


def _carriage_return(file: DamagedFile, number: int, random: Random) -> None:
    _put(file, number, _place(file, number, random), "\r")
    file.damaged.add(number + 1)


def _mac_line_end(file: DamagedFile, number: int, random: Random) -> None:
    _lines_joined(file, number, random)
    _put(file, number, len(file.records[number]), "\r")


def _file_cut_off(file: DamagedFile, number: int, random: Random) -> None:
    last = len(file.records) - 1
    file.records[last] = file.records[last][: _place(file, last, random)]
    file.damaged.add(last)


DAMAGES: tuple[Callable[[DamagedFile, int, Random], None], ...] = (
    _bytes_cut,
    _quote_anywhere,
    _quote_opened,
    _quotes_dropped,
    _lines_joined,
    _encodings_mixed,
    _nul,
    _carriage_return,
    _mac_line_end,
    _file_cut_off,
)
