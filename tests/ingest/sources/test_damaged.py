"""Damaged files of text: each record is a row or a bad row, whatever stands there, and no row is lost or changed.

``python -m tests.ingest.sources.test_damaged 10000`` does it with more files.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from aiomlcommons import Session, emulator
from aiomlcommons.ingest.sources import SourceError, _csv_reader, _json_reader, jsonl, open_source
from aiomlcommons.ingest.types import BadRow, Row, Source
from tests.support.damaged_files import DamagedFile, damaged_file
from tests.support.sources import check_positions

# What is in no encoding; the rows themselves have none.
SPOILED = "\ufffd"
LINES = re.compile(r", lines? (\d+)(?: to (\d+))?")


# ---- what a row is by the documented rules, told in another way than the sources do ----------------------------------


def lines_of(file: DamagedFile) -> list[str]:
    width, data = len(file.encoded("\n")), b"".join(file.records)
    units = [data[i : i + width] for i in range(0, len(data), width)]
    feed, back = file.encoded("\n"), file.encoded("\r")
    newline = back if feed not in units and back in units[:-1] else feed
    lines = [b""]
    for unit in units:
        lines[-1] += unit
        if unit == newline:
            lines.append(b"")
    return [line.decode(file.codec, errors="replace") for line in (lines if lines[-1] else lines[:-1])]


def expected_json_lines(lines: Sequence[str]) -> Iterator[Row | int]:
    """Yield the rows, and the numbers of the lines that are bad rows."""
    for number, line in enumerate(lines, 1):
        if line.strip(" \t\r\n"):
            found = [json_object(part) for part in [line, *divided(line)] if part.strip(" \t")]
            whole, parts = found[0], [part for part in found[1:] if part is not None]
            if whole is not None:
                yield whole
            else:
                yield from parts if len(parts) == len(found) - 1 > 1 else [number]


def json_object(text: str) -> Row | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) and SPOILED not in text else None


def expected_csv(lines: Sequence[str], delimiter: str) -> Iterator[Row | int]:
    """Yield the rows after the header, and the numbers of the lines where bad rows begin."""
    names, at = record(lines, 0, delimiter)[0] or [], 1
    while at < len(lines):
        cells, last = record(lines, at, delimiter)
        parts = [record([part], 0, delimiter)[0] or [] for part in divided(lines[at])]
        spoiled = SPOILED in "".join(lines[at : last + 1])
        if not spoiled and cells is not None and len(cells) == len(names):
            yield dict(zip(names, cells, strict=True))
        elif last == at and len(parts) > 1 and all(len(part) == len(names) for part in parts) and not spoiled:
            yield from (dict(zip(names, part, strict=True)) for part in parts)
        elif lines[at].strip("\r\n"):
            yield at + 1
        at = last + 1


def record(lines: Sequence[str], at: int, delimiter: str) -> tuple[list[str] | None, int]:
    """Return the cells of the record that begins in a line, None if its quotes are wrong, and its last line."""
    if delimiter == "\t":
        return lines[at].rstrip("\r\n").split("\t"), at
    cells, state = [""], "begin"
    for last in range(at, len(lines)):
        text = lines[last].rstrip("\r\n")
        for character in text:
            state = step(cells, state, character)
        if state == "wrong":
            return None, at
        if state != "quoted":
            return cells, last
        cells[-1] += lines[last][len(text) :]
    return None, at


def step(cells: list[str], state: str, character: str) -> str:
    """Add a character to the cells; return the new state."""
    if state == "wrong" or (state == "closed" and character not in {",", '"'}):
        return "wrong"
    if state in {"begin", "closed"} and character == '"':
        cells[-1] += '"' if state == "closed" else ""
        return "quoted"
    if state == "quoted" and character == '"':
        return "closed"
    if state != "quoted" and character == ",":
        cells.append("")
        return "begin"
    cells[-1] += character
    return state if state == "quoted" else "plain"


def divided(line: str) -> list[str]:
    return [part for part in re.split("[\r\n]+", line) if part]


# ---- checks ----------------------------------------------------------------------------------------------------------


def check(file: DamagedFile, found: Sequence[Row | BadRow]) -> Counter[str]:
    """Check what was found in a file; return what is counted."""
    told = Counter({"rows": len(found), "bad rows": sum(isinstance(row, BadRow) for row in found)})
    if file.without_names:
        return told
    if file.kind == "jsonl":
        assert told_apart(found) == list(expected_json_lines(lines_of(file)))
    elif file.kind != "json":
        assert told_apart(found) == list(expected_csv(lines_of(file), "\t" if file.kind == "tsv" else ","))
    return told + check_whole_rows(file, found)


def told_apart(found: Sequence[Row | BadRow]) -> list[Row | int]:
    return [begin_and_end(row)[0] if isinstance(row, BadRow) else row for row in found]


def begin_and_end(row: BadRow) -> tuple[int, int]:
    """Return the first and the last line of a bad row."""
    lines = LINES.search(row.where)
    assert lines is not None
    return int(lines[1]), int(lines[2] or lines[1])


def check_whole_rows(file: DamagedFile, found: Sequence[Row | BadRow]) -> Counter[str]:
    """Check that each row that is not damaged was found as it was, in order, or is in the lines of a bad row.

    In a CSV file it may also be in a cell, between two quotes that stand where they enclose one.
    """
    whole = [number for number, row in enumerate(file.rows) if row is not None and number not in file.damaged]
    places = [found.index(file.rows[number]) for number in whole if file.rows[number] in found]
    assert places == sorted(places)
    missing = [number for number in whole if file.rows[number] not in found]
    bad = [begin_and_end(row) for row in found if isinstance(row, BadRow)]
    covered = [number for number in missing if any(first <= line_of(file, number) <= last for first, last in bad)]
    enclosed = len(missing) - len(covered)
    assert not missing or file.kind in {"csv", "json"}
    assert not enclosed or file.kind == "csv"
    assert sum(row not in file.rows for row in found if not isinstance(row, BadRow)) <= len(file.damaged)
    return Counter({"whole": len(whole), "covered": len(covered), "enclosed": enclosed})


def line_of(file: DamagedFile, number: int) -> int:
    texts = (part.decode(file.codec, errors="replace") for part in file.records[:number])
    return 1 + sum(text.count("\n") for text in texts)


async def read_all(source: Source, file: DamagedFile) -> Sequence[Row | BadRow]:
    """Read a file, and read it again from all positions."""
    if not file.without_names:
        return await check_positions(lambda: source)
    with suppress(SourceError):
        return await check_positions(lambda: source)
    return []


@asynccontextmanager
async def jobs(folder: Path) -> AsyncGenerator[Callable[[Source, Sequence[Row | BadRow]], Awaitable[None]]]:
    """Return a function that runs a job on a source, and checks its accounts."""
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        model = (await ml.models.ensure("all-MiniLM-L6-v2")).model_id

        async def run(source: Source, found: Sequence[Row | BadRow]) -> None:
            dead = folder / "dead.jsonl"
            async with ml.ingest(source, model=model, sink=lambda _: None, id=None, dead_letters=dead) as job:
                report = await job
            bad = sum(isinstance(row, BadRow) for row in found)
            assert report.read == len(found) == report.written + report.failed
            assert bad <= report.failed < len(found)

        yield run


async def damaged(count: int, folder: Path, seed: int) -> Counter[str]:
    """Check so many damaged files, and run a job on every tenth; return what was met."""
    told = Counter[str]()
    async with jobs(folder) as run:
        for number in range(count):
            random = Random(f"{seed} {number}")  # noqa: S311
            file = damaged_file(random)
            path = folder / f"a.{file.kind}{random.choice(['', '', '.gz'])}"
            path.write_bytes(gzip.compress(file.data) if path.suffix == ".gz" else file.data)
            try:
                source = open_source(path, **file.options)
                found = await read_all(source, file)
                told += check(file, found) + Counter({file.kind: 1, "damages": len(file.done)})
                texts = sum(isinstance(row, dict) and len(str(row.get("text"))) > 5 for row in found)
                if number % 10 == 0 and 2 * texts > len(found):
                    await run(source, found)
                    told["jobs"] += 1
            except Exception as error:
                error.add_note(
                    f"file {number} of seed {seed}: {file.kind} in {file.encoding}, {file.done}\n{file.data[:9_999]!r}"
                )
                raise
    return told


def in_small_pieces(patch: pytest.MonkeyPatch) -> None:
    for reader in (_csv_reader, _json_reader):
        patch.setattr(reader, "ROWS_AT_ONCE", 9)
        patch.setattr(reader, "READ_AT_ONCE", 250)
    patch.setattr(jsonl, "BYTES_AT_ONCE", 400)


@pytest.mark.asyncio
async def test_each_record_of_a_damaged_file_is_a_row_or_a_bad_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_pieces(monkeypatch)
    told = await damaged(100, tmp_path, seed=1)
    assert min(told[kind] for kind in ("csv", "tsv", "jsonl", "json")) > 10
    assert told["jobs"] > 3
    assert told["bad rows"] > 50


def main(count: int, seed: int) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        in_small_pieces(patch)
        told = asyncio.run(damaged(count, Path(place), seed))
    kinds = ", ".join(f"{told[kind]:,} {kind}" for kind in ("csv", "tsv", "jsonl", "json"))
    print(f"{count:,} damaged files ({kinds}) with {told['damages']:,} damages, in {time.monotonic() - began:,.0f} s:")
    print(f"{told['rows']:,} rows, {told['bad rows']:,} of them bad; read again from every position: the same")
    print(
        f"{told['whole']:,} rows are not damaged: all came out as they were, but for {told['covered']:,} in the lines "
        f"of a bad row and {told['enclosed']:,} that two quotes enclosed in a cell of a CSV file"
    )
    print(f"{told['jobs']:,} jobs: the rows in the file are the rows in the accounts")


if __name__ == "__main__":
    logging.getLogger("aiomlcommons").setLevel(logging.ERROR)  # of dead letters of the job before
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
