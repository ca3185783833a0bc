"""The engine of a job: rows in, batches through the model, documents out, and a note of how far it is."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import anyio
import anyio.to_thread
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from aiomlcommons.concurrency import Results, fan_out
from aiomlcommons.ingest.embedding.batches import BatchEmbedder, EmbeddedBatch
from aiomlcommons.ingest.embedding.cache import CacheFile
from aiomlcommons.ingest.errors import JobStalled, ModelFails
from aiomlcommons.ingest.rows.batching import Batch, Batcher
from aiomlcommons.ingest.rows.tracking import Tracker
from aiomlcommons.ingest.state.checkpoint import Checkpoint, CheckpointFile
from aiomlcommons.ingest.state.dead_letters import DeadLetter, DeadLetters
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Documents, Retrying, Rows, Sink, Source

# Seconds that a write may go on for when the job is left. Half of a batch cannot be noted, and would be done again.
GRACE = 10.0


@attrs.define
class Engine:
    """Runs one job to its end. What was written and noted stays, however it ends.

    ``window`` is the most batches between source and sink, ``writers`` how many a concurrent sink is given at once;
    ``linger`` is how many seconds a batch waits to be full; a note is made after every ``checkpoint_every`` batches.
    ``torn`` batches are taken by the sink, and not yet for good. ``written`` is told of what is.
    """

    source: Source
    sink: Sink
    preparer: Batcher
    predictor: BatchEmbedder
    tracker: Tracker
    stats: Stats
    dead_letters: DeadLetters
    checkpoint_file: CheckpointFile | None
    checkpoint: Checkpoint
    written: CacheFile | None = None
    window: int = 32
    writers: int = 32
    ordered: bool = True
    linger: float | None = None
    checkpoint_every: int = 64
    torn: int = 0
    _broken: Exception | None = None
    _until: float = math.inf
    _writing: set[anyio.CancelScope] = attrs.field(factory=set)
    _fresh: list[tuple[str, str]] = attrs.field(factory=list)

    async def open(self) -> None:
        """Open the sink and the dead letters where the checkpoint says. Raises SinkError, OSError."""
        state, finished = self.checkpoint.sink or {}, self.checkpoint.finished
        self.torn = 1  # what cannot be opened must not be saved either
        self.stats.total = await self.source.count()
        await self.sink.open(state.get("state"))  # first: what another job writes into is refused here
        # Dead letters of a job that was finished may have been retried since: they are what there is now.
        length = await anyio.to_thread.run_sync(self.dead_letters.flush) if finished else state.get("letters")
        await anyio.to_thread.run_sync(self.dead_letters.open, length)
        self.torn = 0
        # From here on what lies in these files is this job's.
        await self.save()

    async def close(self, *, complete: bool) -> None:
        """Save the checkpoint of a job that was broken off, and close the sink, which ``complete`` makes appear."""
        try:
            # A sink that failed within a batch may have taken half of it: the checkpoint before it is the one to resume
            # from. A job that came to its end has saved its last one.
            if not complete and not self.torn:
                if isinstance(self.sink, Retrying):
                    self.sink.leave()
                await self.save()
        finally:
            await self.sink.close(complete=complete)
        if complete:
            # Only now: a job whose output did not become whole is not finished.
            await self._finish()

    async def run(self) -> None:
        """From the first row to the last. Raises what the source, the model or the sink ends with."""
        sender, receiver = anyio.create_memory_object_stream[Rows](1)
        with sender, receiver:
            async with anyio.create_task_group() as group:
                group.start_soon(self._read, sender)
                batches = self._batches(receiver)
                how: Any = {"concurrency": self.window, "ordered": self.ordered, "urgent": (JobStalled, ModelFails)}
                async with fan_out(self.predictor, batches, **how) as predicted:
                    await self._drain(predicted)
        await self.save()

    # ---- source to model -------------------------------------------------------------------------------------------

    async def _read(self, sender: MemoryObjectSendStream[Rows]) -> None:
        """Read ahead. An error waits for its turn: what was read before it is embedded and written."""
        with sender:
            try:
                async with aclosing(self.source.read(self.checkpoint.position, self.checkpoint.start)) as reading:
                    async for rows in reading:
                        await sender.send(rows)
            except Exception as error:
                self._broken = error

    async def _batches(self, receiver: MemoryObjectReceiveStream[Rows]) -> AsyncGenerator[Batch]:
        """Full batches as they are filled, the one that waited too long, and the last one."""
        while True:
            rows: Rows | None = None
            with anyio.move_on_after(self.linger if self.preparer.waiting else None):
                try:
                    rows = await receiver.receive()
                except anyio.EndOfStream:
                    break
            for batch in self.preparer.rest() if rows is None else await self._prepare(rows):
                yield batch
        if self.preparer.waiting:
            for batch in self.preparer.rest():
                yield batch
        if self._broken is not None:
            raise self._broken

    async def _prepare(self, rows: Rows) -> list[Batch]:
        self.tracker.read(rows.start, rows.position)
        if rows.share:
            self.stats.expect(rows.start + len(rows.rows), rows.share)
        self.stats.read += sum(rows.start + i not in self.tracker for i in range(len(rows.rows)))
        return await anyio.to_thread.run_sync(self.preparer.add, rows)

    # ---- model to sink ---------------------------------------------------------------------------------------------

    async def _drain(self, predicted: Results[EmbeddedBatch]) -> None:
        most = self.writers if self.sink.concurrent else 1
        places = anyio.Semaphore(most)
        whole = anyio.Event()
        async with anyio.create_task_group() as writers:
            writers.start_soon(self._hurry, whole)
            written = 0
            async for batch in predicted:
                await places.acquire()
                writers.start_soon(self._write, batch, places)
                written += 1
                if written % self.checkpoint_every == 0:
                    await self._save_between_writes(places, most)
            for _ in range(most):
                await places.acquire()
            whole.set()

    async def _hurry(self, whole: anyio.Event) -> None:
        """Where the job is left before it is whole, see that what is being written ends soon."""
        try:
            await whole.wait()
        finally:
            if not whole.is_set():
                self._until = anyio.current_time() + GRACE
                for scope in self._writing:
                    scope.deadline = self._until
                if isinstance(self.sink, Retrying):
                    self.sink.leave()

    async def _save_between_writes(self, places: anyio.Semaphore, most: int) -> None:
        """Note when no batch is being written: the sink's state is that of whole batches then."""
        for _ in range(most):
            await places.acquire()
        await self.save()
        for _ in range(most):
            places.release()

    async def _write(self, predicted: EmbeddedBatch, places: anyio.Semaphore) -> None:
        """Write a batch and account for it. Whoever cancels the job waits for that a little: half of it is torn."""
        self.torn += 1
        with anyio.CancelScope(shield=True, deadline=self._until) as scope:
            self._writing.add(scope)
            try:
                await self._take(predicted)
            finally:
                self._writing.remove(scope)
            self.torn -= 1
        places.release()

    async def _take(self, predicted: EmbeddedBatch) -> None:
        batch, dead_letters = predicted.batch, predicted.dead_letters
        refused = await self.sink.write(self._documents(predicted)) if batch else ()
        dead_letters = [*dead_letters, *(batch.fail(one.index, one.why) for one in refused)]
        if dead_letters:
            await anyio.to_thread.run_sync(self.dead_letters.write, dead_letters)
        self._settle(batch, {one.index for one in refused}, dead_letters)

    def _documents(self, predicted: EmbeddedBatch) -> Documents:
        batch = predicted.batch
        return Documents(batch.ids, batch.rows, batch.texts, predicted.vectors)

    def _settle(self, batch: Batch, refused: set[int], dead_letters: list[DeadLetter]) -> None:
        self.tracker.done(batch.numbers)
        self.tracker.done(batch.settled)
        self.stats.written += len(batch) - len(refused)
        self.stats.deduplicated += batch.deduplicated
        self.stats.skipped += batch.skipped
        self.stats.failed += len(dead_letters)
        if self.written is not None:
            self._fresh += [pair for i, pair in enumerate(zip(batch.ids, batch.texts, strict=True)) if i not in refused]

    # ---- the note --------------------------------------------------------------------------------------------------

    async def save(self) -> None:
        """Make all that was written durable, and note down that it is."""
        state: Any = await self.sink.flush()
        length = await anyio.to_thread.run_sync(self.dead_letters.flush)
        start, position = self.tracker.place()
        counts = {**self.stats.counts, "read": self.stats.settled}
        self.checkpoint = Checkpoint(
            done=self.tracker.below,
            beyond=self.tracker.beyond,
            start=start,
            position=position,
            sink={"state": state, "letters": length},
            counts=counts,
        )
        await self._write_checkpoint()
        if self.written is not None:
            # Only now: what is not noted will be read again, and must not be taken for an earlier job's.
            fresh, self._fresh = self._fresh, []
            await self.written.written(fresh)

    async def _finish(self) -> None:
        """Save that the job is finished."""
        self.checkpoint = attrs.evolve(self.checkpoint, finished=True)
        await self._write_checkpoint()

    async def _write_checkpoint(self) -> None:
        if self.checkpoint_file is not None:
            await anyio.to_thread.run_sync(self.checkpoint_file.write, self.checkpoint)
