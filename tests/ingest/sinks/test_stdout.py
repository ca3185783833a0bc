"""Standard output as a sink: JSON Lines as they come, to a reader that may be slow, or leave."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import anyio
import numpy as np
import orjson
import pytest

from aiomlcommons.ingest.sinks import SinkError, StdoutSink, open_sink
from tests.support.sinks import batch, documents, vectors, written

pytestmark = pytest.mark.asyncio


@contextmanager
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Give both ends of a pipe."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as one, os.fdopen(writing, "wb", buffering=0) as other:
        yield one, other


def read_all(end: IO[bytes]) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in end]


async def test_documents_are_lines_whole_and_in_order_however_little_the_pipe_takes() -> None:
    found: list[dict[str, Any]] = []
    with pipe() as (reading, writing):
        reader = threading.Thread(target=lambda: found.extend(read_all(reading)))
        reader.start()
        sink = StdoutSink(field="v", descriptor=writing.fileno())
        assert sink.screen(["a"], [{"id": "a", "raw": b"x"}])[0].why.startswith("its field 'raw' is of type bytes")
        await written(sink, *(batch(first, 500, filler="x" * 200) for first in range(0, 2_000, 500)))
        writing.close()
        await anyio.to_thread.run_sync(reader.join)
    assert [row["id"] for row in found] == [f"d{i}" for i in range(2_000)]
    assert np.allclose([row["v"] for row in found], vectors(0, 2_000))


async def test_a_file_may_be_standard_output(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        await written(StdoutSink(descriptor=file.fileno()), batch(0, 3))
    assert [orjson.loads(line)["id"] for line in (tmp_path / "out").read_bytes().splitlines()] == ["d0", "d1", "d2"]


async def test_a_reader_that_leaves_ends_the_job_with_an_error_that_says_so() -> None:
    with pipe() as (reading, writing):
        sink = StdoutSink(descriptor=writing.fileno())
        await sink.open(None)
        await sink.write(batch(0, 2))
        reading.close()
        with pytest.raises(SinkError, match="the reader of standard output closed it after 2 documents or a few more"):
            await sink.write(batch(2, 2))


async def test_a_reader_that_reads_no_more_does_not_keep_the_job_from_being_left() -> None:
    with pipe() as (_, writing):
        sink = StdoutSink(descriptor=writing.fileno())
        await sink.open(None)
        with anyio.move_on_after(0.01) as scope:
            await sink.write(documents([{"id": "a", "filler": "x" * 1_000_000}], vectors(0, 1)))
        assert scope.cancelled_caught


async def test_nothing_is_resumed() -> None:
    sink = open_sink("-", field="v")
    assert isinstance(sink, StdoutSink)
    assert (sink.name, sink.field, await sink.flush()) == ("stdout", "v", None)
    with pytest.raises(SinkError, match="standard output cannot be resumed: name a file as the sink"):
        await sink.open({"bytes": 7})
