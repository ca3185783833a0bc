"""The files of one job: checkpoint, seen ids, cache and dead letters, opened and closed together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import attrs

from aiomlcommons.ingest.embedding.cache import CacheFile
from aiomlcommons.ingest.embedding.model import JobModel
from aiomlcommons.ingest.errors import SeenError
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.rows.checking import CheckedRow
from aiomlcommons.ingest.state.checkpoint import Checkpoint, CheckpointFile
from aiomlcommons.ingest.state.dead_letters import DeadLetters
from aiomlcommons.ingest.state.seen_ids import SeenIds


@attrs.frozen
class JobFiles:
    """What a job keeps beside its output. Opening and closing are blocking: call them in a thread."""

    checkpoint_file: CheckpointFile | None
    checkpoint: Checkpoint
    seen: SeenIds
    cache: CacheFile | None
    dead_letters: DeadLetters
    close: Callable[[], None]

    @classmethod
    def open(
        cls,
        header: Mapping[str, Any],
        dead_letters: DeadLetters,
        settings: JobOptions,
        model: JobModel,
        target: str,
    ) -> JobFiles:
        """Open them. Raises WrongJob, JobUnderWay, SeenError, CacheError, OSError."""
        path = settings.checkpoint
        ids = None if path is None else Path(f"{path}.seen")
        if path is not None and ids is not None and CheckpointFile.check(path, header) and not ids.exists():
            raise SeenError(f"{ids} is gone, with the ids that the job has seen: remove {path} to begin anew")
        with ExitStack() as opened:
            # Before the checkpoint is written to: whoever holds the lock of the ids has the job.
            seen = opened.enter_context(closing(SeenIds(ids)))
            checkpoint_file, checkpoint = (
                CheckpointFile.open(path, header) if path is not None else (None, Checkpoint())
            )
            if checkpoint_file is not None:
                opened.callback(checkpoint_file.close)
            if checkpoint == Checkpoint():
                # What another job left there would pass for rows of this one.
                seen.forget()
            cache = None
            if settings.cache is not None:
                cache = opened.enter_context(closing(CacheFile(settings.cache, model.kind, target)))
            opened.callback(dead_letters.close)
            return cls(checkpoint_file, checkpoint, seen, cache, dead_letters, opened.pop_all().close)

    def twice(self, documents: Sequence[CheckedRow]) -> list[bool]:
        """Of each document, whether an earlier row had its id."""
        return self.seen.add([(one.id, one.number) for one in documents])

    def unchanged(self, documents: Sequence[CheckedRow]) -> list[bool]:
        """Of each document, whether it was written before with the same text."""
        known = [(one.id, one.text) for one in documents]
        return self.cache.unchanged(known) if self.cache is not None else [False] * len(known)
