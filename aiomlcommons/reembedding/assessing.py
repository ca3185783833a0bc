"""What a new re-embedding would do, and whether it can: every check that needs no write."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.indices.differences import unsearchable
from aiomlcommons.indices.for_model import vectors_of
from aiomlcommons.indices.mapping import field_of
from aiomlcommons.indices.vector_field import VectorField
from aiomlcommons.inference.fields import TextFrom
from aiomlcommons.lifecycle.ensure import ensure
from aiomlcommons.lifecycle.ensured import EnsuredModel
from aiomlcommons.progress.telling import Teller
from aiomlcommons.reembedding.errors import CannotReembed, WrongRun
from aiomlcommons.reembedding.facts import IndexFacts, cluster_blocks, disks, index_facts, where_leads
from aiomlcommons.reembedding.new_index import added_fields, body_of, chosen, settings_of, target_name
from aiomlcommons.reembedding.pipelines import Pipelines, check_pipelines, pipelines_of, remarks
from aiomlcommons.reembedding.plan import Plan
from aiomlcommons.reembedding.sampling import about_bytes, check_room, sampled
from aiomlcommons.reembedding.scene import Scene
from aiomlcommons.reembedding.source_checks import (
    check_blocks,
    check_source,
    check_state,
    check_text,
    check_versions,
    left_out,
)
from aiomlcommons.reembedding.state import Phase, State, state_in
from aiomlcommons.reembedding.switching import check_alias
from aiomlcommons.reembedding.task import Task, of
from aiomlcommons.reembedding.wanted import Wanted
from aiomlcommons.searching.fields import Field
from aiomlcommons.searching.models import given_model
from aiomlcommons.spelling import SUGGESTED, some_of

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_DEFAULT_FIELD = "embedding"
_OVER = {Phase.SWITCHED, Phase.FINISHED, Phase.ROLLED_BACK}


async def assessed(ml: Client, wanted: Wanted, source: IndexFacts, tell: Teller) -> Scene:
    """Return what a new run would do. Raises ReembeddingError and others, each with the remedy, if it cannot."""
    earlier = state_in(source.mappings)
    _check_earlier(wanted, source, earlier)
    field, old = field_of_vectors(wanted, source)
    texts = TextFrom(wanted.text).names
    check_state(source)
    check_blocks(source, in_place=wanted.in_place)
    if (block := await cluster_blocks(ml)) is not None:
        raise CannotReembed(
            f"the whole cluster is read-only ({block}): PUT /_cluster/settings with its value null ends that"
        )
    check_text(source, texts)
    replaced = old if old is not None and old.name == field else None
    dropped = () if replaced is None else (field, *((of(field),) if of(field) in source.fields else ()))
    check_source(source, texts, dropped, in_place=wanted.in_place)
    if wanted.alias is not None:
        await check_alias(ml, wanted.alias, source.name, wanted.target or source.name)
    is_copy = earlier is not None and not earlier.made_of.in_place
    if not is_copy and not wanted.in_place:
        await check_versions(ml, source)
    model = await ensure(ml, wanted.model or "", progress=tell)
    target = _target(wanted, source, earlier, model)
    if not wanted.in_place:
        await check_target(ml, target)
    version = await ml.version()
    needed = await vectors_of(ml, model, dimension=None, sparse=None, asked=wanted.asked)
    new_field = chosen(needed, {} if old is None else old.spec, version=version or (9, 9))
    pipelines = await pipelines_of(ml, source.name, source.settings)
    body = _body(wanted, source, field, new_field.vectors)
    _check_fit(field_of(body if wanted.in_place else body["mappings"], field), field, needed, model)
    new_settings = source.settings if wanted.in_place else body["settings"]["index"]
    new_pipelines = await pipelines_of(ml, source.name, new_settings)
    check_pipelines(source, pipelines, new_pipelines, field, model.model_id)
    if wanted.in_place and (words := unsearchable(source.name, source.settings, needed)):
        raise CannotReembed(f"{words}, with alias= (--alias)")
    task = await _task(ml, wanted, source, earlier, field, old, dropped, target, model, needed, pipelines)
    size = None if wanted.in_place else about_bytes(source, needed, None if replaced is None else replaced.spec)
    room = await disks(ml)
    check_room(source, size, room)
    found = await sampled(ml, source, wanted.text, model.model_id, wanted.pace) if wanted.sample else None
    rate = None if found is None or not found.rate else found.rate
    warnings = (
        *new_field.remarks,
        *remarks(pipelines, new_pipelines),
        *_warnings(wanted, source, task, body),
    )
    plan = Plan(
        source=source.name,
        target=target,
        alias=wanted.alias,
        field=field,
        text=wanted.text,
        model_id=model.model_id,
        model_name=model.model.name or "",
        documents=source.documents,
        bytes=size,
        bytes_free=None if room is None else room.free,
        seconds=None if rate is None else source.documents / rate,
        rate=rate,
        sampled=0 if found is None else found.sampled,
        refused={} if found is None else found.reasons,
        mapping=field_of(body if wanted.in_place else body["mappings"], field),
        body=body,
        warnings=warnings,
    )
    state = State(
        run=uuid.uuid4().hex,
        phase=Phase.PLANNED,
        task=attrs.asdict(task),
        source_uuid=source.uuid,
        base=_base(source, earlier),
        alias=wanted.alias,
        model_name=model.model.name or "",
        rate=rate,
    )
    return Scene(task=task, plan=plan, state=state, source=source, body=body)


def _target(wanted: Wanted, source: IndexFacts, earlier: State | None, model: EnsuredModel) -> str:
    if wanted.in_place:
        return source.name
    return wanted.target or target_name(_base(source, earlier), model.model.name or model.model_id)


def _base(source: IndexFacts, earlier: State | None) -> str:
    return source.name if earlier is None or earlier.made_of.in_place else earlier.base


def _check_earlier(wanted: Wanted, source: IndexFacts, earlier: State | None) -> None:
    """Raise WrongRun if the index is getting another second field at this time: it has one state."""
    if earlier is None or not (wanted.in_place and earlier.made_of.in_place) or earlier.phase in _OVER:
        return
    raise WrongRun(
        f"index {source.name} is getting the field {earlier.made_of.field!r} ({earlier.phase}): let that end first, by "
        "finish (--finish) or rollback (--rollback)"
    )


def _check_fit(mapping: Mapping[str, Any], field: str, needed: VectorField, model: EnsuredModel) -> None:
    """Raise CannotReembed if the user's own body makes a field in which the model's vectors do not fit."""
    kind = mapping.get("type")
    words = (
        [f"is of type {kind}, and these need {needed.type}"] if kind != needed.type else list(needed.differing(mapping))
    )
    if words:
        raise CannotReembed(
            f"the vectors of {model.model.name} do not fit into the field {field!r} as body= makes it: it "
            f"{'; it '.join(words)}; leave the field out of the body, or name another model"
        )


def _body(wanted: Wanted, source: IndexFacts, field: str, vectors: VectorField) -> dict[str, Any]:
    if wanted.in_place:
        return added_fields(field, vectors)
    settings = settings_of(source, wanted.pipeline, wanted.search_pipeline)
    return body_of(source, wanted.body, settings, field, vectors)


# ---- the field -------------------------------------------------------------------------------------------------------


def field_of_vectors(wanted: Wanted, source: IndexFacts) -> tuple[str, Field | None]:
    """Return the field of the new vectors, and that of the old ones, if there is one. Raises CannotReembed."""
    vectors = source.vectors
    if wanted.in_place:
        return _second_field(wanted.field or "", source)
    if wanted.field is None:
        if len(vectors) > 1:
            names = some_of(map(str, vectors.values()), SUGGESTED)
            raise CannotReembed(
                f"index {source.name} has several fields of vectors, {names}: name with field= (--field) the one whose "
                "vectors are replaced, or a new one"
            )
        field = next(iter(vectors), _DEFAULT_FIELD)
    else:
        field = wanted.field
    old = vectors.get(field) or (next(iter(vectors.values())) if len(vectors) == 1 else None)
    _check_free(source, field, of(field), may_replace=True)
    if old is not None and old.nested is not None and old.name == field:
        raise CannotReembed(
            f"the field {field!r} of index {source.name} is in the nested objects {old.nested!r}, of which a document "
            "has several: the vectors of chunks are made by a pipeline; make an index for the new model with a "
            "pipeline of it, and copy the documents by ml.ingest"
        )
    return field, old


def _second_field(field: str, source: IndexFacts) -> tuple[str, Field | None]:
    for name in (field, of(field)):
        if field_of(source.mappings, name):
            raise CannotReembed(
                f"index {source.name} has a field {name!r} already: name with field= (--field) a new one, or with "
                "alias= (--alias) the alias by which a new index takes the place of this one"
            )
    vectors = source.vectors
    return field, next(iter(vectors.values())) if len(vectors) == 1 else None


def _check_free(source: IndexFacts, field: str, fingerprints: str, *, may_replace: bool) -> None:
    """Raise CannotReembed if the field is one of something else than vectors."""
    there = field_of(source.mappings, field)
    if there and not (may_replace and field in source.vectors):
        raise CannotReembed(
            f"the field {field!r} of index {source.name} is of type {there.get('type', 'object')}, and holds no "
            "vectors: name another one with field= (--field)"
        )
    of_it = field_of(source.mappings, fingerprints)
    if of_it and of_it.get("type") != "keyword":
        raise CannotReembed(
            f"index {source.name} has a field {fingerprints!r} of type {of_it.get('type', 'object')}, where the "
            "re-embedding keeps what tells of which text a vector is: name another field= (--field)"
        )


# ---- the target ------------------------------------------------------------------------------------------------------


async def check_target(ml: Client, target: str) -> None:
    """Raise CannotReembed or WrongRun if the new index exists already."""
    if leading := await where_leads(ml, target):
        raise CannotReembed(
            f"{target} is an alias, of {' and '.join(sorted(leading))}: name another index with target= (--target)"
        )
    found = await index_facts(ml, target)
    if found is None:
        return
    state = state_in(found.mappings)
    if state is None:
        raise CannotReembed(
            f"index {target} exists already, with {found.documents:,} documents that are of no re-embedding: name "
            "another one with target= (--target), or delete it"
        )
    task = state.made_of
    raise WrongRun(
        f"index {target} was made by a re-embedding of index {task.source} by {state.model_name}, in the field "
        f"{task.field!r} ({state.phase}): name another one with target= (--target), or delete it"
    )


# ---- the task --------------------------------------------------------------------------------------------------------


async def _task(
    ml: Client,
    wanted: Wanted,
    source: IndexFacts,
    earlier: State | None,
    field: str,
    old: Field | None,
    dropped: tuple[str, ...],
    target: str,
    model: EnsuredModel,
    needed: VectorField,
    pipelines: Pipelines,
) -> Task:
    old_model = None if wanted.old_model is None else (await given_model(ml, wanted.old_model)).model_id
    of_earlier = earlier is not None and old is not None and earlier.made_of.field == old.name
    if old is not None and old_model is None:
        own = earlier.made_of.model if earlier is not None and of_earlier else None
        old_model = pipelines.model_of(old.name) or own
    default = pipelines.default
    return Task(
        source=source.name,
        target=target,
        field=field,
        text=wanted.text,
        model=model.model_id,
        sparse=needed.sparse,
        dropped=dropped,
        any_version=earlier is not None and not earlier.made_of.in_place,
        old_model=old_model if old is not None else None,
        old_field=None if old is None else old.name,
        old_sparse=old is not None and not old.is_dense,
        old_fingerprints=of_earlier,
        old_pipeline=old is not None and default is not None and default.model_of(old.name) is not None,
    )


def _warnings(wanted: Wanted, source: IndexFacts, task: Task, body: Mapping[str, Any]) -> Iterator[str]:
    others = sorted(source.aliases.keys() - {wanted.alias})
    if others and not task.in_place:
        yield f"the aliases {', '.join(others)} go on leading to {source.name}: only {wanted.alias} is switched"
    if not task.in_place and left_out(body["mappings"], [task.field]):
        yield (
            f"the _source of the new index leaves out {task.field!r}: partial updates (_update) lose the vector of a "
            'document; body={"mappings": {"_source": {"excludes": []}}} keeps it'
        )
    if not task.in_place and task.old_field == task.field and task.old_model is None:
        yield (
            "the model of the old vectors is not known (old_model=, --old-model): after a rollback, documents that "
            "were written since the switch have no vector"
        )
    if source.health == "yellow":
        yield f"index {source.name} is yellow: some of its replicas are missing"
