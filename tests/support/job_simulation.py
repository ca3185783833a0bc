"""A simulated job on a virtual clock, run until it is complete: its faults, and the invariants that are checked.

Nothing happens by itself. ``rounds`` answers the requests to the model and lets time pass; everything else injects
faults.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar
from unittest import mock

import anyio
import attrs
import numpy as np

from aiomlcommons import NotFound
from aiomlcommons.ingest.embedding.model import JobModel
from aiomlcommons.ingest.embedding.model_check import HARMLESS
from aiomlcommons.ingest.errors import JobStalled, ModelFails
from aiomlcommons.ingest.job import Job, ingesting
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.state.dead_letters import DeadLetters
from aiomlcommons.ingest.stats import Report
from aiomlcommons.ingest.types import Documents
from tests.support.fakes import DIMENSION, KINDS, SINKS, Model, Tape, Threads, vector
from tests.support.job_accounts import Accounts, noted, read_dead_letters, tear, text_in
from tests.support.jobs import Memory
from tests.support.virtual_time import Loop

T = TypeVar("T")
# Files in memory are fast; and after a kill, written data is kept by the system on any disk.
MEMORY = Path("/dev/shm")  # noqa: S108 - each life has a folder of its own in it
OPEN_FILES = Path("/proc/self/fd")
ENDS = (OSError, JobStalled, ModelFails, NotFound)
LIMIT = 5_000
# Longer than any pause, and shorter than any stall timeout, which counts the time of a waiting request.
MOMENT = 9


@attrs.define(eq=False)
class Run:
    """A job from its start to its end.

    It is ``open`` while it is awaited, ``whole`` when it is complete, ``disturbed`` when its last checkpoint may fail.
    """

    options: JobOptions
    outer: anyio.CancelScope
    inner: anyio.CancelScope | None = None
    report: Report | None = None
    error: Exception | None = None
    open: bool = False
    whole: bool = False
    disturbed: bool = False
    cancels: int = 0
    given: list[int] = attrs.field(factory=list)


class Life:
    """A job over rows of some kinds into a kind of sink. ``met`` counts the events of the simulation."""

    def __init__(self, kinds: Sequence[str], sink: str, at_once: int, met: Counter[str]) -> None:
        self.kind, self.met = sink, met
        self.loop = Loop()
        self.base = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.exists() else None))
        self.threads = Threads()
        self.model = Model(self.checked(self.check_texts))
        self.source = Memory([KINDS[kind](i, i // 2) for i, kind in enumerate(kinds)], at_once)
        self.accounts = Accounts(self.source.rows, self.model.blamed)
        self.wrong: Exception | None = None
        self.patches = (
            mock.patch("anyio.to_thread.run_sync", self.threads),
            mock.patch("os.fsync", int),
            mock.patch("aiomlcommons.ingest.state.checkpoint.COMPACT", 2_000),
        )
        for patch in self.patches:
            patch.start()
        self.renew()

    def renew(self) -> None:
        """Create a job that has not started yet."""
        self.folder = Path(tempfile.mkdtemp(dir=self.base))
        self.sink: Tape = SINKS[self.kind](self.checked(self.check_batch))
        self.note = noted(self.folder)
        self.task: asyncio.Task[None] | None = None
        self.model.blamed.clear()

    def end(self) -> None:
        """Clean up."""
        if self.runs:
            self.broken_off()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        for patch in self.patches:
            patch.stop()
        shutil.rmtree(self.base)

    # ---- the job ---------------------------------------------------------------------------------------------------

    @property
    def runs(self) -> bool:
        return self.task is not None and not self.task.done()

    @property
    def done(self) -> bool:
        return self.task is not None and self.task.done() and self.run.whole

    def start(self, options: JobOptions, pause: float = 0.0, fails_at: int | None = None) -> None:
        """Start or resume; the source waits between rows, and fails at one."""
        self.met["started"] += 1
        self.lift()
        if self.removed:  # it was left when it had just finished: the next one begins anew
            self.note, self.sink.complete = noted(self.folder), False
        self.source.pause, self.source.fails_at = pause, fails_at
        self.task = self.loop.create_task(self._job(attrs.evolve(options, clock=self.loop.time)))
        self.loop.run(events=0)

    async def _job(self, options: JobOptions) -> None:
        self.run = run = Run(options, anyio.CancelScope())
        try:
            with run.outer:
                async with self._ingesting() as job:
                    await self._wait_for(job)
                run.whole = run.report is not None
        except ENDS as error:
            run.error = error
            self.met[type(error).__name__] += 1

    def _ingesting(self) -> AbstractAsyncContextManager[Job]:
        return ingesting(
            JobModel(self.model.embed, dimension=DIMENSION),
            self.source,
            self.sink,
            header={},
            dead_letters=DeadLetters(self.folder / "dead"),
            target=self.sink.name,
            options=attrs.evolve(self.run.options, checkpoint=self.folder / "job"),
        )

    async def _wait_for(self, job: Job) -> None:
        run = self.run
        run.open = True
        try:
            with anyio.CancelScope() as run.inner:
                run.report = await job
        finally:
            run.open = False

    def rounds(self, count: int, error: str = "") -> None:
        """Repeat: answer the requests to the model, and let a moment pass."""
        for _ in range(count):
            for question in list(self.model.questions):
                self.model.tell(question, error)
            self.loop.run(seconds=MOMENT, events=1)

    def to_the_end(self) -> None:
        """Without further faults a job completes, or the next one does if an earlier fault ends it."""
        self.lift()
        for _ in range(3):
            if self.done:
                return self.accounts.check_all(self.folder, self.sink)
            if not self.runs:
                self.start(JobOptions(batch=8, checkpoint_every=4))
            self._finish()
            self.check()
        raise AssertionError(f"it ends with {self.run.error!r} each time")

    def _finish(self) -> None:
        for _ in range(LIMIT):
            if not self.runs:
                return
            self.rounds(1)
        raise AssertionError("it hangs")

    # ---- trouble ---------------------------------------------------------------------------------------------------

    def lift(self) -> None:
        """Remove all faults."""
        self.sink.fails, self.threads.fails, self.source.fails_at = "", 0, None

    def fail(self, moment: str | int, *, late: bool) -> None:
        """Let the sink fail at a method, or the blocking work that comes so many calls from now."""
        self.run.disturbed = True
        if isinstance(moment, str):
            self.sink.fails = moment
        else:
            self.threads.fails, self.threads.late = moment, late

    def leave(self, how: str) -> None:
        """Leave the job's context: from inside, as a whole, or as asyncio cancels a task."""
        self.met["left"] += 1
        run = self.run
        # asyncio's cancel ignores shields: a file that is being opened would be closed by the garbage collector.
        if how == "asyncio" and run.inner and run.cancels < 2 and self.task:
            run.disturbed |= not run.open
            run.cancels += 1
            self.task.cancel()
        else:
            self.loop.call_soon(run.inner.cancel if run.inner and how == "inner" else run.outer.cancel)
        self.loop.run(events=0)

    def crash(self, *, torn: bool, more: int) -> None:
        """Keep files and sink as they are now: what the dying job still does goes to copies that are thrown away."""
        halfway = 0 < len(noted(self.folder).done) < len(self.source.rows)
        self.met["crashed halfway" if halfway else "crashed"] += 1
        left, sink = Path(tempfile.mkdtemp(dir=self.base)), self.sink.after_crash(more)
        shutil.copytree(self.folder, left, dirs_exist_ok=True)
        if torn:
            tear(left)
        self.broken_off()
        self.check()
        self.folder, self.sink, self.task, self.note = left, sink, None, noted(left)

    def broken_off(self) -> None:
        """Interrupt the job, and wait for its end."""
        self.lift()
        self.loop.call_soon(self.run.outer.cancel)
        self.loop.run()
        assert not self.runs, "it cannot be broken off"

    # ---- what must hold --------------------------------------------------------------------------------------------

    def checked(self, check: Callable[[T], None]) -> Callable[[T], None]:
        """Wrap a check within the job so that its failure is kept, even if the job swallows it."""

        def checked(what: T) -> None:
            try:
                check(what)
            except Exception as error:
                self.wrong = error
                raise

        return checked

    def check_texts(self, texts: list[str]) -> None:
        """Check the limit of concurrency, and that no text is requested whose rows are all in the checkpoint."""
        most = self.run.options.concurrency
        assert len(self.model.questions) < (most if isinstance(most, int) else most[1])
        assert texts
        assert len(set(texts)) == len(texts) <= self.run.options.batch
        done = noted(self.folder).done
        assert set(texts) <= {HARMLESS, *(text_in(row) for i, row in enumerate(self.source.rows) if i not in done)}

    def check_batch(self, batch: Documents) -> None:
        """Check that documents have their vectors, are ordered if required, and are not in the checkpoint yet."""
        done = noted(self.folder).done
        for key, row, text, found in zip(batch.ids, batch.rows, batch.texts, batch.vectors, strict=True):
            number = self.accounts.numbers[key]
            assert row == self.source.rows[number]
            assert text == row["text"]
            assert np.array_equal(np.asarray(found), vector(text))
            assert number not in done, f"row {number} is noted, and written again"
            assert not self.run.options.ordered or number > max(self.run.given, default=-1)
            self.run.given.append(number)

    def check(self) -> None:
        """Check that the checkpoint is durable and never goes backwards, and that a finished job ended properly."""
        if self.wrong is not None:
            raise self.wrong
        if not self.removed:
            before, self.note = self.note, noted(self.folder)
            assert before.done <= self.note.done
            assert before.start <= self.note.start
            self.accounts.check_note(self.note, self.sink)
        if self.task is not None and self.task.done():
            self._check_end(self.task)

    @property
    def removed(self) -> bool:
        """Whether the job has removed its checkpoint, since it is finished."""
        return self.sink.complete and not os.path.exists(self.folder / "job")  # noqa: PTH110 - the loop may not block

    def _check_end(self, task: asyncio.Task[None]) -> None:
        """Check that no file is open and no task is left; an undisturbed job has a checkpoint of all it did."""
        if not task.cancelled():
            task.result()
        assert not asyncio.all_tasks(self.loop)
        assert not self.model.questions
        assert not [link for link in open_files() if link.startswith(str(self.base))]
        if self.run.inner and not self.run.disturbed and not self.removed:
            assert set(self.run.given) <= self.note.done
            assert read_dead_letters(self.folder) == self.note.dead_letters
        if self.run.whole:
            self._check_report()

    def _check_report(self) -> None:
        report = self.run.report
        assert report
        assert self.removed or (self.run.disturbed and self.note.finished)
        assert self.run.disturbed or not list(self.folder.glob("job*"))
        assert report.balanced
        assert report.read == len(self.source.rows)
        assert report.failed == len(read_dead_letters(self.folder))
        self.accounts.check_all(self.folder, self.sink)


def open_files() -> list[str]:
    """Return the open files of the process, where the system lists them."""
    links = list(OPEN_FILES.iterdir()) if OPEN_FILES.exists() else []
    return [str(link.readlink()) for link in links if link.is_symlink()]
