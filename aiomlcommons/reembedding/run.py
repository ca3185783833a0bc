"""The run of a job: its state in the cluster, what was counted and found, and its report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.indices.creation import create_index
from aiomlcommons.indices.mapping import merged
from aiomlcommons.reembedding.counts import WRONG, Differences, Ids, Round
from aiomlcommons.reembedding.errors import CannotReembed
from aiomlcommons.reembedding.judging import Judged
from aiomlcommons.reembedding.owning import Owning
from aiomlcommons.reembedding.report import Report
from aiomlcommons.reembedding.scene import Scene
from aiomlcommons.reembedding.state import Phase, State, StateFile
from aiomlcommons.reembedding.task import Task

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# Ids of documents that differ, and that a report names.
_NAMED = 10


@attrs.define
class Run:
    """One run: ``reached`` and ``counted`` keep its state in the cluster, ``report`` tells of it."""

    ml: Client
    scene: Scene
    owning: Owning = attrs.field(factory=Owning)
    state: State = attrs.field(init=False)
    judged: bool = False
    dropped: bool = False

    def __attrs_post_init__(self) -> None:
        self.state = self.scene.state

    @property
    def task(self) -> Task:
        """What is made of what."""
        return self.scene.task

    @property
    def file(self) -> StateFile:
        """Where the state is kept."""
        return StateFile(self.ml, self.task.target)

    async def begin(self) -> None:
        """Take the run, or create what it writes into. Raises AnotherRun, CannotReembed, ApiError."""
        if self.dropped:
            raise InvalidRequest(
                f"it was rolled back, and {self.task.target} is deleted: call ml.reembed again to begin anew"
            )
        if self.scene.is_begun:
            if (found := await self.owning.take(self.file, self.state)) is not None:
                # All but how far it is, which the alias may have told.
                self.state = attrs.evolve(found, phase=self.state.phase, steps=self.state.steps)
            return
        if self.state.phase is not Phase.PLANNED:
            self.owning.check()
            return
        state = self.state.reached(Phase.CREATED, owner=self.owning.owner())
        if self.task.in_place:
            await self.file.write(state, self.scene.body)
        elif not await create_index(self.ml, self.task.target, _with_state(self.scene.body, state)):
            raise CannotReembed(
                f"index {self.task.target} was created meanwhile by another process: run the same again, which goes on "
                "with it"
            )
        self.state = state
        self.owning.took(self.file)

    async def keep(self, **changes: Any) -> None:
        """Change the state, here and in the cluster. Raises AnotherRun if the run was taken over, ApiError."""
        await self._write(attrs.evolve(self.state, **changes))

    async def reached(self, phase: Phase, **changes: Any) -> None:
        """Note that a phase is reached. Raises as ``keep`` does."""
        await self._write(self.state.reached(phase, **changes))

    async def _write(self, state: State) -> None:
        async with self.owning.lock:
            await self.owning.look()
            self.owning.check()
            state = attrs.evolve(state, owner=self.owning.owner())
            await self.file.write(state)
            self.state = state

    def counted(self, round: Round) -> Round:
        """Add the counts of a round to those of the run, and return it. Raises AnotherRun if it was taken over."""
        self.owning.check()
        counts = dict(self.state.counts)
        for field in attrs.fields(Round):
            if isinstance(count := getattr(round, field.name), int):
                counts[field.name] = counts.get(field.name, 0) + count
        conflicts = tuple(dict.fromkeys((*self.state.conflicts, *round.conflicts)))[:_NAMED]
        self.state = attrs.evolve(self.state, counts=counts, conflicts=conflicts)
        return round

    def compared(self, found: Differences) -> Differences:
        """Note what differs, and return it."""
        kinds = _kinds(found)
        kept = attrs.evolve(
            self.state.found,
            differences={name: len(ids) for name, ids in kinds.items()},
            differing={name: ids.ids[:_NAMED] for name, ids in kinds.items() if name in WRONG and ids.ids},
        )
        self.state = attrs.evolve(self.state, found=kept)
        return found

    def measured(self, found: Judged) -> Judged:
        """Note what was measured, and return it."""
        figures = {
            system: {name: value for name, value in figures.items() if math.isfinite(value)}
            for system, figures in found.figures.items()
        }
        kept = attrs.evolve(self.state.found, figures=figures, sampled=found.sampled, unmet=found.unmet)
        self.state, self.judged = attrs.evolve(self.state, found=kept), True
        return found

    def report(self) -> Report:
        """Return what was done until now."""
        task, state = self.task, self.state
        return Report(
            source=task.source,
            target=task.target,
            alias=state.alias,
            field=task.field,
            model_id=task.model,
            model_name=state.model_name,
            phase=state.phase,
            steps=state.steps,
            counts=dict(state.counts),
            differences=state.found.differences,
            differing=state.found.differing,
            figures=state.found.figures,
            sampled=state.found.sampled,
            unmet=tuple(state.found.unmet),
            conflicts=tuple(state.conflicts),
            warnings=(*self.scene.plan.warnings, *self._left()),
            next=_next(state),
            back=_back(state),
        )

    def _left(self) -> Iterator[str]:
        """Yield what is in the cluster on the way, and what stays there after the end."""
        task, state, plan = self.task, self.state, self.scene.plan
        if plan.copied is not None and state.phase == plan.phase:
            yield f"{plan.copied:,} of {plan.documents:,} documents were in {task.target} when it was asked"
        if state.frozen:
            yield f"writes into {task.source} are blocked, until it is finished or rolled back"
        if state.phase is not Phase.ROLLED_BACK or self.dropped:
            return
        if task.in_place:
            yield f"the field {task.field!r} stays in the mapping, empty: none can be taken from it"
        else:
            yield f"the new index {task.target} is still there: delete it when nothing in it is needed"


def _kinds(found: Differences) -> Mapping[str, Ids]:
    return {
        field.name: value for field in attrs.fields(Differences) if isinstance(value := getattr(found, field.name), Ids)
    }


def _with_state(body: Mapping[str, Any], state: State) -> dict[str, Any]:
    return merged(body, {"mappings": {"_meta": state.meta()}})


# ---- what to type next -----------------------------------------------------------------------------------------------


def command(state: State, *more: str) -> str:
    """Return the command that does something with a run."""
    task = state.made_of
    which = ["--field", task.field] if state.alias is None else ["--alias", state.alias, "--target", task.target]
    return " ".join(["aiomlcommons", "reembed", task.source, *which, *more])


def _next(state: State) -> str:
    if state.phase in {Phase.FINISHED, Phase.ROLLED_BACK}:
        return ""
    if state.phase is Phase.SWITCHED:
        return command(state, "--finish")
    return command(state, "--model", state.made_of.model)


def _back(state: State) -> str:
    if state.phase in {Phase.PLANNED, Phase.ROLLED_BACK} or state.is_deleted:
        return ""
    return command(state, "--rollback")
