"""A bulk job into an index of a real cluster, and its accounts: read from the index and from the dead letters."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import attrs
import numpy as np
import numpy.typing as npt
import orjson

from aiomlcommons import MLCommonsError, Session
from aiomlcommons.ingest import IndexSink, Job, Report
from aiomlcommons.ingest.state.dead_letters import documents as dead_documents
from aiomlcommons.progress.event import Progress

Vectors = npt.NDArray[np.float32]
# The engine without native libraries: a node that lacks them crashes at the first vector.
FIELD = {"method": {"name": "hnsw", "engine": "lucene"}}
CREATE = {
    "settings": {"number_of_shards": 2, "number_of_replicas": 0},
    "mappings": {"properties": {"embedding": FIELD, "year": {"type": "integer"}}},
}
# How often a job is begun again that a fault has ended.
RUNS = 5
# Vectors of one text differ in the last bits, by what else is in the batch.
CLOSE = 1e-4
# Seconds that a trial may take, and those between two looks at a job.
ENOUGH, LOOK = 600.0, 0.01


def row(number: int) -> dict[str, Any]:
    """Return a row of the source: most are good, some have no text, no year, or the id of another one."""
    if number % 97 == 5:
        return {"id": f"d{number}", "text": "", "year": number}
    if number % 101 == 7:
        return {"id": f"d{number}", "text": f"text number {number}", "year": "none"}
    if number % 103 == 9:
        return {"id": "d0", "text": "the id of another one", "year": number}
    return {"id": f"d{number}", "text": f"text number {number}", "year": number}


def fate(number: int) -> str:
    """Return what becomes of a row: written, failed or deduplicated."""
    one = row(number)
    if not one["text"] or one["year"] == "none":
        return "failed"
    return "written" if one["id"] == f"d{number}" else "deduplicated"


@attrs.define
class IndexedJob:
    """A job of so many rows into an index, which is begun again as often as a fault ends it.

    ``words`` are the reasons for which it paused, ``ends`` the errors that ended it, in the package's words.
    """

    ml: Session
    folder: Path
    index: str
    model: str
    rows: int
    how: Mapping[str, Any] = attrs.field(factory=dict)
    words: list[str] = attrs.field(factory=list)
    ends: list[str] = attrs.field(factory=list)
    job: Job | None = None
    sink: IndexSink | None = None
    over: bool = False

    @property
    def dead(self) -> Path:
        """The file of the dead letters."""
        return self.folder / "dead.jsonl"

    def write_source(self) -> Path:
        """Write the file of the rows."""
        path = self.folder / "rows.jsonl"
        path.write_bytes(b"".join(orjson.dumps(row(n), option=orjson.OPT_APPEND_NEWLINE) for n in range(self.rows)))
        return path

    async def run(self, undone: asyncio.Event, runs: int = RUNS) -> Report:
        """Run the job to its end; what a fault ended is begun again when it is ``undone``. Raises the last error."""
        source = await asyncio.to_thread(self.write_source)
        try:
            for turn in range(runs):
                try:
                    return await self._once(source)
                except MLCommonsError as error:
                    self.ends.append(f"{type(error).__name__}: {error}")
                    if turn == runs - 1:
                        raise
                    await undone.wait()
        finally:
            self.over = True
        raise AssertionError

    async def _once(self, source: Path) -> Report:
        stall = self.how.get("stall_timeout", 300.0)
        self.sink = sink = IndexSink(self.ml, self.index, create=CREATE, stall_timeout=stall)
        options: dict[str, Any] = {
            "batch": 8,
            "checkpoint_every": 4,
            "stall_timeout": stall,
            "concurrency": (1, 8),
            **self.how,
        }
        files: dict[str, Any] = {"checkpoint": self.folder / "job", "dead_letters": self.dead}
        running = self.ml.ingest(source, model=self.model, sink=sink, progress=self._told, **files, **options)
        async with running as self.job:
            return await self.job

    def _told(self, progress: Progress) -> None:
        why = self._why()
        if why and why not in self.words:
            self.words.append(why)

    def _why(self) -> str:
        """Return why requests to the model or to the index pause; empty if none does."""
        return (self.job.stats.waiting or self.sink.waiting) if self.job is not None and self.sink is not None else ""

    async def reached(self, written: int) -> None:
        """Wait until so many documents are written, or an error ends the job."""

        def is_reached() -> bool:
            return bool(self.ends) or (self.job is not None and self.job.stats.written >= written)

        await self._until(is_reached, ENOUGH)

    async def felt(self, seconds: float) -> bool:
        """Wait until the job pauses, repeats a request or ends with an error; return whether it did in this time."""
        retried = self.job.stats.retried if self.job else 0

        def notices() -> bool:
            return bool(self._why() or self.ends) or (self.job is not None and self.job.stats.retried > retried)

        return await self._until(notices, seconds) or bool(self.words or self.ends)

    async def ended(self, seconds: float) -> None:
        """Wait until an error ends the job, or it is over."""
        await self._until(lambda: bool(self.ends), seconds)

    async def _until(self, holds: Callable[[], bool], seconds: float) -> bool:
        return await until(lambda: self.over or holds(), seconds) and holds()


async def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds, and return whether it does after so many seconds at the most."""
    with anyio.move_on_after(seconds):
        while not holds():  # noqa: ASYNC110 - a job tells its counts, but not when they change
            await anyio.sleep(LOOK)
    return holds()


async def problems(one: IndexedJob, report: Report, vectors: Vectors) -> list[str]:
    """Return what is wrong with the accounts of a job that is complete; ``vectors[n]`` is that of row ``n``."""
    numbers = {name: [n for n in range(one.rows) if fate(n) == name] for name in ("written", "failed", "deduplicated")}
    found = []
    for name, those in [("read", range(one.rows)), *numbers.items()]:
        if getattr(report, name) != len(those):
            found.append(f"{getattr(report, name)} {name} instead of {len(those)}")
    documents = await indexed(one.ml, one.index)
    wanted = {f"d{number}" for number in numbers["written"]}
    if lost := wanted - documents.keys():
        found.append(f"{len(lost)} lost, such as {min(lost)}")
    if odd := documents.keys() - wanted:
        found.append(f"{len(odd)} in the index that should not be, such as {min(odd)}")
    here = [number for number in numbers["written"] if f"d{number}" in documents]
    for number in here:
        source = documents[f"d{number}"]
        got = as_vector(source["embedding"])
        if got.shape != vectors[number].shape or not np.allclose(got, vectors[number], atol=CLOSE):
            found.append(f"the vector of d{number} is wrong")
        if {**source, "embedding": None} != {**row(number), "embedding": None}:
            found.append(f"the fields of d{number} are wrong")
    letters = await asyncio.to_thread(lambda: [document["id"] for document in dead_documents(one.dead)])
    if sorted(letters) != sorted(f"d{number}" for number in numbers["failed"]):
        found.append(f"{len(letters)} dead letters instead of {len(numbers['failed'])}")
    return found


async def indexed(ml: Session, index: str) -> dict[str, Any]:
    """Return the documents of an index by id, at most 10,000."""
    ready = ml.options(wait=60)
    await ready.request("POST", f"/{index}/_refresh")
    answer = await ready.request("POST", f"/{index}/_search", body={"size": 10_000, "query": {"match_all": {}}})
    return {hit["_id"]: hit["_source"] for hit in answer.json()["hits"]["hits"]}


def as_vector(value: str | Sequence[float]) -> Vectors:
    """Return a vector as the index holds it: numbers, or base64 of little-endian floats."""
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value), "<f4")
    return np.array(value, np.float32)
