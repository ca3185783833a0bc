"""A job that embeds a source into a sink: started, watched, awaited, and gone on with after whatever ended it."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.backoff import Backoff
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.ingest.budget import RetryBudget
from aiomlcommons.ingest.dead_letter import DeadLetters
from aiomlcommons.ingest.engine import Engine
from aiomlcommons.ingest.journal import Entry, Journal
from aiomlcommons.ingest.limiter import Limiter
from aiomlcommons.ingest.predicting import Embed, Predictor
from aiomlcommons.ingest.preparing import IdOf, Preparer, TextOf
from aiomlcommons.ingest.seen import Seen
from aiomlcommons.ingest.stats import Report, Stats
from aiomlcommons.ingest.tracking import Tracker
from aiomlcommons.ingest.types import Row, Sink, Source

if TYPE_CHECKING:
    from aiomlcommons.session import Session

SPARSE = {FunctionName.SPARSE_ENCODING, FunctionName.SPARSE_TOKENIZE}


class Unbalanced(MLCommonsError):
    """The accounts of a job do not balance: a document was lost, which is a mistake of this package."""


@attrs.frozen(kw_only=True)
class Settings:
    """How a job is done; ``session.ingest`` says what each field is."""

    batch: int = 64
    batch_bytes: int = 1_000_000
    concurrency: int | tuple[int, int] = (1, 64)
    ordered: bool = True
    longest: int | None = None
    linger: float = math.inf
    backoff: Backoff = Backoff()
    budget: RetryBudget = attrs.field(factory=RetryBudget)
    patience: float = 600.0
    note_every: int = 64

    def limiter(self) -> Limiter:
        """What decides how many requests are under way."""
        if isinstance(self.concurrency, int):
            return Limiter.fixed(self.concurrency)
        least, most = self.concurrency
        return Limiter(least=least, most=most, start=min(most, max(least, 2)))


class Job:
    """A job that is under way: ``stats`` says how far it is, ``await job`` waits for its report.

    Raises what ended it: SourceError, JobStalled, ModelFails, OSError of the sink, ApiError.
    """

    def __init__(self, engine: Engine, report: Callable[[], Report]) -> None:
        self._engine, self._report = engine, report
        self._ended = anyio.Event()
        self._error: Exception | None = None

    @property
    def stats(self) -> Stats:
        """The accounts so far."""
        return self._engine.stats

    @property
    def succeeded(self) -> bool:
        """Whether it has come to its end."""
        return self._ended.is_set() and self._error is None

    def __await__(self) -> Generator[Any, Any, Report]:
        """Wait for the end."""
        return self._end().__await__()

    async def _end(self) -> Report:
        await self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._report()

    async def _run(self) -> None:
        try:
            await self._engine.run()
        except Exception as error:
            self._error = _single(error)
        self._ended.set()


def _single(error: Exception) -> Exception:
    """The first error itself: task groups wrap even one of them."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


@asynccontextmanager
async def ingesting(
    embed: Embed,
    source: Source,
    sink: Sink,
    *,
    text_of: TextOf,
    id_of: IdOf,
    header: Mapping[str, Any],
    checkpoint: str | PathLike[str] | None,
    dead_letters: str | PathLike[str],
    settings: Settings,
) -> AsyncGenerator[Job]:
    """A job, for as long as the context is open; leaving it early keeps what is done for the next call."""
    journal, entry = await anyio.to_thread.run_sync(partial(_journal, checkpoint, header))
    ids = Path(f"{checkpoint}.seen") if checkpoint else None
    # What another job left there would pass for rows of this one.
    seen = await anyio.to_thread.run_sync(partial(Seen, ids, fresh=entry == Entry()))
    stats = Stats()
    stats.resume(entry.counts)
    stats.total = await source.count()
    tracker = Tracker(entry.done, entry.beyond)
    tracker.read(entry.start, entry.mark)  # a run that fails before it reads keeps the place of the one before
    engine = Engine(
        source=source,
        sink=sink,
        preparer=Preparer(text_of, id_of, tracker, seen.add, settings.batch, settings.batch_bytes, settings.longest),
        predictor=Predictor(
            embed, settings.limiter(), settings.budget, stats, settings.backoff, patience=settings.patience
        ),
        tracker=tracker,
        stats=stats,
        letters=DeadLetters(dead_letters),
        journal=journal,
        entry=entry,
        ordered=settings.ordered,
        note_every=settings.note_every,
        linger=settings.linger,
    )
    job = Job(engine, lambda: Report.of(stats, dead_letters))
    failure: Exception | None = None
    try:
        await _open(engine)
        async with anyio.create_task_group() as group:
            group.start_soon(job._run)
            try:
                yield job
            except Exception as error:
                # The task group would wrap it; the caller's own error, or the job's, must come out as it is.
                failure = error
            group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await _close(engine, seen, complete=job.succeeded)
    if failure is not None:
        raise failure
    if job.succeeded and not job._report().balanced:
        raise Unbalanced(str(job._report()))


def _journal(checkpoint: str | PathLike[str] | None, header: Mapping[str, Any]) -> tuple[Journal | None, Entry]:
    return Journal.open(checkpoint, {"job": "ingest", **header}) if checkpoint is not None else (None, Entry())


async def _open(engine: Engine) -> None:
    state = engine.entry.sink or {}
    engine.torn = 1  # what cannot be opened must not be noted either
    await anyio.to_thread.run_sync(engine.letters.open, state.get("letters"))
    await engine.sink.open(state.get("state"))
    engine.torn = 0


async def _close(engine: Engine, seen: Seen, *, complete: bool) -> None:
    try:
        # A sink that failed within a batch may have taken half of it: the note before it is the one to go on from.
        if not engine.torn:
            await engine.note(finished=complete)
    finally:
        await engine.sink.close(complete=complete)
        await anyio.to_thread.run_sync(engine.letters.close)
        await anyio.to_thread.run_sync(seen.close)
        if engine.journal is not None:
            await anyio.to_thread.run_sync(engine.journal.close)


@attrs.frozen
class Embedder:
    """How a model embeds texts, what tells it from another model, and what its vectors are like."""

    embed: Embed
    identity: Mapping[str, Any]
    sparse: bool
    dimension: int | None


async def embedder(ml: Session, model_id: str) -> Embedder:
    """What a job needs to know of a model."""
    model = await ml.models.get(model_id)
    once = ml.options(retries=0)  # the job repeats requests itself, within its budget
    identity = {
        "model_id": model_id,
        "model": model.name,
        "version": model.model_version,
        "hash": model.model_content_hash_value,
    }
    if model.algorithm in SPARSE:
        return Embedder(partial(once.sparse, model_id), identity, sparse=True, dimension=None)
    dimension = model.model_config.embedding_dimension if model.model_config else None
    return Embedder(partial(once.embed_many, model_id), identity, sparse=False, dimension=dimension)


def by_field(name: str) -> Callable[[Row], Any]:
    """The value of a field."""

    def read(row: Row) -> Any:
        if name not in row:
            raise LookupError(f"it has no field {name!r}")
        return row[name]

    return read


def id_by(name: str | None) -> IdOf:
    """The value of a field, or the number of the row."""
    if name is None:
        return lambda _, number: number
    read = by_field(name)
    return lambda row, _: read(row)
