"""A source and a sink in memory, and a model on an emulator, for tests of whole jobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import attrs

from aiomlcommons import Backoff, Session
from aiomlcommons.emulator import Emulator
from aiomlcommons.ingest.embedding.model import job_model
from aiomlcommons.ingest.job import Job, ingesting
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.sinks import open_sink
from aiomlcommons.ingest.sinks.file_sink import BlockingSink
from aiomlcommons.ingest.state.dead_letters import DeadLetters
from aiomlcommons.ingest.types import BadRow, Documents, Refused, Row, Rows

NOW = Backoff(first=0, cap=0)
POISON = "poison"


@attrs.define
class Memory:
    """A source: rows from a list, some at a time, ``pause`` seconds apart; a position is the first row's number."""

    rows: Sequence[Row | BadRow]
    at_once: int = 50
    name: str = "memory"
    fails_at: int | None = None
    pause: float = 0.0

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        for first in range(position or 0, len(self.rows), self.at_once):
            if self.fails_at is not None and first >= self.fails_at:
                raise OSError(f"row {first} cannot be read")
            if self.pause:
                await anyio.sleep(self.pause)
            yield Rows(first, self.rows[first : first + self.at_once], first)

    async def count(self) -> int | None:
        return len(self.rows)


@attrs.define
class Shelf:
    """A sink that stores documents by id; what was not flushed is lost when it is reopened, as in a crash."""

    name: str = "shelf"
    concurrent: bool = False
    durable: dict[str, Any] = attrs.field(factory=dict)
    taken: dict[str, Any] = attrs.field(factory=dict)
    writes: list[str] = attrs.field(factory=list)
    refuses: Callable[[str], str] = lambda _: ""
    complete: bool | None = None

    async def open(self, state: Any) -> None:
        self.taken = dict(self.durable)
        assert state is None or state == len(self.durable)

    async def write(self, batch: Documents, /) -> Sequence[Refused]:
        refused = [Refused(i, why) for i, key in enumerate(batch.ids) if (why := self.refuses(key))]
        out = {one.index for one in refused}
        kept = [i for i in range(len(batch)) if i not in out]
        self.writes += [batch.ids[i] for i in kept]
        self.taken |= {batch.ids[i]: batch.vectors[i] for i in kept}
        return refused

    async def flush(self) -> Any:
        self.durable = dict(self.taken)
        return len(self.durable)

    async def close(self, *, complete: bool) -> None:
        self.complete = complete


def outputs(path: Path | str) -> set[str]:
    """Return the names of the files that a job with this output leaves."""
    sink = open_sink(path)
    assert isinstance(sink, BlockingSink)
    return {one.name for one in sink.outputs}


def documents(count: int) -> list[Row]:
    return [{"id": f"d{number}", "text": f"text number {number}"} for number in range(count)]


@attrs.frozen
class JobsOnAnEmulator:
    """An emulator, a session on it, a model, and a folder for the job's files."""

    emulator: Emulator
    ml: Session
    model_id: str
    folder: Path

    @asynccontextmanager
    async def job(self, source: Memory, sink: Shelf, *, id: str | None = "id", **options: Any) -> AsyncGenerator[Job]:
        model = await job_model(self.ml, self.model_id)
        own: Mapping[str, Any] = {"checkpoint": self.folder / "job.checkpoint", "id": id}
        running: AbstractAsyncContextManager[Job] = ingesting(
            model,
            source,
            sink,
            header={},
            dead_letters=DeadLetters(self.folder / "job.dead"),
            target=sink.name,
            options=JobOptions(**{"backoff": NOW, "batch": 10, "checkpoint_every": 3, **own, **options}),
        )
        async with running as job:
            yield job

    def poison(self) -> None:
        """Let the model fail on every batch that contains a certain word."""

        async def action(request: Any, go: Any) -> Any:
            if POISON.encode() in await request.read():
                return self._refused()
            return await go()

        from aiomlcommons.emulator.faults import PREDICTIONS

        self.emulator.faults.add(action, on=PREDICTIONS, times=None)

    def _refused(self) -> Any:
        from aiomlcommons.emulator.errors import refused

        raise refused(500, "translate_exception", "the text cannot be translated")


@asynccontextmanager
async def jobs_on_an_emulator(folder: Path) -> AsyncGenerator[JobsOnAnEmulator]:
    """Serve an emulator with a deployed model."""
    emulator = Emulator()
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        ensured = await ml.models.ensure("all-MiniLM-L6-v2", backoff=NOW)
        yield JobsOnAnEmulator(emulator, ml, ensured.model_id, folder)
