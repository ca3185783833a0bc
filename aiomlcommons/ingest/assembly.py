"""A job's engine, put together from the files that it left and the settings that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import attrs

from aiomlcommons.ingest.embedding.batches import Predictor
from aiomlcommons.ingest.embedding.cache import Cache, Recent, VectorFile
from aiomlcommons.ingest.embedding.model import Embedder
from aiomlcommons.ingest.embedding.requests import Asker
from aiomlcommons.ingest.engine import Engine
from aiomlcommons.ingest.errors import SeenError
from aiomlcommons.ingest.options import Settings
from aiomlcommons.ingest.pacing.retry_budget import RetryBudget
from aiomlcommons.ingest.rows.batch_size import Sizes
from aiomlcommons.ingest.rows.batching import Preparer
from aiomlcommons.ingest.rows.checking import Checked
from aiomlcommons.ingest.rows.tracking import Tracker
from aiomlcommons.ingest.state.checkpoint import Entry, Journal
from aiomlcommons.ingest.state.dead_letters import DeadLetters
from aiomlcommons.ingest.state.seen_ids import Seen
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Sink, Source


@attrs.frozen
class Files:
    """What a job keeps beside its output. Opening and closing are blocking: call them in a thread."""

    journal: Journal | None
    entry: Entry
    seen: Seen
    cache: VectorFile | None
    letters: DeadLetters
    close: Callable[[], None]

    @classmethod
    def open(
        cls,
        header: Mapping[str, Any],
        letters: DeadLetters,
        settings: Settings,
        model: Embedder,
        target: str,
    ) -> Files:
        """Open them. Raises WrongJob, JobUnderWay, SeenError, CacheError, OSError."""
        checkpoint = settings.checkpoint
        met = None if checkpoint is None else Path(f"{checkpoint}.seen")
        if checkpoint is not None and met is not None and Journal.check(checkpoint, header) and not met.exists():
            raise SeenError(f"{met} is gone, with the ids that the job has met: remove {checkpoint} to begin anew")
        with ExitStack() as opened:
            # Before the journal is written to: whoever has the ids has the job.
            seen = opened.enter_context(closing(Seen(met)))
            journal, entry = Journal.open(checkpoint, header) if checkpoint is not None else (None, Entry())
            if journal is not None:
                opened.callback(journal.close)
            if entry == Entry():
                # What another job left there would pass for rows of this one.
                seen.forget()
            cache = None
            if settings.cache is not None:
                cache = opened.enter_context(closing(VectorFile(settings.cache, model.kind, target)))
            opened.callback(letters.close)
            return cls(journal, entry, seen, cache, letters, opened.pop_all().close)

    def twice(self, documents: Sequence[Checked]) -> list[bool]:
        """Of each document, whether an earlier row had its id."""
        return self.seen.add([(one.id, one.number) for one in documents])

    def unchanged(self, documents: Sequence[Checked]) -> list[bool]:
        """Of each document, whether it was written before with the same text."""
        known = [(one.id, one.text) for one in documents]
        return self.cache.unchanged(known) if self.cache is not None else [False] * len(known)


def engine_of(
    model: Embedder,
    source: Source,
    sink: Sink,
    files: Files,
    settings: Settings,
) -> Engine:
    """An engine that goes on where the files say."""
    entry, sizes, stats = files.entry, Sizes(settings.batch, settings.batch_bytes), Stats(clock=settings.clock)
    stats.resume(entry.counts)
    tracker = Tracker(entry.done, entry.beyond)
    tracker.read(entry.start, entry.mark)  # a run that fails before it reads keeps the place of the one before
    unchanged = files.unchanged if settings.skip_unchanged else None
    predictor = predictor_of(model, settings, stats, sizes, files.cache)
    return Engine(
        source=source,
        sink=sink,
        preparer=Preparer(settings.checker(), tracker, sizes, files.twice, unchanged, settings.alike),
        predictor=predictor,
        tracker=tracker,
        stats=stats,
        letters=files.letters,
        journal=files.journal,
        entry=entry,
        written=files.cache if settings.skip_unchanged else None,
        # As many more as wait for a slot, pause before a retry, or wait for their turn.
        window=max(32, 2 * predictor.ask.limiter.most),
        ordered=settings.ordered,
        note_every=settings.note_every,
        linger=settings.linger,
    )


def predictor_of(
    model: Embedder, settings: Settings, stats: Stats, sizes: Sizes | None = None, cache: Cache | None = None
) -> Predictor:
    """What asks the model, as the settings say."""
    limiter, rate = settings.limiter(model.most), settings.rate()
    how = (RetryBudget(settings.retries), stats, settings.backoff, settings.patience, rate, model.redeploy)
    ask = Asker(model.embed, limiter, *how)
    return Predictor(ask, stats, sizes or Sizes(settings.batch, settings.batch_bytes), cache or Recent())
