"""The sink that is chosen for a path or an object, and functions as sinks."""

from __future__ import annotations

import asyncio
import functools
import re
import threading
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from aiomlcommons.ingest.sinks import (
    _BY_SUFFIX,
    CallableSink,
    JsonLinesSink,
    NpySink,
    ParquetSink,
    SinkError,
    open_sink,
)
from aiomlcommons.ingest.sources import open_source
from aiomlcommons.ingest.types import Documents, Refused, Row, Sink
from tests.support.sinks import DIMENSION, batch, written


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("out.jsonl", JsonLinesSink),
        ("out.NDJSON", JsonLinesSink),
        (Path("out.npy"), NpySink),
        ("out.parquet", ParquetSink),
        (print, CallableSink),
    ],
)
def test_a_path_is_taken_by_its_ending_and_a_function_as_it_is(what: Any, kind: type) -> None:
    sink = open_sink(what)
    assert type(sink) is kind
    assert sink.name == (what.__qualname__ if callable(what) else str(what))


@pytest.mark.parametrize("name", ["out.jsonl", "out.ndjson", "out.parquet"])
@pytest.mark.asyncio
async def test_a_file_with_names_calls_the_vector_as_it_is_told(name: str, tmp_path: Path) -> None:
    await written(open_sink(tmp_path / name, field="v"), batch(0, 3))
    async for rows in open_source(tmp_path / name).read():
        assert [len(cast("Row", row)["v"]) for row in rows.rows] == [DIMENSION] * 3


def test_a_sink_is_itself() -> None:
    sink: Sink = JsonLinesSink("out.jsonl")
    assert open_sink(sink) is sink


def test_what_is_no_sink_is_refused_with_what_would_be_one() -> None:
    assert {".jsonl", ".ndjson", ".npy", ".parquet"} <= _BY_SUFFIX.keys()
    with pytest.raises(ValueError, match=re.escape(f"cannot write out.txt: name it {', '.join(_BY_SUFFIX)}")):
        open_sink("out.txt")
    with pytest.raises(SinkError, match=r"cannot write s3://bucket/out.npy: files are written on this machine"):
        open_sink("s3://key:secret@bucket/out.npy")
    with pytest.raises(SinkError, match=r"cannot write no/such/out.npy: there is no folder no/such"):
        open_sink("no/such/out.npy")
    with pytest.raises(TypeError, match="not 7"):
        open_sink(7)


class Kept:
    def __init__(self) -> None:
        self.ids: list[str] = []
        self.threads: set[int] = set()

    def sync(self, documents: Documents) -> Sequence[Refused] | None:
        self.threads.add(threading.get_ident())
        self.ids += documents.ids
        return [Refused(0, "not wanted")] if "d3" in documents.ids else None

    async def asynchronous(self, documents: Documents) -> Sequence[Refused] | None:
        await asyncio.sleep(0)
        return self.sync(documents)

    def returns_awaitable(self, documents: Documents) -> Awaitable[Sequence[Refused] | None]:
        return self.asynchronous(documents)

    async def __call__(self, documents: Documents) -> Sequence[Refused] | None:
        return self.sync(documents)


@pytest.mark.parametrize("way", ["sync", "asynchronous", "returns_awaitable", "object", "partial"])
@pytest.mark.asyncio
async def test_any_function_takes_the_batches_and_may_refuse_documents(way: str) -> None:
    kept = Kept()
    ways: dict[str, Any] = {"object": kept, "partial": functools.partial(kept.asynchronous)}
    refused = await written(open_sink(ways.get(way) or getattr(kept, way)), batch(0, 3), batch(3, 2))
    assert kept.ids == [f"d{i}" for i in range(5)]
    assert refused == [Refused(0, "not wanted")]
    assert (threading.get_ident() in kept.threads) is (way != "sync"), "only what may block goes to a thread"


@pytest.mark.asyncio
async def test_what_no_function_should_return_is_named() -> None:
    for wrong in (5, "no", [5], [Refused(3, "why")], [Refused(-1, "why")]):
        with pytest.raises(SinkError, match=r"the sink .*<lambda> must return None or a list of Refused.* 3, not "):
            await written(CallableSink(lambda _, wrong=wrong: wrong), batch(0, 3))  # type: ignore[misc]


@pytest.mark.asyncio
async def test_what_the_function_raises_comes_out() -> None:
    def fails(_: Documents) -> None:
        raise LookupError("no shelf")

    with pytest.raises(LookupError, match="no shelf"):
        await written(CallableSink(fails), batch(0, 1))
