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
from aiomlcommons.ingest.embedding.batches import Predicted, Predictor
from aiomlcommons.ingest.embedding.cache import VectorFile
from aiomlcommons.ingest.errors import JobStalled, ModelFails
from aiomlcommons.ingest.rows.batching import Batch, Preparer
from aiomlcommons.ingest.rows.tracking import Tracker
from aiomlcommons.ingest.state.checkpoint import Entry, Journal
from aiomlcommons.ingest.state.dead_letters import DeadLetters, Letter
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Documents, Retrying, Rows, Sink, Source

# Seconds that a write may go on for when the job is left. Half of a batch cannot be noted, and would be done again.
GRACE = 10.0


@attrs.define
class Engine:
    """Runs one job to its end. What was written and noted stays, however it ends.

    ``window`` is the most batches between source and sink, ``writers`` how many a concurrent sink is given at once;
    ``linger`` is how many seconds a batch waits to be full; a note is made after every ``note_every`` batches.
    ``torn`` batches are taken by the sink, and not yet for good. ``written`` is told of what is.
    """

    source: Source
    sink: Sink
    preparer: Preparer
    predictor: Predictor
    tracker: Tracker
    stats: Stats
    letters: DeadLetters
    journal: Journal | None
    entry: Entry
    written: VectorFile | None = None
    window: int = 32
    writers: int = 32
    ordered: bool = True
    linger: float | None = None
    note_every: int = 64
    torn: int = 0
    _broken: Exception | None = None
    _until: float = math.inf
    _writing: set[anyio.CancelScope] = attrs.field(factory=set)
    _fresh: list[tuple[str, str]] = attrs.field(factory=list)

    async def run(self) -> None:
        """From the first row to the last. Raises what the source, the model or the sink ends with."""
        sender, receiver = anyio.create_memory_object_stream[Rows](1)
        with sender, receiver:
            async with anyio.create_task_group() as group:
                group.start_soon(self._read, sender)
                batches = self._batches(receiver)
                how: Any = {"in_flight": self.window, "ordered": self.ordered, "urgent": (JobStalled, ModelFails)}
                async with fan_out(self.predictor, batches, **how) as predicted:
                    await self._drain(predicted)
        await self.note()

    # ---- source to model -------------------------------------------------------------------------------------------

    async def _read(self, sender: MemoryObjectSendStream[Rows]) -> None:
        """Read ahead. An error waits for its turn: what was read before it is embedded and written."""
        with sender:
            try:
                async with aclosing(self.source.read(self.entry.mark, self.entry.start)) as reading:
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
        self.tracker.read(rows.start, rows.mark)
        if rows.share:
            self.stats.expect(rows.start + len(rows.rows), rows.share)
        self.stats.read += sum(rows.start + i not in self.tracker for i in range(len(rows.rows)))
        return await anyio.to_thread.run_sync(self.preparer.add, rows)

    # ---- model to sink ---------------------------------------------------------------------------------------------

    async def _drain(self, predicted: Results[Predicted]) -> None:
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
                if written % self.note_every == 0:
                    await self._note_whole(places, most)
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

    async def _note_whole(self, places: anyio.Semaphore, most: int) -> None:
        """Note when no batch is being written: the sink's state is that of whole batches then."""
        for _ in range(most):
            await places.acquire()
        await self.note()
        for _ in range(most):
            places.release()

    async def _write(self, predicted: Predicted, places: anyio.Semaphore) -> None:
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

    async def _take(self, predicted: Predicted) -> None:
        batch, letters = predicted.batch, predicted.letters
        refused = await self.sink.write(self._documents(predicted)) if batch else ()
        letters = [*letters, *(batch.fail(one.index, one.why) for one in refused)]
        if letters:
            await anyio.to_thread.run_sync(self.letters.write, letters)
        self._settle(batch, {one.index for one in refused}, letters)

    def _documents(self, predicted: Predicted) -> Documents:
        batch = predicted.batch
        return Documents(batch.ids, batch.rows, batch.texts, predicted.vectors)

    def _settle(self, batch: Batch, refused: set[int], letters: list[Letter]) -> None:
        self.tracker.done(batch.numbers)
        self.tracker.done(batch.settled)
        self.stats.written += len(batch) - len(refused)
        self.stats.deduplicated += batch.deduplicated
        self.stats.skipped += batch.skipped
        self.stats.failed += len(letters)
        if self.written is not None:
            self._fresh += [pair for i, pair in enumerate(zip(batch.ids, batch.texts, strict=True)) if i not in refused]

    # ---- the note --------------------------------------------------------------------------------------------------

    async def note(self) -> None:
        """Make all that was written durable, and note down that it is."""
        state: Any = await self.sink.flush()
        length = await anyio.to_thread.run_sync(self.letters.flush)
        start, mark = self.tracker.place()
        counts = {**self.stats.counts, "read": self.stats.settled}
        self.entry = Entry(
            done=self.tracker.below,
            beyond=self.tracker.beyond,
            start=start,
            mark=mark,
            sink={"state": state, "letters": length},
            counts=counts,
        )
        await self._write_down()
        if self.written is not None:
            # Only now: what is not noted will be read again, and must not be taken for an earlier job's.
            fresh, self._fresh = self._fresh, []
            await self.written.written(fresh)

    async def finish(self) -> None:
        """Note down that the job is finished."""
        self.entry = attrs.evolve(self.entry, finished=True)
        await self._write_down()

    async def _write_down(self) -> None:
        if self.journal is not None:
            await anyio.to_thread.run_sync(self.journal.write, self.entry)
