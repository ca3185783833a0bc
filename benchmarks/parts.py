"""The parts of a bulk job, each alone and written by hand: what a document must cost."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import numpy as np
import numpy.typing as npt
import orjson

from benchmarks.replay.limit import TEXT

# By name, because it has no types.
pa: Any = import_module("pyarrow")
pq: Any = import_module("pyarrow.parquet")
BATCH = 64
# Rows of a row group: those that the package writes together are as many, or fewer.
GROUP = 10_240
BULK_BYTES = 5_000_000
IN_FLIGHT = 4
SCHEMA_OF_ROWS = {"id": pa.string(), "text": pa.string()}
NUMPY = orjson.OPT_SERIALIZE_NUMPY
LINE = NUMPY | orjson.OPT_APPEND_NEWLINE


@attrs.frozen
class Rows:
    """Documents and their vectors, as they are when a part begins."""

    rows: list[dict[str, str]]
    vectors: npt.NDArray[np.float32]

    @classmethod
    def made(cls, rows: list[dict[str, str]], dimension: int) -> Rows:
        """Return rows with the vectors of some batch, repeated."""
        some = np.random.default_rng(0).standard_normal((GROUP, dimension)).astype("f4")
        return cls(rows, some)

    def groups(self, size: int) -> Iterator[tuple[list[dict[str, str]], npt.NDArray[np.float32]]]:
        """Yield rows with their vectors, so many at a time."""
        for start in range(0, len(self.rows), size):
            some = self.rows[start : start + size]
            first = start % (GROUP - size + 1)
            yield some, self.vectors[first : first + len(some)]


def make_files(lines: Path, table: Path, count: int) -> None:
    """Write the documents that are read."""
    rows = [{"id": f"d{number}", "text": TEXT.format(number)} for number in range(count)]
    lines.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(SCHEMA_OF_ROWS)), table)


def read_lines(path: Path) -> list[dict[str, str]]:
    """Read rows from JSON Lines."""
    with path.open("rb") as file:
        return [orjson.loads(line) for line in file]


def read_table(path: Path) -> int:
    """Read the texts of a Parquet file, as strings."""
    with pq.ParquetFile(path) as file:
        return sum(len(batch["text"].to_pylist()) for batch in file.iter_batches(GROUP))


def write_npy(path: Path, documents: Rows) -> int:
    """Write the vectors as they are in memory."""
    with path.open("wb") as file:
        for _, vectors in documents.groups(BATCH):
            file.write(vectors.data)
    return len(documents.rows)


def write_parquet(path: Path, documents: Rows) -> int:
    """Write rows and vectors with pyarrow."""
    dimension = documents.vectors.shape[1]
    kind = pa.list_(pa.float32(), dimension)
    schema = pa.schema({**SCHEMA_OF_ROWS, "embedding": kind})
    with pq.ParquetWriter(path, schema) as writer:
        for rows, vectors in documents.groups(GROUP):
            columns: list[Any] = [pa.array([row[name] for row in rows]) for name in SCHEMA_OF_ROWS]
            columns.append(pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dimension))
            writer.write_batch(pa.record_batch(columns, schema=schema))
    return len(documents.rows)


def write_lines(path: Path, documents: Rows) -> int:
    """Write rows and vectors as JSON Lines."""
    with path.open("wb") as file:
        for rows, vectors in documents.groups(BATCH):
            made = [
                orjson.dumps({**row, "embedding": vector}, option=LINE)
                for row, vector in zip(rows, vectors, strict=True)
            ]
            file.write(b"".join(made))
    return len(documents.rows)


async def post(http: aiohttp.ClientSession, index: str, documents: Rows, *, base64: bool) -> int:
    """Send the documents by `_bulk`, some requests at once, each as large as the package's."""
    left = _bodies(documents, base64=base64)
    headers = {"content-type": "application/x-ndjson"}

    async def work() -> None:
        for body in left:
            async with http.post(f"/{index}/_bulk", data=body, headers=headers) as answer:
                if orjson.loads(await answer.read())["errors"]:
                    raise AssertionError("a document was refused")

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return len(documents.rows)


def _bodies(documents: Rows, *, base64: bool) -> Iterator[bytes]:
    made: list[bytes] = []
    size = 0
    for rows, vectors in documents.groups(BATCH):
        for row, vector in zip(rows, vectors, strict=True):
            value = b64encode(vector.data).decode() if base64 else vector
            line = orjson.dumps({"index": {"_id": row["id"]}}, option=orjson.OPT_APPEND_NEWLINE)
            line += orjson.dumps({**row, "embedding": value}, option=LINE)
            if size + len(line) > BULK_BYTES:
                yield b"".join(made)
                made, size = [], 0
            made.append(line)
            size += len(line)
    if made:
        yield b"".join(made)
