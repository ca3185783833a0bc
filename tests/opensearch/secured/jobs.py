"""Bulk jobs of users into the cluster, with a fault in their middle, and the accounts of every document."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import attrs
import pytest

from aiomlcommons import Backoff, MLCommonsError, Session, emulator
from aiomlcommons.ingest import IndexSink, Report
from aiomlcommons.ingest.types import Rows

MODEL = "opensearch-neural-sparse-encoding-doc-v2-mini"
ROWS, AT_ONCE = 120, 20
# A job meets the fault here, and goes no further than there before the fault has struck.
MIDDLE, LIMIT = 40, 80
# Seconds that a job waits for a cluster; nodes take minutes to start on a machine that many share.
PATIENCE = 600.0
SOON = Backoff(first=0.1, cap=1)


@attrs.define
class Moment:
    """The moment of a fault: it strikes when ``jobs`` jobs are in their middle, and none ends before it has struck.

    ``then`` is what follows, such as a start of what was killed, while the jobs go on.
    """

    strike: Callable[[], Awaitable[object]]
    then: Callable[[], Awaitable[object]] | None = None
    jobs: int = 1
    middle: int = MIDDLE
    limit: int = LIMIT
    due: anyio.Event = attrs.field(factory=anyio.Event)
    struck: anyio.Event = attrs.field(factory=anyio.Event)

    async def run(self) -> None:
        """Wait until it is due, and strike."""
        await self.due.wait()
        with anyio.CancelScope(shield=True):  # a job may end by the fault before it has struck to its end
            await self.strike()
        self.struck.set()
        if self.then is not None:
            await self.then()

    async def passed(self, row: int) -> None:
        """Note that a job reads a row, and hold it back if the fault is still to come."""
        if row == self.middle:
            self.jobs -= 1
            if self.jobs == 0:
                self.due.set()
        if row == self.limit:
            await self.struck.wait()


Running: TypeAlias = Callable[[Moment], Awaitable[Any]]


@attrs.define
class Numbered:
    """A source of numbered documents."""

    moment: Moment | None = None
    name: str = "numbered"

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield rows from a number on."""
        for first in range(position or 0, ROWS, AT_ONCE):
            if self.moment is not None:
                await self.moment.passed(first)
            yield Rows(first, [{"id": f"d{row}", "text": text_of(row)} for row in range(first, first + AT_ONCE)], first)

    async def count(self) -> int:
        """Return the number of rows."""
        return ROWS


@attrs.define
class Work:
    """The job of one user into one index: ``run`` begins it, or resumes it."""

    ml: Session
    folder: Path
    name: str

    @property
    def index(self) -> str:
        """The index, which users may write into."""
        return f"jobs-{self.name}"

    async def run(self, target: Session, moment: Moment | None = None) -> Report:
        """Embed all rows into the index of a cluster."""
        sink = IndexSink(target, self.index, create=True, backoff=SOON, stall_timeout=PATIENCE)
        files = {"checkpoint": self.folder / f"{self.name}.job", "dead_letters": self.folder / f"{self.name}.dead"}
        how: dict[str, Any] = {"batch": AT_ONCE, "checkpoint_every": 2, "stall_timeout": PATIENCE, **files}
        return await self.ml.ingest(Numbered(moment), model=MODEL, sink=sink, backoff=SOON, **how)

    async def check(self, admin: Session, report: Report) -> None:
        """Check the accounts: each document is there once, with its own weights, and there are no dead letters."""
        assert (report.read, report.written, report.failed, report.balanced) == (ROWS, ROWS, 0, True), str(report)
        assert not (self.folder / f"{self.name}.dead").exists()
        await admin.indices.refresh(self.index)
        found = (await admin.request("GET", f"/{self.index}/_search", query={"size": "10000"})).json()["hits"]["hits"]
        texts = {hit["_id"]: hit["_source"]["text"] for hit in found}
        assert texts == {f"d{row}": text_of(row) for row in range(ROWS)}
        assert len(found) == ROWS
        model = (await self.ml.models.ensure(MODEL)).model_id
        expected = await self.ml.sparse(model, list(texts.values()))
        for hit, weights in zip(found, expected, strict=True):
            assert _equal(hit["_source"]["embedding"], dict(weights))


@asynccontextmanager
async def embedding() -> AsyncGenerator[Session]:
    """Yield a session with a model that embeds, which the cluster of the cases lacks."""
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        yield ml


async def together(moment: Moment, *runs: Running) -> list[Any]:
    """Run jobs, and a fault when all are in their middle; return their reports."""
    reports: list[Any] = [None] * len(runs)

    async def fill(number: int, run: Running) -> None:
        reports[number] = await run(moment)

    async with anyio.create_task_group() as group:
        group.start_soon(moment.run)
        for number, run in enumerate(runs):
            group.start_soon(fill, number, run)
    return reports


async def ended(moment: Moment, run: Running) -> MLCommonsError:
    """Return the error that ends a job in which a fault strikes."""
    with pytest.raises(ExceptionGroup) as caught:
        await together(moment, run)
    (error,) = caught.value.exceptions
    assert isinstance(error, MLCommonsError)
    return error


def text_of(row: int) -> str:
    """Return the text of a row."""
    return f"proverb number {row} of wise men"


def _equal(stored: dict[str, float], expected: dict[str, float]) -> bool:
    return stored.keys() == expected.keys() and all(
        math.isclose(stored[token], weight, rel_tol=1e-5) for token, weight in expected.items()
    )
