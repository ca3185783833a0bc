"""The state of a re-embedding, which is in the cluster: in ``_meta`` of the mapping of the index that is written."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.display.shown import Readable
from aiomlcommons.errors import Forbidden, NotFound
from aiomlcommons.reembedding.task import Task

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# Where in ``_meta`` it is.
OURS, KEY = "aiomlcommons", "reembedding"


class Phase(StrEnum):
    """How far a re-embedding is."""

    PLANNED = "planned"
    CREATED = "created"
    COPYING = "copying"
    CAUGHT_UP = "caught up"
    CHECKED = "checked"
    SWITCHED = "switched"
    ROLLING_BACK = "rolling back"
    FINISHED = "finished"
    ROLLED_BACK = "rolled back"


@attrs.frozen(kw_only=True, repr=False)
class Owner(Readable):
    """The process that works on it. ``beat`` is its last sign of life, in seconds of Unix time."""

    token: str
    host: str
    pid: int
    beat: float


@attrs.frozen(kw_only=True, repr=False)
class Step(Readable):
    """A phase that was reached, and when, in seconds of Unix time."""

    phase: Phase = attrs.field(converter=Phase)
    at: float


@attrs.frozen(kw_only=True, repr=False)
class Found(Readable):
    """What was found before the switch, as the report tells it, which explains the fields."""

    differences: Mapping[str, int] = attrs.field(factory=dict)
    differing: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    figures: Mapping[str, Mapping[str, float]] = attrs.field(factory=dict)
    sampled: int = 0
    unmet: Sequence[str] = ()


@attrs.frozen(kw_only=True, repr=False)
class State(Readable):
    """What is kept of a re-embedding. Times are seconds of Unix time.

    Attributes:
        run: The id of the run.
        phase: How far it is.
        task: What is made of what, as the arguments of Task.
        source_uuid: The uuid of the old index, which tells it from a later one of its name.
        base: The name of the very first index, from which those of new ones are made.
        alias: The alias that is switched; None in the second shape.
        model_name: The name of the new model.
        began: When it began.
        steps: The phases that were reached.
        marks: Up to where, by shard, the source was copied when the alias was switched.
        until: Up to where the old index was written, by shard, when the alias was led back to it.
        is_settled: Whether what came late into the old index, after the switch, was brought over.
        counts: How many documents were embedded, written and so on, in all rounds.
        found: What was found when both indices were compared and measured last.
        conflicts: The ids of documents that were changed in both indices.
        is_deleted: Whether the old index was deleted at the end.
        frozen: Whether the run blocks writes into the old index.
        body: What tells the user's own body of the new index from another one.
        rate: Documents per second that were measured before it began.
        owner: Who works on it.
    """

    run: str
    phase: Phase = attrs.field(converter=Phase)
    task: Mapping[str, Any]
    source_uuid: str
    base: str
    alias: str | None = None
    model_name: str = ""
    began: float = attrs.field(factory=time.time)
    steps: tuple[Step, ...] = ()
    marks: Mapping[str, int] | None = None
    until: Mapping[str, int] | None = None
    is_settled: bool = False
    counts: Mapping[str, int] = attrs.field(factory=dict)
    found: Found = Found()
    conflicts: Sequence[str] = ()
    is_deleted: bool = False
    frozen: bool = False
    body: str | None = None
    rate: float | None = None
    owner: Owner | None = None

    @property
    def made_of(self) -> Task:
        """The task."""
        return Task(**{**self.task, "dropped": tuple(self.task.get("dropped") or ())})

    @property
    def known_marks(self) -> dict[int, int]:
        """The marks by the numbers of shards."""
        return _by_shard(self.marks or {})

    @property
    def known_until(self) -> dict[int, int] | None:
        """The marks of the way back; None if the alias was not led back yet."""
        return None if self.until is None else _by_shard(self.until)

    @property
    def was_switched(self) -> bool:
        """Whether writers have written into the new index, by the alias, at any time."""
        return any(step.phase is Phase.SWITCHED for step in self.steps)

    @property
    def was_given_back(self) -> bool:
        """Whether all that others wrote into the new index was brought into the old one, by a rollback."""
        moves = [step.phase for step in self.steps if step.phase in {Phase.SWITCHED, Phase.ROLLED_BACK}]
        return moves[-1:] == [Phase.ROLLED_BACK]

    def reached(self, phase: Phase, **changes: Any) -> State:
        """Return the state in a phase."""
        step = Step(phase=phase, at=time.time())
        return attrs.evolve(self, phase=phase, steps=(*self.steps, step), **changes)

    def meta(self) -> dict[str, Any]:
        """Return ``_meta`` with nothing but this state."""
        return {OURS: {KEY: self.to_dict()}}


def _by_shard(marks: Mapping[str, int]) -> dict[int, int]:
    return {int(shard): mark for shard, mark in marks.items()}


def state_in(mappings: Mapping[str, Any]) -> State | None:
    """Return the state that a mapping has; None if there is none that can be read."""
    ours = (mappings.get("_meta") or {}).get(OURS)
    found = ours.get(KEY) if isinstance(ours, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    try:
        return State.from_dict(found)
    except ValueError:
        return None


def without_state(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``_meta`` of a mapping without the state of a re-embedding."""
    ours = meta.get(OURS)
    others = {name: value for name, value in ours.items() if name != KEY} if isinstance(ours, Mapping) else {}
    return {name: value for name, value in meta.items() if name != OURS} | ({OURS: others} if others else {})


@attrs.frozen
class StateFile:
    """Where the state of a run is: in the mapping of an index."""

    ml: Client
    index: str

    async def read(self) -> State | None:
        """Return the state; None if there is no such index, or it has none. Raises ApiError, ConnectError."""
        return state_in(await self._mappings())

    async def write(self, state: State, mapping: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Replace the state; all else in ``_meta`` stays. Raises ApiError, ConnectError.

        ``mapping`` has fields that are added in the same request.
        """
        # A server replaces the whole of ``_meta``.
        meta = dict((await self._mappings()).get("_meta") or {})
        ours = meta.get(OURS)
        meta[OURS] = {**(ours if isinstance(ours, Mapping) else {}), KEY: state.to_dict()}
        await self.ml.indices.put_mapping(self.index, {**mapping, "_meta": meta})

    async def _mappings(self) -> Mapping[str, Any]:
        try:
            found = await self.ml.indices.mapping(self.index)
        except NotFound:
            return {}
        return found[self.index].mappings if self.index in found else {}


async def runs_of(ml: Client, source: str, base: str, names: Collection[str]) -> dict[str, State]:
    """Return the runs that copy, or have copied, an index, by the index that they write. Raises ApiError.

    They are looked for in the indices of these ``names``, and in those whose names begin with ``base``, as names of new
    indices do.
    """
    found = {name: await StateFile(ml, name).read() for name in names}
    try:
        others = await ml.indices.mapping(f"{base}-*", ignore_unavailable=True, allow_no_indices=True)
        found |= {name: state_in(one.mappings) for name, one in others.items() if name not in names}
    except (Forbidden, NotFound):  # one of them may be none of ours
        pass
    return {name: state for name, state in found.items() if state is not None and state.made_of.source == source}
