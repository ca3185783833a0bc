"""``ml.ingest``: the mixin of a session that runs bulk jobs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from aiomlcommons.client import HasClient
from aiomlcommons.ingest.pacing.rate_limit import about_tokens
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.progress.event import Callback
from aiomlcommons.usage import AwaitedContext

if TYPE_CHECKING:
    from aiomlcommons.inference.methods import Side
    from aiomlcommons.ingest.job import Job
    from aiomlcommons.ingest.sources.chunks import Chunks, Split
    from aiomlcommons.ingest.stats import Report
    from aiomlcommons.ingest.types import Row
    from aiomlcommons.lifecycle.spec import Spec

WRITE = "`report = await ml.ingest(...)`, or `async with ml.ingest(...) as job:`"


class Ingestion(AwaitedContext["Job"]):
    """A bulk job that is not begun: await it for its Report, or enter it for the Job: ``async with ... as job:``.

    Awaiting it does what ``async with ml.ingest(...) as job: report = await job`` does.
    """

    async def __aenter__(self) -> Job:
        """Begin the job, and return it. Raises as ``ml.ingest`` does."""
        return await super().__aenter__()

    def __await__(self) -> Generator[Any, Any, Report]:
        """Run the job to its end, and return its report. Raises as ``ml.ingest`` does."""
        return self._result().__await__()


class Ingests(HasClient):
    """Bulk jobs: millions of documents, none lost, none duplicated."""

    def ingest(
        self,
        source: Any,
        *,
        model: Spec | str | None,
        sink: Any,
        text: str | Callable[[Row], str] = "text",
        text_default: str | None = None,
        id: str | Callable[[Row], Any] | None = "id",
        chunk: Chunks | Split | None = None,
        checkpoint: str | PathLike[str] | None = None,
        dead_letters: str | PathLike[str] | None = None,
        max_failures: float | None = None,
        overwrite: bool = False,
        ids: Literal["auto"] | None = None,
        batch: int = 64,
        batch_bytes: int = 1_000_000,
        concurrency: int | tuple[int, int] = (1, 64),
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        count_tokens: Callable[[str], int] = about_tokens,
        content_type: Side | None = None,
        ordered: bool = True,
        max_chars: int | None = None,
        cache: str | PathLike[str] | None = None,
        skip_unchanged: bool = False,
        linger: float | None = None,
        backoff: Backoff = Backoff(jitter=1),
        retry_budget: float = 100.0,
        stall_timeout: float = 600.0,
        redeploy: bool = True,
        checkpoint_every: int = 64,
        progress: bool | Callback = False,
    ) -> Ingestion:
        """Embed a source into a sink: ``report = await ml.ingest(...)``.

        ``async with ml.ingest(...) as job:`` begins the job and hands it out: ``job.stats`` are its counts so far,
        ``await job`` waits for its end, and leaving the context early ends it.

        Delivery is at-least-once and writing is idempotent by id, so each id ends in the sink once. Memory is bounded:
        a slow sink holds back the requests, and slow requests hold back the source (backpressure).

        Args:
            source: A path (.jsonl, .csv, .parquet and others, compressed or not; ``-`` is standard input), a glob, a
                folder, a list of Path objects, a URL (``s3://``, ``https://`` and others), a data frame or an Arrow
                table, an (async) iterable of rows or texts, a Series, an array, an Arrow column, or a Source.
            model: An id, a name or a spec, as ``ml.models.ensure`` takes it. None lets the server of an IndexSink embed
                the documents, by its ``pipeline`` or by semantic fields.
            sink: A path (.jsonl, .npy, .parquet), a function that takes Documents, or a Sink such as IndexSink.
            text: The field of a row's text, a path (``"meta.title"``), a template (``"{title} {body}"``), or a
                function. Without a model, which of the fields that the server embeds must have a text. Default: all.
            text_default: Stands for a field of ``text`` that is missing, null or NaN. Default: such a row is a dead
                letter.
            id: The field of a row's id, a path, or a function that finds it; None numbers the rows, as bare texts are
                anyway.
            chunk: Splits each row into documents with a chunk of its text: a Chunks, or a function from a text to its
                chunks. Their ids are ``ID#0``, ``ID#1``, ...; each counts as one row. Default: texts stay whole.
            checkpoint: A file from which the same call resumes after a crash (a write-ahead journal); removed at the
                end. Without one, an interrupted job starts over.
            dead_letters: A file for the documents that fail for good. Default: beside the checkpoint or the sink;
                the file of an earlier job is renamed with a number.
            max_failures: The most dead letters, as a number, or as a share of the rows (between 0 and 1) once there are
                100. Default: the first 1,000 rows may not all fail for one reason. ``math.inf`` is no limit.
            overwrite: Replace an existing output file, and documents of an index whose ids are the row numbers.
            ids: ``"auto"`` lets the server of an index make the ids of its documents; ``id`` then only tells
                duplicates. Writing is not idempotent then: a job that resumes writes the documents since its last
                checkpoint once more. Where an index takes no ids, as on Amazon OpenSearch Serverless, the default
                keeps them in a field: see IndexSink.
            batch: Documents per request; fewer where the server rejects so many.
            batch_bytes: Bytes of text per request; fewer where the server rejects so many.
            concurrency: Requests at once: a number, or the two bounds between which an adaptive limiter finds it. It
                stays below what the nodes' threads make use of, where they tell.
            requests_per_minute: A rate limit, kept evenly (a token bucket without a burst). Default: none.
            tokens_per_minute: A rate limit by the tokens of the texts.
            count_tokens: Counts the tokens of a text. Default: a fourth of its characters.
            content_type: Tells an asymmetric model what the texts are.
            ordered: Keep the source's order. Without it texts of like length travel together, which is faster.
            max_chars: A text of more characters is a dead letter. Default: no limit.
            cache: An SQLite file of vectors by model and text, shared by all jobs that name it. Without one only the
                last some thousand texts are known.
            skip_unchanged: Leave out documents that an earlier job with this cache wrote into the same sink with the
                same text and kind of model. Other fields are not compared. Not for a sink that is a new file.
            linger: Seconds that a batch waits for more documents. Default: until it is full.
            backoff: The delays between the attempts of a request. Default: full jitter, up to 10 s.
            retry_budget: Retries that all requests together have ahead; each five successes earn another one
                (a retry token bucket, as botocore's).
            stall_timeout: Seconds without a response that settles a request. After them the job ends: with JobStalled
                where it is the model's, with SinkError where it is an IndexSink's, and with the cluster's own error
                where it is an IndexSource's.
            redeploy: Deploy a model again that is gone from the nodes, as after a restart.
            checkpoint_every: Batches between two checkpoints.
            progress: True shows rates, counts and pauses in the terminal or the notebook; a function is called with a
                Progress some times a second, and awaited if it is async. What it raises ends the job, which can be
                resumed. Default: the steps of ensuring the model go to the log.

        Raises:
            InvalidRequest: An option is invalid, or two of them exclude each other; no row has a field that is named;
                or the output exists already.
            ValueError, TypeError: No sink writes files with this suffix, or the object is not a sink.
            NoSuchModel, BlockedBySetting, NotDeployed, TaskFailed: As ``ml.models.ensure`` raises them, with others.
            WrongJob: The checkpoint belongs to another job.
            JobUnderWay: The same job is running already.
            SourceError, SinkError, CacheError, SeenError, OSError: A file or an index cannot be read or written.
            ImportError: A file needs an optional library; the error names the extra to install.
            TooManyFailures: More documents fail than ``max_failures`` allows.
            JobStalled, ModelFails: No response within ``stall_timeout``, or the model fails whatever the text.
            ApiError: The cluster rejects requests whatever the document, or does not deploy the model.
            SessionClosed: The session is not open. Nothing was read.
            RowsLost: The counts of the report do not balance, which is a bug in this package.
        """

        def enter() -> AbstractAsyncContextManager[Job]:
            # Most programs that open a session run no bulk job, and need not wait for what only that needs.
            from aiomlcommons.ingest.options import JobOptions
            from aiomlcommons.ingest.start import start_job

            self._session._exchange.check_open()
            options = JobOptions(
                text=text,
                text_default=text_default,
                id=id,
                chunk=chunk,
                checkpoint=checkpoint,
                dead_letters=dead_letters,
                max_failures=max_failures,
                overwrite=overwrite,
                ids=ids,
                batch=batch,
                batch_bytes=batch_bytes,
                concurrency=concurrency,
                requests_per_minute=requests_per_minute,
                tokens_per_minute=tokens_per_minute,
                count_tokens=count_tokens,
                content_type=content_type,
                ordered=ordered,
                max_chars=max_chars,
                cache=cache,
                skip_unchanged=skip_unchanged,
                linger=linger,
                backoff=backoff,
                retry_budget=retry_budget,
                stall_timeout=stall_timeout,
                redeploy=redeploy,
                checkpoint_every=checkpoint_every,
            )
            return start_job(self._session, source, model=model, sink=sink, options=options, progress=progress)

        return Ingestion("ml.ingest(...)", WRITE, enter)
