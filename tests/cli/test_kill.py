"""kill -9, SIGTERM and Ctrl-C at any moment of ``aiomlcommons ingest``: resumed, every id is in the output once.

``python -m tests.cli.test_kill [TIMES] [ENDING ...]`` interrupts so many times with each, for each type of output.
"""

from __future__ import annotations

import asyncio
import random
import re
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import attrs
import numpy as np
import orjson
import pytest

from aiomlcommons import Session
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.ingest.sinks import NpySink
from aiomlcommons.ingest.state.dead_letters import documents as dead_documents
from tests.support.jobs import outputs

pq: Any = pytest.importorskip("pyarrow.parquet")

ROWS, BATCH = 240, 8
BAD = {7, 100}
GOOD = [f"d{number}" for number in range(ROWS) if number not in BAD]
SIGNALS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}
CODES = {"kill -9": -signal.SIGKILL, "SIGTERM": 143, "Ctrl-C": 130}
WORDS = {"SIGTERM": "terminated", "Ctrl-C": "interrupted"}
# Moments beside those of predictions: a request of the model's search or its state, and the output's appearance.
ENSURING, PUBLISHED, NEVER = 0, ROWS, -1


@attrs.define
class Interrupting:
    """An emulator that sends a signal to the job at a moment: its n-th prediction, or while it ensures the model."""

    url: str
    how: str = ""
    moment: int = -1
    left: int = -1
    sent: bool = False
    process: asyncio.subprocess.Process | None = None

    async def at_prediction(self, _: Any, go: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            self.send()
        await asyncio.sleep(0.002)  # so that several requests are in flight
        return await go()

    async def at_other(self, _: Any, go: Any) -> Any:
        if self.moment == ENSURING:
            self.send()
        return await go()

    def send(self) -> None:
        if not self.sent and self.process is not None and self.process.returncode is None:
            self.sent = True
            self.process.send_signal(SIGNALS[self.how])

    async def run(self, how: str, moment: int, folder: Path, *words: str) -> tuple[int | None, str, str]:
        """Run a command that a signal ends at a moment; return its exit code, output and errors."""
        self.how, self.moment, self.sent, self.process = how, moment, False, None
        self.left = moment if moment < PUBLISHED else NEVER
        command = (sys.executable, "-m", "aiomlcommons", "ingest", "in.jsonl", "--model", "all-MiniLM-L6-v2", *words)
        command = (*command, "--url", self.url, "--batch", str(BATCH), "--concurrency", "1-4", "--resume", "--json")
        was_published = await anyio.Path(folder / words[1]).exists()
        self.process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE, stderr=PIPE)
        async with anyio.create_task_group() as group:
            if moment == PUBLISHED and not was_published:
                group.start_soon(self._when_published, folder / words[1])
            out, err = await self.process.communicate()
            group.cancel_scope.cancel()
        return self.process.returncode, out.decode(), err.decode()

    async def _when_published(self, path: Path) -> None:
        while not await anyio.Path(path).exists():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        self.send()


@asynccontextmanager
async def interrupting() -> AsyncGenerator[Interrupting]:
    emulator = Emulator()
    async with emulator.serve() as url:
        async with Session(url) as ml:
            await ml.settings.allow_first_model()
            await ml.models.ensure("all-MiniLM-L6-v2")
        one = Interrupting(url)
        emulator.faults.add(one.at_prediction, on=PREDICTIONS, times=None)
        emulator.faults.add(one.at_other, on=lambda http: "_predict" not in http.path, times=None)
        yield one


def write(path: Path) -> None:
    rows = [{"id": f"d{number}", "text": "" if number in BAD else f"text number {number}"} for number in range(ROWS)]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


async def job(
    one: Interrupting, folder: Path, ending: str, chance: random.Random, met: Counter[str], times: int
) -> None:
    """Run a job that is interrupted and resumed until it is finished, and check what it leaves."""
    await asyncio.to_thread(write, folder / "in.jsonl")
    words = ("--out", f"out.{ending}", "--checkpoint-every", str(chance.choice([1, 2, 5])))
    while True:
        how = chance.choice([how for how in SIGNALS if met[how] < times] or [*SIGNALS])
        moment = chance.choice([ENSURING, PUBLISHED, *(chance.randint(1, ROWS // BATCH // 2) for _ in range(6))])
        if all(met[how] >= times for how in SIGNALS):
            moment = NEVER
        code, out, err = await one.run(how, moment, folder, *words)
        assert "Traceback" not in err, err
        if code in {0, 3}:
            break
        assert code == CODES[how], (how, code, err)
        check_words(how, err)
        met[how] += 1
    met["finished"] += 1
    await asyncio.to_thread(check, orjson.loads(out), code, folder, ending)


def check_words(how: str, err: str) -> None:
    """Check that a signal that can be heard is followed by the counts and the command that continues the job."""
    if how not in WORDS:
        return
    lines = err.splitlines()
    assert lines[-1] == WORDS[how], err
    counts = [line for line in lines if line.startswith("so far:")]
    if counts:
        found = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", counts[0])]
        assert found[0] >= sum(found[1:]), counts
    if any(line.startswith("progress is kept") for line in lines):
        assert counts
        assert re.search(r"-m aiomlcommons ingest in\.jsonl .*--resume", lines[-2]), err


def check(report: dict[str, Any], code: int, folder: Path, ending: str) -> None:
    out = folder / f"out.{ending}"
    dead = f"{out.name}.dead.jsonl"
    if report.get("finished"):  # a signal came after the last file was removed
        assert (code, report["out"], report["dead_letters"]) == (0, out.name, dead)
    else:
        counts = (report["read"], report["written"], report["failed"], report["dead_letters"])
        assert (code, *counts) == (3, ROWS, len(GOOD), len(BAD), dead)
    assert held(out) == GOOD
    assert sorted(document["id"] for document in dead_documents(folder / dead)) == sorted(f"d{n}" for n in BAD)
    left = {path.name for path in folder.iterdir()} - {"in.jsonl", *outputs(out), dead}
    assert not left, left


def held(out: Path) -> list[str]:
    """Return the ids in an output, those of vectors from the file beside them."""
    if out.suffix == ".parquet":
        return list(pq.read_table(out)["id"].to_pylist())
    if out.suffix == ".npy":
        vectors = np.load(out)
        assert vectors.shape == (len(GOOD), 384)
        assert len({row.tobytes() for row in vectors}) == len(GOOD)
        out = NpySink(out).ids_path
    return [orjson.loads(line)["id"] for line in out.read_bytes().splitlines()]


async def interrupted(times: int, ending: str, place: Path, seed: int) -> Counter[str]:
    """Interrupt jobs until each signal did so this many times; return how often each did."""
    chance, met = random.Random(seed), Counter[str]()  # noqa: S311
    async with interrupting() as one:
        while any(met[how] < times for how in SIGNALS):
            folder = place / f"{ending}-{met['finished']}"
            await asyncio.to_thread(folder.mkdir)
            await job(one, folder, ending, chance, met, times)
    return met


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
@pytest.mark.parametrize(("ending", "seed"), [("jsonl", 1), ("parquet", 2)])
async def test_a_job_that_is_interrupted_again_and_again_is_resumed_to_the_same_end(
    tmp_path: Path, ending: str, seed: int
) -> None:
    await interrupted(1, ending, tmp_path, seed)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    for name in sys.argv[2:] or ["jsonl", "parquet", "npy"]:
        with tempfile.TemporaryDirectory() as temporary:
            found = asyncio.run(interrupted(count, name, Path(temporary), seed=7))
        print(f".{name}: " + ", ".join(f"{found[key]} x {key}" for key in (*SIGNALS, "finished")), flush=True)
