"""Before the work: which run it is, or what a new one would do. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from aiomlcommons.lifecycle.names import named
from aiomlcommons.lifecycle.spec import ExistingModel
from aiomlcommons.progress.telling import Teller
from aiomlcommons.reembedding.asking import count_of
from aiomlcommons.reembedding.assessing import assessed
from aiomlcommons.reembedding.errors import CannotReembed, WrongRun
from aiomlcommons.reembedding.facts import IndexFacts, index_facts, no_such_index, where_leads
from aiomlcommons.reembedding.plan import Plan
from aiomlcommons.reembedding.run import command
from aiomlcommons.reembedding.same_options import check_same
from aiomlcommons.reembedding.sampling import paced
from aiomlcommons.reembedding.scene import Scene
from aiomlcommons.reembedding.state import Phase, State, runs_of, state_in
from aiomlcommons.reembedding.switching import check_alias
from aiomlcommons.reembedding.task import Pace
from aiomlcommons.reembedding.wanted import Wanted
from aiomlcommons.searching.models import given_model

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# Phases of which it is asked how far they are.
_COPIED = {Phase.CREATED, Phase.COPYING}
_OVER, _SWITCHED = {Phase.FINISHED, Phase.ROLLED_BACK}, {Phase.SWITCHED, Phase.FINISHED}


async def entered(ml: Client, wanted: Wanted, tell: Teller) -> Scene:
    """Find the run that is gone on with, or check everything for a new one. Raises ReembeddingError, ApiError."""
    if not ml.flavor.refreshes:
        raise CannotReembed(
            f"{ml.flavor.title} has no sequence numbers of documents, by which a copy catches up with writers: load a "
            "new collection by ml.ingest"
        )
    source = await index_facts(ml, wanted.index)
    found = await _run_of(ml, wanted, source)
    if found is not None:
        target, state = found
        return await _again(ml, wanted, source, target, state)
    if source is None:
        raise await no_such_index(ml, wanted.index)
    if wanted.resume or wanted.model is None:
        raise CannotReembed(
            f"there is no re-embedding of index {wanted.index} to go on with: name the new model with model= (--model)"
            + (", and leave resume= (--resume) out, to begin one" if wanted.resume else "")
        )
    return await assessed(ml, wanted, source, tell)


async def _run_of(ml: Client, wanted: Wanted, source: IndexFacts | None) -> tuple[str, State] | None:
    """Return the run that is meant, with the index that it writes; None if there is none. Raises WrongRun."""
    leading = set() if wanted.alias is None else set(await where_leads(ml, wanted.alias))
    earlier = None if source is None else state_in(source.mappings)
    base = wanted.index if earlier is None or earlier.made_of.in_place else earlier.base
    runs = await runs_of(ml, wanted.index, base, {wanted.index, *leading, *filter(None, [wanted.target])})
    if wanted.target is not None:
        return (wanted.target, runs[wanted.target]) if wanted.target in runs else None
    if wanted.alias is None:
        here = runs.get(wanted.index)
        if here is not None and wanted.field in {None, here.made_of.field}:
            return wanted.index, here
        if wanted.field is not None:
            return None
    fitting = {
        name: state
        for name, state in runs.items()
        if name != wanted.index and wanted.alias in {None, state.alias} and wanted.field in {None, state.made_of.field}
    }
    switched = [name for name in fitting if name in leading]
    going = switched or [name for name, state in fitting.items() if state.phase not in _OVER]
    if len(going) > 1:
        raise WrongRun(
            f"index {wanted.index} is being re-embedded into {' and '.join(sorted(going))}: name with target= "
            "(--target) which of them is meant"
        )
    if going:
        return going[0], fitting[going[0]]
    return await _over(ml, wanted, fitting)


async def _over(ml: Client, wanted: Wanted, fitting: Mapping[str, State]) -> tuple[str, State] | None:
    """Return the run that was rolled back or finished, if it is of the model that is meant."""
    model_id = await _id_of(ml, wanted)
    same = [(name, state) for name, state in fitting.items() if model_id in {None, state.made_of.model}]
    return max(same, key=lambda one: one[1].began, default=None)


async def _again(ml: Client, wanted: Wanted, source: IndexFacts | None, target: str, state: State) -> Scene:
    """Return the scene of a run that was begun. Raises WrongRun if it is of another model, CannotReembed, ApiError."""
    task, state = state.made_of, await _told_by_alias(ml, state)
    is_switched = state.phase in _SWITCHED and state.alias is not None
    if (model_id := await _id_of(ml, wanted)) not in {None, task.model} or (wanted.model is not None and not model_id):
        raise _other_model(target, state, is_switched=is_switched)
    await check_same(ml, wanted, target, state)
    if source is not None and source.uuid != state.source_uuid:
        remedy = f"name {target} as the index" if is_switched else f"delete {target}, and begin anew"
        raise WrongRun(
            f"index {source.name} was deleted and made anew since its re-embedding into {target} began: {remedy}"
        )
    if source is None and not is_switched:
        raise CannotReembed(f"index {task.source}, which is re-embedded into {target}, is gone: restore it")
    if wanted.old_model is not None and task.old_field is not None:
        # It may become known only when somebody goes back.
        task = attrs.evolve(task, old_model=(await given_model(ml, wanted.old_model)).model_id)
    return Scene(task=task, plan=await _plan(ml, source, state, wanted.pace), state=state, source=source)


def _other_model(target: str, state: State, *, is_switched: bool) -> WrongRun:
    task = state.made_of
    if is_switched:
        return WrongRun(
            f"the alias {state.alias} leads to {target} already, which was made of index {task.source} by the model "
            f"{state.model_name} ({task.model}): name {target} as the index to give it another model, or go back first "
            f"({command(state, '--rollback')})"
        )
    if task.in_place:
        undo = "" if state.phase is Phase.ROLLED_BACK else f"undo it ({command(state, '--rollback')}), "
        return WrongRun(
            f"the field {task.field!r} of index {task.source} is for vectors of the model {state.model_name} "
            f"({task.model}), and model= (--model) names another one: go on with that one, {undo}or name another field "
            "for the other one with field= (--field)"
        )
    return WrongRun(
        f"index {task.source} is being re-embedded into {target} by the model {state.model_name} ({task.model}), and "
        f"model= (--model) names another one: go on with that one, undo it ({command(state, '--rollback')}), or name "
        "another index for the other one with target= (--target)"
    )


async def _told_by_alias(ml: Client, state: State) -> State:
    """Return the state as the alias says that it is: a process that was killed, or a person, may have moved it."""
    task = state.made_of
    if state.alias is None or state.phase is Phase.ROLLING_BACK:
        return state
    is_new = await check_alias(ml, state.alias, task.source, task.target) == task.target
    if is_new and state.phase not in _SWITCHED:
        return state.reached(Phase.SWITCHED)
    if not is_new and state.phase in _SWITCHED:
        return state.reached(Phase.COPYING)
    return state


async def _id_of(ml: Client, wanted: Wanted) -> str | None:
    """Return the id of the model that is meant; None if none is named, or it is not registered yet."""
    if wanted.model is None:
        return None
    found = wanted.model
    if isinstance(found, str):
        found = await named(ml, found)
        if not isinstance(found, ExistingModel) and (name := getattr(found, "name", None)):
            found = await named(ml, name)  # the name under which a pretrained one is registered
    return found.model_id if isinstance(found, ExistingModel) else None


async def _plan(ml: Client, source: IndexFacts | None, state: State, pace: Pace) -> Plan:
    task = state.made_of
    documents = 0 if source is None else source.documents
    rate = paced(state.rate, pace)
    return Plan(
        source=task.source,
        target=task.target,
        alias=state.alias,
        field=task.field,
        text=task.text,
        model_id=task.model,
        model_name=state.model_name,
        phase=state.phase,
        documents=documents,
        copied=await count_of(ml, task.target) if state.phase in _COPIED and not task.in_place else None,
        seconds=None if not rate else documents / rate,
        rate=rate,
        warnings=() if source is None else source.left_behind(state.alias),
    )
