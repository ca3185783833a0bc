"""Pipeline of a job: read ahead, batch, embed concurrently, write, checkpoint.

The hand-off between stages is bounded, so that a slow sink or model puts backpressure on the source. Delivery is at
least once: after a crash the batches since the last checkpoint are written again, under the same ids.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import anyio
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from aiomlcommons.concurrency import Results, fan_out
from aiomlcommons.ingest.embedding.batches import EmbeddedBatch, Embedder, WrittenBatch
from aiomlcommons.ingest.embedding.cache import CacheFile
from aiomlcommons.ingest.errors import JobStalled, ModelFails, SourceError
from aiomlcommons.ingest.events import JobEvents
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.rows.batching import Batch, Batcher
from aiomlcommons.ingest.rows.failure_limit import FailureLimit
from aiomlcommons.ingest.rows.tracking import Tracker
from aiomlcommons.ingest.state.checkpoint import Checkpoint, CheckpointFile
from aiomlcommons.ingest.state.dead_letters import DeadLetter, DeadLetters
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.threads import run_to_end
from aiomlcommons.ingest.types import Documents, Refused, Retrying, Rows, Sink, Source, TakesFailed, rows_for
from aiomlcommons.ingest.writing import Writers


@attrs.define
class Engine:
    """The pipeline of one job. What the last checkpoint covers is kept, however the job ends.

    Attributes:
        written: The cache that records what was written, for ``skip_unchanged``.
        window: The most batches between source and sink.
        writers: Concurrent writes to a sink that is ``concurrent``; any other gets one at a time.
        linger: Seconds that a batch waits to become full; None waits without limit.
        checkpoint_every: Batches between two checkpoints.
        torn: Writes that are in flight, or failed: no checkpoint matches the state of the sink while there are any.
        counted: Called with the counts of ``stats`` after each batch.
    """

    source: Source
    sink: Sink
    batcher: Batcher
    embedder: Embedder
    tracker: Tracker
    stats: Stats
    dead_letters: DeadLetters
    failures: FailureLimit
    checkpoint_file: CheckpointFile | None
    checkpoint: Checkpoint
    written: CacheFile | None = None
    window: int = 32
    writers: int = 32
    ordered: bool = True
    linger: float | None = None
    checkpoint_every: int = 64
    events: JobEvents = attrs.field(factory=JobEvents)
    torn: int = 0
    counted: Callable[[Mapping[str, int]], None] = lambda _: None
    _read_error: Exception | None = None
    _unsaved: list[tuple[str, str]] = attrs.field(factory=list)

    async def open(self) -> None:
        """Open the sink and the dead letters at the state in the checkpoint, and save it. Raises SinkError, OSError."""
        state, finished = self.checkpoint.sink or {}, self.checkpoint.finished
        self.torn = 1  # if opening fails, `close` must not save a checkpoint
        self.stats.total = await self.source.count()
        await self.sink.open(state.get("state"))  # first: this refuses a sink that another job is writing
        # The dead letters of a finished job may have been retried since: keep the file at its present length.
        length = await run_to_end(self.dead_letters.flush) if finished else state.get("dead_letters")
        await run_to_end(partial(self.dead_letters.open, length))
        self.torn = 0
        # From here on the contents of these files are covered by this job's checkpoint.
        await self.save()

    async def close(self, *, complete: bool) -> None:
        """Save the checkpoint of an interrupted job, and close the sink; ``complete`` publishes its output."""
        try:
            # A sink that failed during a write may hold half a batch, so the job resumes from the last checkpoint. A
            # job that succeeded has saved its final one already.
            if not complete and not self.torn:
                self._leave()
                await self.save()
        finally:
            await self.sink.close(complete=complete)
        if complete:
            # Only now: a job whose output could not be published is not finished.
            await self._finish()

    @property
    def began(self) -> bool:
        """Whether anything may have been written, so that there is something to resume."""
        return self.stats.settled > 0 or (self.torn > 0 and self.checkpoint.sink is not None)

    async def run(self) -> None:
        """Run to the last row. Raises the error of source, model or sink that ends the job."""
        sender, receiver = anyio.create_memory_object_stream[Rows](1)
        with sender, receiver:
            async with anyio.create_task_group() as group:
                group.start_soon(self._read, sender)
                batches = self._batches(receiver)
                options: Any = {"concurrency": self.window, "ordered": self.ordered, "urgent": (JobStalled, ModelFails)}
                async with fan_out(self.embedder, batches, **options) as embedded:
                    await self._drain(embedded)
        await self.save()
        self.failures.check(self.stats.settled, self.stats.failed, ended=True)

    # ---- source to model -------------------------------------------------------------------------------------------

    async def _read(self, sender: MemoryObjectSendStream[Rows]) -> None:
        """Read ahead. An error is raised only after the rows before it are embedded and written."""
        with sender:
            try:
                end = self.checkpoint.start
                async with aclosing(self.source.read(self.checkpoint.position, end)) as reading:
                    async for rows in reading:
                        end = rows.start + len(rows.rows)
                        await sender.send(rows)
                self._check_end(end)
            except Exception as error:
                self._read_error = error

    def _check_end(self, end: int) -> None:
        """Raise SourceError if the source has fewer rows than an earlier run settled."""
        if end < (settled := self.checkpoint.settled_below):
            raise SourceError(
                f"{self.source.name} ends after {end:,} rows, and had at least {settled:,} before: it was changed or "
                "replaced since; remove the checkpoint to begin anew"
            )

    async def _batches(self, receiver: MemoryObjectReceiveStream[Rows]) -> AsyncGenerator[Batch]:
        """Yield batches that are full, or have lingered long enough, and the last one."""
        while True:
            rows: Rows | None = None
            with anyio.move_on_after(self.linger if self.batcher.pending else None):
                try:
                    rows = await receiver.receive()
                except anyio.EndOfStream:
                    break
            for batch in self.batcher.flush() if rows is None else await self._batch(rows):
                yield batch
        if self.batcher.pending:
            for batch in self.batcher.flush():
                yield batch
        if self._read_error is not None:
            raise self._read_error

    async def _batch(self, rows: Rows) -> list[Batch]:
        self.tracker.read(rows.start, rows.position)
        if rows.share:
            self.stats.expect(rows.start + len(rows.rows), rows.share)
        self.stats.read += len(self.tracker.unsettled(rows.start, rows.start + len(rows.rows)))
        return await run_to_end(partial(self.batcher.add, rows))

    # ---- model to sink ---------------------------------------------------------------------------------------------

    async def _drain(self, embedded: Results[EmbeddedBatch | WrittenBatch]) -> None:
        """Write the batches; save a checkpoint now and then, while no write is in flight."""
        writers = Writers(self._write, self.writers if self.sink.concurrent else 1, self._leave)
        written = 0
        async with writers.running():
            async for batch in embedded:
                await writers(batch)
                written += 1
                if written % self.checkpoint_every == 0:
                    # The state of the sink covers whole batches then.
                    await writers.idle()
                    await self.save()

    def _leave(self) -> None:
        if isinstance(self.sink, Retrying):
            self.sink.leave()

    async def _write(self, embedded: EmbeddedBatch | WrittenBatch) -> None:
        """Write a batch and account for it."""
        self.torn += 1
        await self._write_documents(embedded)
        self.torn -= 1
        # Only now: what is written is whole, so that the job can be resumed.
        self.failures.check(self.stats.settled, self.stats.failed)

    async def _write_documents(self, embedded: EmbeddedBatch | WrittenBatch) -> None:
        batch, dead_letters = embedded.batch, embedded.dead_letters
        refused: Sequence[Refused] = ()
        if batch and isinstance(embedded, EmbeddedBatch):
            refused = await self.sink.write(self._documents(embedded))
        dead_letters = [*dead_letters, *(batch.fail(one.index, one.why) for one in refused)]
        if dead_letters:
            await run_to_end(partial(self.dead_letters.write, dead_letters))
            told = ((one.row, one.id, one.why, one.reason) for one in dead_letters)
            self.events.failed(told, printable(self.dead_letters.path))
            if isinstance(self.sink, TakesFailed):
                await self.sink.take_failed([one.document for one in dead_letters if isinstance(one.document, Mapping)])
        self._settle(batch, {one.index for one in refused}, dead_letters)

    def _documents(self, embedded: EmbeddedBatch) -> Documents:
        batch = embedded.batch
        rows = rows_for(self.sink, batch.rows)
        return Documents(batch.ids, rows, batch.texts, embedded.vectors, batch.numbers)

    def _settle(self, batch: Batch, refused: set[int], dead_letters: list[DeadLetter]) -> None:
        self.tracker.done(batch.numbers)
        if batch.settled:
            self.tracker.done(batch.settled)
        self.stats.written += len(batch) - len(refused)
        self.stats.deduplicated += batch.deduplicated
        self.stats.skipped += batch.skipped
        self.stats.failed += len(dead_letters)
        self.failures.add(dead_letters)
        self.counted(self.stats.counts)
        if self.written is not None:
            pairs = enumerate(zip(batch.ids, batch.texts, strict=True))
            self._unsaved += [pair for i, pair in pairs if i not in refused]

    # ---- checkpoints -----------------------------------------------------------------------------------------------

    async def save(self) -> None:
        """Make everything written durable, then save a checkpoint of it."""
        state: Any = await self.sink.flush()
        length = await run_to_end(self.dead_letters.flush)
        start, position = self.tracker.resume_from()
        counts = {**self.stats.counts, "read": self.stats.settled}
        self.checkpoint = Checkpoint(
            done=self.tracker.below,
            beyond=self.tracker.beyond,
            start=start,
            position=position,
            sink={"state": state, "dead_letters": length},
            counts=counts,
            dimension=self.embedder.dimension,
        )
        await self._write_checkpoint()
        if self.written is not None:
            # Only now: rows after the checkpoint are read again on resume, and must not pass for unchanged then.
            unsaved, self._unsaved = self._unsaved, []
            await self.written.written(unsaved)
        self.events.saved(self.stats.done, self.stats)

    async def _finish(self) -> None:
        """Mark the checkpoint as finished."""
        self.checkpoint = attrs.evolve(self.checkpoint, finished=True)
        await self._write_checkpoint()

    async def _write_checkpoint(self) -> None:
        if self.checkpoint_file is not None:
            await run_to_end(partial(self.checkpoint_file.write, self.checkpoint))
