"""Files of a job: checkpoint, seen ids, vector cache and dead letters, opened and closed together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import attrs

from aiomlcommons.ingest.embedding.cache import CacheFile
from aiomlcommons.ingest.errors import SeenError
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.preflight import BESIDE
from aiomlcommons.ingest.rows.checked_rows import CheckedRows
from aiomlcommons.ingest.state.checkpoint import Checkpoint, CheckpointFile
from aiomlcommons.ingest.state.dead_letters import DeadLetters
from aiomlcommons.ingest.state.seen_ids import SeenIds


@attrs.frozen
class JobFiles:
    """The files of a job besides its output. Opening and closing block: call them in a thread."""

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
        options: JobOptions,
        kind: Mapping[str, Any],
        target: str,
        *,
        anew: bool = False,
    ) -> JobFiles:
        """Open or create the files; ``kind`` is that of the model. ``anew`` drops the checkpoint of an earlier job.

        Raises WrongJob, JobUnderWay, SeenError, CacheError, OSError.
        """
        path = options.checkpoint
        ids = None if path is None else Path(f"{path}.seen")
        if path is not None and ids is not None and not anew:
            found = CheckpointFile.check(path, header)
            if found is not None and not found.finished and not ids.exists():
                raise SeenError(f"{ids} is gone, without which the job cannot be resumed: remove {path} to begin anew")
        with ExitStack() as opened:
            # Before the checkpoint is touched: the lock of this file is the lock of the job.
            seen = opened.enter_context(closing(SeenIds(ids)))
            if path is not None and anew:
                Path(path).unlink(missing_ok=True)
            checkpoint_file, checkpoint = (
                CheckpointFile.open(path, header) if path is not None else (None, Checkpoint())
            )
            if checkpoint_file is not None:
                opened.callback(checkpoint_file.close)
            if checkpoint == Checkpoint():
                # Ids that another job left in the file would make rows of this one duplicates.
                seen.forget()
            cache = None
            if options.cache is not None:
                cache = opened.enter_context(closing(CacheFile(options.cache, kind, target)))
            opened.callback(dead_letters.close)
            return cls(checkpoint_file, checkpoint, seen, cache, dead_letters, opened.pop_all().close)

    def discard(self) -> None:
        """Remove the checkpoint and the files beside it, once they are closed."""
        if self.checkpoint_file is not None:
            remove_checkpoint(self.checkpoint_file.path)

    def duplicates(self, documents: CheckedRows) -> Sequence[int]:
        """Return the indices of documents whose id an earlier row had, and record the ids."""
        return self.seen.duplicates(documents.keys, documents.origins)

    def unchanged(self, documents: CheckedRows) -> Sequence[int]:
        """Return the indices of documents that were written before with the same text."""
        if self.cache is None:
            return ()
        known = self.cache.unchanged(list(zip(documents.ids, documents.texts, strict=True)))
        return [i for i, holds in enumerate(known) if holds]


def remove_checkpoint(path: Path) -> None:
    """Remove a checkpoint and the files beside it. It blocks."""
    # The checkpoint last: after a crash in between it still tells that the job is finished.
    for suffix in (*BESIDE["checkpoint"], ""):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
