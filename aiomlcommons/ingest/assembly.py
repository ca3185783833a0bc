"""Assembly of a job's engine from its options and the state in its files."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiomlcommons.ingest.embedding.batches import BatchEmbedder
from aiomlcommons.ingest.embedding.cache import Cache, MemoryCache
from aiomlcommons.ingest.embedding.model import JobModel
from aiomlcommons.ingest.embedding.requests import ModelRequests
from aiomlcommons.ingest.engine import Engine
from aiomlcommons.ingest.events import JobEvents
from aiomlcommons.ingest.job_files import JobFiles
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.rows.batch_size import BatchSize
from aiomlcommons.ingest.rows.batching import Batcher, Screen
from aiomlcommons.ingest.rows.failure_limit import FailureLimit
from aiomlcommons.ingest.rows.tracking import Tracker
from aiomlcommons.ingest.server_side.embedder import PipelineEmbedder
from aiomlcommons.ingest.server_side.model import ServerModel
from aiomlcommons.ingest.server_side.requests import PipelineRequests
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Screening, Sink, Source, rows_for
from aiomlcommons.net.retry_budget import RetryBudget


def engine_of(
    model: JobModel | ServerModel,
    source: Source,
    sink: Sink,
    files: JobFiles,
    options: JobOptions,
    events: JobEvents,
) -> Engine:
    """Return an engine that resumes from the checkpoint in ``files``."""
    checkpoint, stats = files.checkpoint, Stats(clock=options.clock)
    sizes = BatchSize(options.batch, options.batch_bytes)
    stats.resume(checkpoint.counts)
    tracker = Tracker(checkpoint.done, checkpoint.beyond)
    # A run that fails before it reads must save the position of the run before.
    tracker.read(checkpoint.start, checkpoint.position)
    unchanged = files.unchanged if options.skip_unchanged else None
    refused = _screen(sink, sink) if isinstance(sink, Screening) else None
    embedder: BatchEmbedder | PipelineEmbedder
    if isinstance(model, ServerModel):
        embedder = pipeline_embedder_of(model, sink, options, stats, sizes, events)
    else:
        embedder = embedder_of(model, options, stats, sizes, files.cache, events)
        embedder.dimension = embedder.dimension or checkpoint.dimension
    return Engine(
        source=source,
        sink=sink,
        batcher=Batcher(options.checker(), tracker, sizes, files.duplicates, unchanged, options.alike, refused),
        embedder=embedder,
        tracker=tracker,
        stats=stats,
        dead_letters=files.dead_letters,
        failures=FailureLimit(files.dead_letters, options.max_failures, checkpoint.done),
        checkpoint_file=files.checkpoint_file,
        checkpoint=checkpoint,
        written=files.cache if options.skip_unchanged else None,
        # Twice the concurrency, for batches that wait for a slot, a retry, or their turn to be written.
        window=max(32, 2 * embedder.requests.limiter.most),
        # What the server embeds is written by then, and an index has no order.
        ordered=options.ordered and isinstance(model, JobModel),
        checkpoint_every=options.checkpoint_every,
        linger=options.linger,
        events=events,
    )


def _screen(sink: Sink, screening: Screening) -> Screen:
    return lambda ids, rows: screening.screen(ids, rows_for(sink, rows))


def embedder_of(
    model: JobModel,
    options: JobOptions,
    stats: Stats,
    sizes: BatchSize | None = None,
    cache: Cache | None = None,
    events: JobEvents | None = None,
) -> BatchEmbedder:
    """Return what embeds the batches of a job; without ``cache`` it remembers recent texts in memory."""
    requests = ModelRequests(**_pace(model, options, stats, events or JobEvents()), embed=model.embed)
    sizes = sizes or BatchSize(options.batch, options.batch_bytes)
    embedder = BatchEmbedder(requests, stats, sizes, cache or MemoryCache())
    embedder.dimension = model.dimension
    return embedder


def pipeline_embedder_of(
    model: ServerModel, sink: Sink, options: JobOptions, stats: Stats, sizes: BatchSize, events: JobEvents
) -> PipelineEmbedder:
    """Return what has a server embed the batches of a job."""
    requests = PipelineRequests(
        **_pace(model, options, stats, events),
        send=model.bulk.send,
        batch_size=model.batch_size,
        accepted=model.accepted,
        harmless=model.harmless,
    )
    return PipelineEmbedder(requests, model.bulk, sizes, partial(rows_for, sink))


def _pace(model: JobModel | ServerModel, options: JobOptions, stats: Stats, events: JobEvents) -> dict[str, Any]:
    """Return what the requests of a job share."""
    return {
        "limiter": options.limiter(model.most, model.start),
        "budget": RetryBudget.of(options.retry_budget),
        "stats": stats,
        "backoff": options.backoff,
        "stall_timeout": options.stall_timeout,
        "rate": options.rate(),
        "redeploy": model.redeploy,
        "events": events,
    }
