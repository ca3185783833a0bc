"""The job that ``async with ml.reembed(...)`` hands out: its steps, each of which can be repeated after a crash."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from aiomlcommons.concurrency import beside
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.owner import Owner
from aiomlcommons.progress.event import Phase as Told
from aiomlcommons.progress.event import Progress
from aiomlcommons.progress.telling import Progressing, Teller, telling
from aiomlcommons.reembedding.ending import Ending
from aiomlcommons.reembedding.entering import entered
from aiomlcommons.reembedding.owning import BEAT
from aiomlcommons.reembedding.plan import Plan
from aiomlcommons.reembedding.report import Report
from aiomlcommons.reembedding.rounds import Rounds
from aiomlcommons.reembedding.run import Run
from aiomlcommons.reembedding.state import Phase
from aiomlcommons.reembedding.steps import Steps
from aiomlcommons.reembedding.wanted import Wanted
from aiomlcommons.usage import refuses

if TYPE_CHECKING:
    from aiomlcommons.client import Client

FOLLOW_EVERY = 1.0
"""Seconds between two rounds that embed what writers write."""
_BEFORE_SWITCH = {Phase.PLANNED, Phase.CREATED, Phase.COPYING, Phase.CAUGHT_UP, Phase.CHECKED, Phase.ROLLING_BACK}
_BEFORE_SWITCH |= {Phase.ROLLED_BACK}


class Until(Protocol):
    """An event, of asyncio or anyio."""

    def is_set(self) -> bool:
        """Return whether it has happened."""
        ...

    async def wait(self) -> Any:
        """Wait for it."""
        ...


@refuses("async with", "with", "async for", "for", write="`report = await job`")
class ReembeddingJob:
    """A re-embedding that is entered: ``await job`` does all that is left, up to the switch.

    Its steps can be called one by one, and again: ``prepare``, ``switch``, ``follow``, ``rollback``, ``finish``. After
    a crash, also by kill -9, the same call goes on where it was.
    """

    def __init__(self, run: Run, steps: Steps, ending: Ending, rounds: Rounds) -> None:
        self._run, self._steps, self._ending, self._rounds = run, steps, ending, rounds
        self._owner = Owner()

    @property
    def plan(self) -> Plan:
        """What is going to be done, as it was found on entering."""
        return self._run.scene.plan

    @property
    def phase(self) -> str:
        """How far it is: ``planned``, ``created``, ``copying``, ``caught up``, ``checked``, ``switched``, ..."""
        return str(self._run.state.phase)

    @property
    def report(self) -> Report:
        """What was done until now."""
        return self._run.report()

    def __repr__(self) -> str:
        return f"<ReembeddingJob {self.report.title}>"

    def _repr_html_(self) -> str:
        """Return the table of the report, for notebooks."""
        return self.report._repr_html_()

    def __await__(self) -> Generator[Any, Any, Report]:
        """Do all that is left, up to the switch, and return the report. Raises as ``prepare`` and ``switch`` do."""
        return self._all().__await__()

    async def _all(self) -> Report:
        await self.prepare()
        return await self.switch()

    async def prepare(self) -> Report:
        """Create the new index, copy and embed, catch up with writers, compare and check; switch nothing.

        Raises:
            NotSwitched: What was found is not as required.
            AnotherRun: Another process works on it.
            ReembeddingError, JobStalled, ModelFails, TooManyFailures, ApiError: It cannot go on; the same call goes on.
        """
        self._owner.check("the job")
        if self._run.state.phase not in _BEFORE_SWITCH:
            return self.report
        self._check_direction()
        await self._run.begin()
        if self._run.state.phase is Phase.CHECKED and self._run.judged:
            return self.report
        await self._ending.unfreeze()  # after a process that was killed just before the switch
        if self._run.state.phase in {Phase.CAUGHT_UP, Phase.CHECKED} and self._run.state.marks is not None:
            await self._steps.go_on()
        else:
            await self._steps.copy()
        await self._steps.check()
        return self.report

    async def switch(self) -> Report:
        """Let the alias lead to the new index, and bring over what writers still send to the old one.

        With a second field nothing is switched here: from now on queries may name it. Raises InvalidRequest before
        ``prepare``, and as that does.
        """
        self._owner.check("the job")
        if self._run.state.phase is Phase.FINISHED:
            return self.report
        self._check_direction()
        await self._run.begin()
        if self._run.state.phase is not Phase.SWITCHED:
            if self._run.state.phase is not Phase.CHECKED:
                raise InvalidRequest(
                    f"the new vectors are not checked yet ({self.phase}): `await job.prepare()` does so, or `await "
                    "job` all of it"
                )
            await self._steps.switch()
        if self._has_two:
            await self._steps.settle()
        return self.report

    async def follow(self, until: Until | None = None, *, every: float = FOLLOW_EVERY) -> Report:
        """Embed what writers write without a vector of the new model, until an event is set.

        Args:
            until: An event of asyncio or anyio. Default: until nothing is left.
            every: Seconds between two rounds.

        Raises InvalidRequest before the switch to a new index; else as ``prepare`` does.
        """
        self._owner.check("the job")
        if not await self._steps.is_switched() and not self._run.task.in_place:
            raise InvalidRequest(
                f"writers do not write into {self._run.task.target} yet ({self.phase}): follow them after the switch"
            )
        await self._run.begin()
        marks: dict[int, int] | None = None
        while True:
            ends = until is None or until.is_set()
            found, marks = await self._rounds.follow(marks)
            if not self._run.counted(found).changed:
                if ends:
                    break
                with anyio.move_on_after(every):
                    await until.wait()  # type: ignore[union-attr]
        await self._run.keep()
        return self.report

    @property
    def _has_two(self) -> bool:
        """Whether there are an old index and a new one."""
        return not self._run.task.in_place and self._run.scene.source is not None

    def _check_direction(self) -> None:
        """Raise InvalidRequest if it is on its way back: what others wrote is not in the old index yet."""
        if self._run.state.phase is Phase.ROLLING_BACK:
            raise InvalidRequest(
                "its rollback was begun and did not come to its end: finish that (job.rollback(), --rollback) first"
            )

    async def rollback(self) -> Report:
        """Go back: searches answer as before, and nothing that was written meanwhile is lost.

        Before the switch the new index is deleted. After it, what others wrote into the new index is brought into the
        old one, and the alias leads there again; the new index stays. A second field is removed from the documents,
        unless others wrote them at this moment; the field itself stays in the mapping. Raises CannotReembed if the old
        index is deleted.
        """
        self._owner.check("the job")
        if not self._run.scene.is_begun and self._run.state.phase is Phase.PLANNED:
            return self.report
        if self._run.state.phase is Phase.ROLLED_BACK:
            return self.report
        switched = await self._steps.is_switched()
        await self._run.begin()
        if self._run.task.in_place:
            await self._ending.clear()
        elif switched or (self._run.state.was_switched and not self._run.state.was_given_back):
            await self._ending.back()
        else:
            await self._ending.drop()
        return self.report

    async def finish(self, *, delete_old: bool = False) -> Report:
        """End the re-embedding: from now on there is nothing to go back to, if the old index is deleted.

        Raises InvalidRequest before the switch and on the way back, CannotReembed if an alias leads to an index that is
        to be deleted.
        """
        self._owner.check("the job")
        self._check_direction()
        if not await self._steps.is_switched():
            raise InvalidRequest(f"it is not switched yet ({self.phase}): finish it after the switch, or roll it back")
        if delete_old and self._run.task.in_place:
            raise InvalidRequest(
                "delete_old (--delete-old) is for the old index of a new one: no field can be taken from a mapping"
            )
        await self._run.begin()
        if self._has_two:
            await self._steps.settle()
            await self._ending.unfreeze()
        if delete_old:
            await self._ending.delete_old()
        if self._run.state.phase is not Phase.FINISHED:
            await self._run.reached(Phase.FINISHED)
        return self.report


@asynccontextmanager
async def reembedding(ml: Client, wanted: Wanted, progress: Progressing) -> AsyncGenerator[ReembeddingJob]:
    """Check all that can be known before, and hand out the job; ``ml.reembed`` documents what is raised."""
    async with telling(progress, Progress(phase=Told.CHECKING, name=wanted.index)) as tell:
        scene = await entered(ml, wanted, tell)
        run = Run(ml, scene)
        rounds = Rounds(ml, scene.task, wanted.pace, tell)
        job = ReembeddingJob(run, Steps(ml, wanted, run, rounds, tell), Ending(ml, run, rounds), rounds)
        try:
            async with beside(run.owning.beat):
                yield job
        finally:
            with anyio.move_on_after(BEAT, shield=True):
                await run.owning.release()
        _tell_end(tell, job)


def _tell_end(tell: Teller, job: ReembeddingJob) -> None:
    tell(Progress(phase=Told.FINISHED, name=job.plan.source, words=job.report.title))
