"""kill -9 at any moment: at the end every id is in the sink exactly once, or in the dead letter file.

``python -m tests.ingest.test_kill [KILLS] [ENDING]`` kills that many times a job that writes to such a file, and prints
what was embedded twice.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import orjson
import pytest

from aiomlcommons import Session
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.ingest.state.dead_letters import documents as dead_documents

pq: Any = import_module("pyarrow.parquet")

ROWS = 1_000
BAD = {77, 500}
BATCH = 8


@attrs.define
class Killing:
    """An emulator that kills the client at its n-th prediction, and counts the texts of all requests."""

    process: asyncio.subprocess.Process | None = None
    left: int = -1
    asked: Counter[str] = attrs.field(factory=Counter)

    async def __call__(self, request: Any, go: Any) -> Any:
        self.left -= 1
        if self.left == 0 and self.process is not None:
            self.process.kill()
        self.asked.update(orjson.loads(await request.read())["text_docs"])
        return await go()


def write(path: Path) -> None:
    with path.open("wb") as file:
        for number in range(ROWS):
            row = {"id": f"d{number}", "text": "" if number in BAD else f"text number {number}"}
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


async def killed(kills: int, folder: Path, seed: int, ending: str = ".jsonl") -> tuple[int, int]:
    """Run a job that is killed this many times; return how many texts were embedded, and how many more than once."""
    chance = random.Random(seed)  # noqa: S311
    source, sink, note = (folder / name for name in ("in.jsonl", f"out{ending}", "job"))
    await asyncio.to_thread(write, source)
    emulator, killing = Emulator(), Killing()
    emulator.faults.add(killing, on=PREDICTIONS, times=None)
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        await ml.models.ensure("all-MiniLM-L6-v2")
        for turn in range(kills + 1):
            killing.left = chance.randint(1, 2 * ROWS // BATCH // max(kills, 1)) if turn < kills else -1
            words = ("-m", "tests.support.job_process", url, str(source), str(sink), str(note))
            killing.process = await asyncio.create_subprocess_exec(
                sys.executable, *words, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await killing.process.communicate()
            if killing.process.returncode == 0:
                report = orjson.loads(out)
                break
    await asyncio.to_thread(check, report, sink, Path(f"{note}.dead.jsonl"))
    return sum(killing.asked.values()), sum(killing.asked.values()) - len(killing.asked)


def ids_in(sink: Path) -> list[str]:
    """Return the ids in the file, each of which has its vector there."""
    if sink.suffix == ".parquet":
        table = pq.read_table(sink)
        assert all(vector is not None for vector in table["embedding"].to_pylist())
        return list(table["id"].to_pylist())
    lines = sink.with_name(f"{sink.name}.ids.jsonl") if sink.suffix == ".npy" else sink
    ids = [orjson.loads(line)["id"] for line in lines.read_bytes().splitlines()]
    assert sink.suffix != ".npy" or (len(np.load(sink)) == len(ids) and np.load(sink).any(axis=1).all())
    return ids


def check(report: dict[str, int], sink: Path, dead: Path) -> None:
    assert ids_in(sink) == [f"d{number}" for number in range(ROWS) if number not in BAD]
    assert [document["id"] for document in dead_documents(dead)] == [f"d{number}" for number in sorted(BAD)]
    assert (report["read"], report["written"], report["failed"]) == (ROWS, ROWS - len(BAD), len(BAD))


@pytest.mark.asyncio
@pytest.mark.parametrize(("seed", "ending"), [(0, ".jsonl"), (3, ".parquet"), (4, ".npy")])
async def test_a_job_that_is_killed_again_and_again_loses_nothing_and_writes_nothing_twice(
    tmp_path: Path, seed: int, ending: str
) -> None:
    await killed(4, tmp_path, seed, ending)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as place:
        total, again = asyncio.run(killed(count, Path(place), 1, *sys.argv[2:3]))
    print(f"killed {count} times: {ROWS:,} rows, every id once; {total:,} texts embedded, {again:,} of them again")
