"""Jobs of a soak: left in the middle, killed with -9, resumed until they are complete; and an account of documents."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import attrs
import numpy as np
import orjson

from aiomlcommons import Backoff, MLCommonsError, Session
from aiomlcommons.ingest import IndexSink, Report
from aiomlcommons.ingest.state.dead_letters import documents as dead_documents
from tests.reliability.indexed_job import as_vector
from tests.reliability.soak_load import Tally, WrongError
from tests.reliability.soak_world import TEXTS, Vectors, World
from tests.support.dying_cluster import INDEX

pq: Any = import_module("pyarrow.parquet")
ENDINGS = (".jsonl", ".parquet", ".npy", "index", "index")
# Every so many rows one has no text.
EMPTY = 50
SOON = Backoff(first=0.05, cap=1)
# Seconds within which a job that makes no progress ends, and is resumed.
STALL = 20.0


@attrs.define
class Jobs:
    """Jobs in this process and in others, whose documents are accounted for: ``documents`` are those that were."""

    ml: Session
    world: World
    tally: Tally
    chance: random.Random
    made: int = 0
    documents: int = 0
    runs: Counter[str] = attrs.field(factory=Counter)

    async def job(self) -> None:
        """Run a job into a file or the index to its end, through being left and resumed."""
        ending = ENDINGS[self.made % len(ENDINGS)]
        with tempfile.TemporaryDirectory() as place:
            folder, name = Path(place), self._name()
            source = await asyncio.to_thread(write, folder, name)
            while (report := await self._part(source, folder, ending, name)) is None:
                pass
            if ending == "index":
                found = await self.world.control(self.ml, "documents", prefix=f"{name}-")
                await self.world.control(self.ml, "forget", prefix=f"{name}-")
                held = {key: as_vector(one["embedding"]) for key, one in found.items()}
            else:
                held = await asyncio.to_thread(vectors_in, folder / f"out{ending}")
            self._account(name, held, report.read, report.written, report.failed)
            await asyncio.to_thread(self._letters, name, folder / "dead")

    async def _part(self, source: Path, folder: Path, ending: str, name: str) -> Report | None:
        """Run it once; return None if it was left, or an error ended it, so that it is to be resumed."""
        files: dict[str, Any] = {"checkpoint": folder / "job", "dead_letters": folder / "dead"}
        sink: Any = folder / f"out{ending}"
        if ending == "index":
            sink = IndexSink(self.ml, INDEX.removeprefix("/"), backoff=SOON)
        how: dict[str, Any] = {"batch": 8, "checkpoint_every": 2, "requests_per_minute": 900, "stall_timeout": STALL}
        running = self.ml.ingest(source, model=self.world.model_id, sink=sink, backoff=SOON, **files, **how)
        try:
            async with running as job:
                with anyio.move_on_after(self.chance.choice([0.3, 1.0, 3.0, 60.0])):
                    return await job
            self.runs["left"] += 1
        except MLCommonsError as error:
            self.runs[type(error).__name__] += 1
            await anyio.sleep(0.1)
        return None

    async def process(self) -> None:
        """Run a job in a process of its own, which is killed with -9 a few times, to its end."""
        with tempfile.TemporaryDirectory() as place:
            folder, name = Path(place), self._name()
            source = await asyncio.to_thread(write, folder, name)
            sink, note = folder / "out.jsonl", folder / "job"
            kills = self.chance.randint(1, 3)
            for turn in range(30):
                words = ("-m", "tests.support.job_process", self.world.nodes[1].url, source, sink, note)
                process = await asyncio.create_subprocess_exec(
                    sys.executable, *map(str, words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
                )
                try:
                    with anyio.move_on_after(self.chance.uniform(1, 4) if turn < kills else 60):
                        await process.wait()
                finally:
                    if process.returncode is None:
                        process.kill()
                        self.runs["killed"] += 1
                    out, why = await process.communicate()
                # A process that is killed after the job's end cannot tell of it, and no further one may do it again.
                if process.returncode == 0 or (sink.exists() and not note.exists()):
                    break
                await anyio.sleep(1)  # its node may be gone for some seconds, in which a job cannot begin
            else:
                raise WrongError(f"a job did not end in 30 runs: {why[-500:].decode()}")
            held = await asyncio.to_thread(vectors_in, sink)
            report: Mapping[str, int] = orjson.loads(out or b"{}")
            read, failed = report.get("read", len(TEXTS)), report.get("failed", len(TEXTS) - len(held))
            self._account(name, held, read, report.get("written", len(held)), failed)
            await asyncio.to_thread(self._letters, name, folder / "job.dead.jsonl")

    def _name(self) -> str:
        self.made += 1
        return f"j{self.made}"

    def _account(self, name: str, held: Mapping[str, Vectors], read: int, written: int, failed: int) -> None:
        """Compare what is held with what should be, and raise WrongError if it is not the same."""
        good = [number for number in range(len(TEXTS)) if number % EMPTY]
        if (read, written, failed) != (len(TEXTS), len(good), len(TEXTS) - len(good)):
            raise WrongError(f"{name}: {read} read, {written} written, {failed} failed")
        if set(held) != {f"{name}-{number}" for number in good}:
            raise WrongError(f"{name}: {len(held)} of {len(good)} documents are there")
        for number in good:
            if not np.allclose(held[f"{name}-{number}"], self.world.vectors[number], atol=1e-5):
                raise WrongError(f"{name}-{number} has another vector")
        self.documents += read

    def _letters(self, name: str, path: Path) -> None:
        found = [document["id"] for document in dead_documents(path)]
        if sorted(found) != sorted(f"{name}-{number}" for number in range(0, len(TEXTS), EMPTY)):
            raise WrongError(f"{name}: {len(found)} dead letters")


def write(folder: Path, name: str) -> Path:
    """Write the source of a job."""
    rows = [{"id": f"{name}-{at}", "text": text if at % EMPTY else ""} for at, text in enumerate(TEXTS)]
    path = folder / "rows.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return path


def vectors_in(path: Path) -> dict[str, Vectors]:
    """Return the vectors in a file by id. Raises WrongError if one is there twice."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        pairs = list(zip(table["id"].to_pylist(), table["embedding"].to_pylist(), strict=True))
    elif path.suffix == ".npy":
        lines = path.with_name(f"{path.name}.ids.jsonl").read_bytes().splitlines()
        pairs = list(zip([orjson.loads(line)["id"] for line in lines], np.load(path), strict=True))
    else:
        pairs = [(one["id"], one["embedding"]) for one in map(orjson.loads, path.read_bytes().splitlines())]
    found = {key: np.array(vector, np.float32) for key, vector in pairs}
    if len(found) != len(pairs):
        raise WrongError(f"{path.name} has {len(pairs) - len(found)} documents twice")
    return found
