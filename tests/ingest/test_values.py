"""Whatever rows hold, from whatever source into whatever sink: what comes out is what went in, or it is a dead letter.

That names the field, and nothing was embedded for it. ``python -m tests.ingest.test_values [CASES]`` tries so many
cases of each source and sink, and prints how many rows were written and how many were dead letters.
"""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import json
import os
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from aiomlcommons import Session
from aiomlcommons.ingest.embedding.model import JobModel
from aiomlcommons.ingest.job import ingesting
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.sinks import IndexSink, StdoutSink, open_sink
from aiomlcommons.ingest.sources import open_source
from aiomlcommons.ingest.state.dead_letters import DeadLetters
from aiomlcommons.ingest.types import Documents
from tests.support.bulk_server import BulkServer, bulk_server, knn
from tests.support.row_values import PLAIN, NoJson, in_json, is_kept, is_read, python_rows, tables

pa: Any = import_module("pyarrow")
pq: Any = import_module("pyarrow.parquet")

CASES = 12
DIMENSION = 4
TALLY = Counter[str]()
Row: TypeAlias = Mapping[str, Any]


@attrs.define
class Ran:
    """What a job left: the texts that were embedded, the reasons of dead letters by row, and its files."""

    folder: Path
    embedded: set[str] = attrs.field(factory=set)
    dead: dict[int, str] = attrs.field(factory=dict)
    batches: list[Documents] = attrs.field(factory=list)
    lines: list[bytes] = attrs.field(factory=list)

    async def run(self, source: Any, sink: Any) -> None:
        async def embed(texts: list[str]) -> Any:
            self.embedded.update(texts)
            return np.ones((len(texts), DIMENSION), "f4")

        dead = self.folder / "dead"
        options: Any = {"header": {}, "dead_letters": DeadLetters(dead), "target": "", "options": JobOptions(batch=2)}
        async with ingesting(JobModel(embed), source, sink, **options) as job:
            report = await job
        assert report.balanced
        if dead.exists():
            self.dead = {one["row"]: one["why"] for one in map(orjson.loads, dead.read_bytes().splitlines())}
        assert report.failed == len(self.dead)
        TALLY["written"] += report.written
        TALLY["dead letters"] += report.failed

    def check_dead(self, rows: Sequence[Row]) -> list[Row]:
        """Check the dead letters; return the rows that are to be in the sink."""
        for number, why in self.dead.items():
            assert rows[number]["text"] not in self.embedded, why
            assert any(f"its field '{name}" in why for name in rows[number]), why
        kept = [row for number, row in enumerate(rows) if number not in self.dead]
        # A job embeds a harmless text too.
        assert self.embedded & {row["text"] for row in rows} == {row["text"] for row in kept}
        return kept


# ---- sinks -----------------------------------------------------------------------------------------------------------


async def into_json_lines(ran: Ran, source: Any, rows: Sequence[Row]) -> None:
    await ran.run(source, open_sink(ran.folder / "out.jsonl"))
    ran.lines = (ran.folder / "out.jsonl").read_bytes().splitlines()
    check_json(ran, rows)


async def into_standard_output(ran: Ran, source: Any, rows: Sequence[Row]) -> None:
    with (ran.folder / "out").open("wb") as file:
        await ran.run(source, StdoutSink(descriptor=file.fileno()))
    ran.lines = (ran.folder / "out").read_bytes().splitlines()
    check_json(ran, rows)


async def into_an_index(ran: Ran, source: Any, rows: Sequence[Row]) -> None:
    def keep(body: bytes) -> None:
        ran.lines += body.splitlines()[1::2]

    server: BulkServer
    async with bulk_server(knn(DIMENSION), on_bulk=keep) as server, Session(server.url) as ml:
        await ran.run(source, IndexSink(ml, "docs", concurrency=1))
    ran.lines.sort(key=lambda line: int(orjson.loads(line)["id"][1:]))
    check_json(ran, rows)


async def into_parquet(ran: Ran, source: Any, rows: Sequence[Row]) -> None:
    await ran.run(source, open_sink(ran.folder / "out.parquet"))
    kept, found = ran.check_dead(rows), pq.read_table(ran.folder / "out.parquet")
    assert found.num_rows == len(kept)
    for row, read in zip(kept, found.to_pylist(), strict=True):
        for name in {*row, *read} - {"embedding"}:
            assert is_kept(row.get(name), read.get(name)), (name, row, read)
    for name in filter(lambda name: is_simple([row.get(name) for row in rows]), "pqr"):
        assert not any(f"'{name}'" in why for why in ran.dead.values()), ran.dead


def is_simple(column: Sequence[Any]) -> bool:
    """Return whether no value of a column may be refused by Parquet."""
    kinds = {type(value) for value in column} - {type(None)}
    return len(kinds) <= 1 and kinds <= {float, bool, bytes, dt.date, uuid.UUID}


async def into_a_function(ran: Ran, source: Any, rows: Sequence[Row]) -> None:
    await ran.run(source, open_sink(ran.batches.append))
    assert not ran.dead
    found = [row for batch in ran.batches for row in batch.rows]
    assert str(found) == str([dict(row) for row in rows])
    assert [number for batch in ran.batches for number in batch.numbers] == list(range(len(rows)))


def check_json(ran: Ran, rows: Sequence[Row]) -> None:
    """Check that just what JSON has no form for is a dead letter, and that all else is written exactly."""
    kept = ran.check_dead(rows)
    assert sorted(ran.dead) == [number for number, row in enumerate(rows) if not has_json(row)]
    for row, line in zip(kept, ran.lines, strict=True):
        read = json.loads(line, parse_float=Decimal)
        assert read.pop("embedding") == [1] * DIMENSION
        assert is_read(in_json(dict(row)), read), (row, line)


def has_json(row: Row) -> bool:
    try:
        in_json(dict(row))
    except NoJson:
        return False
    return True


async def arrow_into_parquet(ran: Ran, source: Any, rows: Any) -> None:
    """Check that a table of Arrow comes out with its types and all digits of its values."""
    await ran.run(source, open_sink(ran.folder / "out.parquet"))
    assert not ran.dead
    pq.write_table(rows, ran.folder / "wanted.parquet", use_compliant_nested_type=False)
    wanted, found = (pq.read_table(ran.folder / name) for name in ("wanted.parquet", "out.parquet"))
    assert found.schema.remove(found.schema.get_field_index("embedding")).equals(wanted.schema)
    for name in wanted.column_names:
        assert exact(found[name]) == exact(wanted[name])


def exact(column: Any) -> str:
    """Return all digits of all values as text; what is under a null does not count."""
    return "".join(
        str(column.slice(i, 1).combine_chunks()) if column[i].is_valid else "null" for i in range(len(column))
    )


async def arrow_into_json(ran: Ran, source: Any, rows: Any) -> None:
    """Check that a table of Arrow is written as its values in Python, where these hold them."""
    await ran.run(source, open_sink(ran.folder / "out.jsonl"))
    kept = ran.check_dead([{"id": f"d{i}", "text": f"text {i}", **dict.fromkeys("pqr")} for i in range(len(rows))])
    lines = (ran.folder / "out.jsonl").read_bytes().splitlines()
    for row, line in zip(kept, lines, strict=True):
        read = json.loads(line, parse_float=Decimal)
        for name in "pqr":
            try:
                value = rows[name][int(row["id"][1:])].as_py()
            except (OverflowError, ValueError):
                continue  # pyarrow has its own text for it
            if str(rows[name].type) != "time64[ns]":
                assert is_read(in_json(value), read[name]), (value, line)


# ---- sources ---------------------------------------------------------------------------------------------------------

Sink: TypeAlias = Callable[[Ran, Any, Any], Any]
SINKS: Sequence[Sink] = (into_json_lines, into_standard_output, into_an_index, into_parquet, into_a_function)
ARROW_SINKS: Sequence[Sink] = (arrow_into_parquet, arrow_into_json)


def rows_themselves(_: Path, rows: Any) -> Any:
    return rows


def a_json_lines_file(folder: Path, rows: Any) -> Any:
    (folder / "in.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return folder / "in.jsonl"


def a_csv_file(folder: Path, rows: Any) -> Any:
    with (folder / "in.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["id", "text"], quoting=csv.QUOTE_ALL, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return folder / "in.csv"


def a_parquet_file(folder: Path, table: Any) -> Any:
    pq.write_table(table, folder / "in.parquet", use_compliant_nested_type=False)
    return folder / "in.parquet"


def an_arrow_file(folder: Path, table: Any) -> Any:
    with pa.OSFile(os.fsencode(folder / "in.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return folder / "in.arrow"


def an_arrow_stream(folder: Path, table: Any) -> Any:
    with pa.OSFile(os.fsencode(folder / "in.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return folder / "in.arrow"


def a_table(_: Path, table: Any) -> Any:
    return table


ARROW_SOURCES = (a_parquet_file, an_arrow_file, an_arrow_stream, a_table)


def run(source: Callable[[Path, Any], Any], sink: Sink, rows: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        opened = open_source(source(Path(folder), rows))
        asyncio.run(sink(Ran(Path(folder)), opened, rows))


def cases(count: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    phases = [Phase.generate, Phase.shrink]
    return settings(
        derandomize=True, max_examples=count, deadline=None, database=None, suppress_health_check=slow, phases=phases
    )


def check_rows(sink: Sink, count: int) -> None:
    """Check rows of a program."""
    cases(count)(given(python_rows())(lambda rows: run(rows_themselves, sink, rows)))()


def check_json_lines(sink: Sink, count: int) -> None:
    """Check a file of JSON Lines; ``PLAIN`` values are those that JSON gives back as they are."""
    cases(count)(given(python_rows(PLAIN))(lambda rows: run(a_json_lines_file, sink, rows)))()


def check_csv(sink: Sink, count: int) -> None:
    """Check a file of CSV, whose values are texts."""
    texts = python_rows({"text": PLAIN["text"]}).map(lambda rows: [{k: row[k] for k in ("id", "text")} for row in rows])
    cases(count)(given(texts)(lambda rows: run(a_csv_file, sink, rows)))()


def check_arrow(source: Callable[[Path, Any], Any], sink: Sink, count: int) -> None:
    """Check a source of Arrow."""
    cases(count)(given(tables())(lambda table: run(source, sink, table)))()


@pytest.mark.parametrize("sink", SINKS, ids=lambda sink: sink.__name__)
@pytest.mark.parametrize("check", [check_rows, check_json_lines, check_csv], ids=lambda check: check.__name__[6:])
def test_rows_come_out_as_they_went_in_or_are_dead_letters(check: Callable[[Sink, int], None], sink: Sink) -> None:
    check(sink, CASES)


@pytest.mark.parametrize("sink", ARROW_SINKS, ids=lambda sink: sink.__name__)
@pytest.mark.parametrize("source", ARROW_SOURCES, ids=lambda source: source.__name__)
def test_arrow_comes_out_as_it_went_in_or_is_a_dead_letter(source: Callable[[Path, Any], Any], sink: Sink) -> None:
    check_arrow(source, sink, CASES)


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for into in SINKS:
        for check in (check_rows, check_json_lines, check_csv):
            check(into, number)
            print(f"{check.__name__[6:]} {into.__name__}: {number} cases, so far {dict(TALLY)}", flush=True)
    for into in ARROW_SINKS:
        for origin in ARROW_SOURCES:
            check_arrow(origin, into, number)
            print(f"{origin.__name__} {into.__name__}: {number} cases, so far {dict(TALLY)}", flush=True)
