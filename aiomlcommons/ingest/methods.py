"""``ml.ingest``: what a session adds for bulk jobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol

from aiomlcommons.ingest.pacing.rate_limit import about_tokens
from aiomlcommons.lifecycle.spec import Spec
from aiomlcommons.net.backoff import Backoff

if TYPE_CHECKING:
    from aiomlcommons.client import Client
    from aiomlcommons.inference.methods import Side
    from aiomlcommons.ingest.job import Job
    from aiomlcommons.ingest.types import Row


class Ingests(Protocol):
    """Bulk jobs: millions of documents, nothing lost, nothing twice."""

    @property
    def _session(self) -> Client: ...

    @asynccontextmanager
    async def ingest(
        self,
        source: Any,
        *,
        model: Spec | str,
        sink: Any,
        text: str | Callable[[Row], str] = "text",
        id: str | Callable[[Row], Any] | None = "id",
        checkpoint: str | PathLike[str] | None = None,
        dead_letters: str | PathLike[str] | None = None,
        batch: int = 64,
        batch_bytes: int = 1_000_000,
        concurrency: int | tuple[int, int] = (1, 64),
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        count_tokens: Callable[[str], int] = about_tokens,
        content_type: Side | None = None,
        ordered: bool = True,
        longest: int | None = None,
        cache: str | PathLike[str] | None = None,
        skip_unchanged: bool = False,
        linger: float | None = None,
        backoff: Backoff = Backoff(),
        retries: float = 500.0,
        patience: float = 600.0,
        redeploy: bool = True,
        note_every: int = 64,
    ) -> AsyncGenerator[Job]:
        """Embed a source into a sink: ``async with ml.ingest(...) as job: report = await job``.

        ``source`` is a path (.jsonl, .csv, .parquet, compressed or not, ``-`` for standard input), an (async) iterable
        of rows, or a Source; ``sink`` a path (.jsonl, .npy, .parquet), a function that takes Documents, or a Sink.
        ``model`` is what ``ml.models.ensure`` takes. ``text`` names the field of a row's text, is a template such as
        ``"{title} {body}"``, or a function; ``id`` names the field of its id or finds it, None numbers the rows.

        ``checkpoint`` is a file that lets the same call go on where a killed one was; ``dead_letters`` is where the
        documents go that fail for good (default: beside the checkpoint or the sink; those of an earlier job are put
        aside). ``batch`` documents and ``batch_bytes`` of text travel together, fewer where the server refuses so many;
        ``concurrency`` requests are under way, always as many or found between two bounds (and below what the nodes'
        threads are good for, where they tell), and no more than ``requests_per_minute`` and ``tokens_per_minute``,
        evenly (``count_tokens`` tells how many a text has; by default a fourth of its characters). ``content_type``
        tells an asymmetric model what the texts are.

        ``ordered`` keeps the source's order; without it, texts of like length travel together. A text of more than
        ``longest`` characters fails; ``linger`` is how many seconds a batch waits to be full.

        A text that comes again within some thousands is embedded once; with ``cache``, an SQLite file of vectors by
        model and text, once for all jobs that name it. ``skip_unchanged`` leaves out documents that an earlier job with
        this cache wrote into the same sink with the same text and kind of model; what else has changed in them is not
        looked at, and a sink that is a new file cannot have it.

        ``retries`` is the budget that all retries share, and ``patience`` how many seconds the server may be away, be
        it the model's or that of an IndexSink or IndexSource, or the model be out of order. With ``redeploy`` a model
        that is gone from the nodes, as after a restart, is deployed again. The checkpoint is written after
        ``note_every`` batches.

        ``job.stats`` says how far it is. Raises InvalidRequest for settings that cannot be, WrongJob, JobUnderWay,
        SeenError, SourceError, SinkError, CacheError, JobStalled, ModelFails, OSError, ApiError, and what keeps the
        model from being deployed.
        """
        # Most programs that open a session run no bulk job, and need not wait for what only that needs.
        from aiomlcommons.ingest.options import Settings
        from aiomlcommons.ingest.start import start_job

        settings = Settings(
            text=text,
            id=id,
            checkpoint=checkpoint,
            dead_letters=dead_letters,
            batch=batch,
            batch_bytes=batch_bytes,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            count_tokens=count_tokens,
            content_type=content_type,
            ordered=ordered,
            longest=longest,
            cache=cache,
            skip_unchanged=skip_unchanged,
            linger=linger,
            backoff=backoff,
            retries=retries,
            patience=patience,
            redeploy=redeploy,
            note_every=note_every,
        )
        async with start_job(self._session, source, model=model, sink=sink, settings=settings) as job:
            yield job
