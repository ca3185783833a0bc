"""A job's engine, put together from the files that it left and the settings that it has."""

from __future__ import annotations

from aiomlcommons.ingest.embedding.batches import BatchEmbedder
from aiomlcommons.ingest.embedding.cache import Cache, MemoryCache
from aiomlcommons.ingest.embedding.model import JobModel
from aiomlcommons.ingest.embedding.requests import ModelRequests
from aiomlcommons.ingest.engine import Engine
from aiomlcommons.ingest.job_files import JobFiles
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.pacing.retry_budget import RetryBudget
from aiomlcommons.ingest.rows.batch_size import BatchSize
from aiomlcommons.ingest.rows.batching import Batcher
from aiomlcommons.ingest.rows.tracking import Tracker
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Sink, Source


def engine_of(
    model: JobModel,
    source: Source,
    sink: Sink,
    files: JobFiles,
    settings: JobOptions,
) -> Engine:
    """An engine that goes on where the files say."""
    checkpoint, sizes, stats = (
        files.checkpoint,
        BatchSize(settings.batch, settings.batch_bytes),
        Stats(clock=settings.clock),
    )
    stats.resume(checkpoint.counts)
    tracker = Tracker(checkpoint.done, checkpoint.beyond)
    tracker.read(
        checkpoint.start, checkpoint.position
    )  # a run that fails before it reads keeps the place of the one before
    unchanged = files.unchanged if settings.skip_unchanged else None
    predictor = predictor_of(model, settings, stats, sizes, files.cache)
    return Engine(
        source=source,
        sink=sink,
        preparer=Batcher(settings.checker(), tracker, sizes, files.twice, unchanged, settings.alike),
        predictor=predictor,
        tracker=tracker,
        stats=stats,
        dead_letters=files.dead_letters,
        checkpoint_file=files.checkpoint_file,
        checkpoint=checkpoint,
        written=files.cache if settings.skip_unchanged else None,
        # As many more as wait for a slot, pause before a retry, or wait for their turn.
        window=max(32, 2 * predictor.ask.limiter.most),
        ordered=settings.ordered,
        checkpoint_every=settings.checkpoint_every,
        linger=settings.linger,
    )


def predictor_of(
    model: JobModel, settings: JobOptions, stats: Stats, sizes: BatchSize | None = None, cache: Cache | None = None
) -> BatchEmbedder:
    """What asks the model, as the settings say."""
    limiter, rate = settings.limiter(model.most), settings.rate()
    how = (RetryBudget.of(settings.retry_budget), stats, settings.backoff, settings.stall_timeout, rate, model.redeploy)
    ask = ModelRequests(model.embed, limiter, *how)
    return BatchEmbedder(ask, stats, sizes or BatchSize(settings.batch, settings.batch_bytes), cache or MemoryCache())
