"""What a new re-embedding would do, and whether it can: every check that needs no write."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
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
from aiomlcommons.reembedding.facts import IndexFacts, cluster_blocks, disks
from aiomlcommons.reembedding.new_field import check_fit, field_of_vectors
from aiomlcommons.reembedding.new_index import added_fields, body_of, chosen, settings_of, target_name
from aiomlcommons.reembedding.pipelines import Pipelines, check_pipelines, pipelines_of, remarks
from aiomlcommons.reembedding.plan import Plan
from aiomlcommons.reembedding.same_options import digest_of
from aiomlcommons.reembedding.sampling import about_bytes, check_room, paced, sampled
from aiomlcommons.reembedding.scene import Scene
from aiomlcommons.reembedding.source_checks import (
    check_all_seen,
    check_blocks,
    check_source,
    check_state,
    check_text,
    check_versions,
    left_out,
)
from aiomlcommons.reembedding.state import Phase, State, state_in
from aiomlcommons.reembedding.switching import check_alias, check_target
from aiomlcommons.reembedding.task import Task, of
from aiomlcommons.reembedding.wanted import Wanted
from aiomlcommons.searching.fields import Field
from aiomlcommons.searching.models import given_model

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_OVER = {Phase.SWITCHED, Phase.FINISHED, Phase.ROLLED_BACK}


async def assessed(ml: Client, wanted: Wanted, source: IndexFacts, tell: Teller) -> Scene:
    """Return what a new run would do. Raises ReembeddingError and others, each with the remedy, if it cannot."""
    field, old = field_of_vectors(wanted, source)
    assessment = Assessment(ml, wanted, source, field, old, state_in(source.mappings))
    await assessment.check_source()  # before a model is registered for nothing
    model = await ensure(ml, wanted.model or "", progress=tell)
    new = await assessment.new_index(model)
    return await assessment.scene(model, new)


@attrs.frozen(kw_only=True)
class NewIndex:
    """What is going to be made: ``body`` is the request, or the mapping of a second field."""

    target: str
    vectors: VectorField
    body: dict[str, Any]
    pipelines: Pipelines
    remarks: tuple[str, ...]


@attrs.frozen
class Assessment:
    """The checks of one index. ``old`` is the field of the old vectors, ``earlier`` the run that made this index."""

    ml: Client
    wanted: Wanted
    source: IndexFacts
    field: str
    old: Field | None
    earlier: State | None

    @property
    def replaced(self) -> Field | None:
        """The old field, if the new one takes its place."""
        return self.old if self.old is not None and self.old.name == self.field else None

    @property
    def dropped(self) -> tuple[str, ...]:
        """The fields that are not copied."""
        if self.replaced is None:
            return ()
        return (self.field, *((of(self.field),) if of(self.field) in self.source.fields else ()))

    @property
    def copied_from(self) -> State | None:
        """The run that copied this index from another one, so that its versions are those of copies."""
        return None if self.earlier is None or self.earlier.made_of.in_place else self.earlier

    # ---- the old index -----------------------------------------------------------------------------------------------

    async def check_source(self) -> None:
        """Raise ReembeddingError if the index, its alias or the cluster is in the way, ApiError."""
        wanted, source, texts = self.wanted, self.source, TextFrom(self.wanted.text).names
        self._check_earlier()
        check_state(source)
        check_blocks(source, in_place=wanted.in_place)
        if (block := await cluster_blocks(self.ml)) is not None:
            raise CannotReembed(
                f"the whole cluster is read-only ({block}): PUT /_cluster/settings with its value null ends that"
            )
        await check_all_seen(self.ml, source)
        check_text(source, texts)
        check_source(source, texts, self.dropped, in_place=wanted.in_place)
        if wanted.alias is not None:
            await check_alias(self.ml, wanted.alias, source.name, wanted.target or source.name)
        if self.copied_from is None and not wanted.in_place:
            await check_versions(self.ml, source)

    def _check_earlier(self) -> None:
        """Raise WrongRun if the index is getting another second field at this time: it has one state."""
        earlier = self.earlier
        if earlier is None or not (self.wanted.in_place and earlier.made_of.in_place) or earlier.phase in _OVER:
            return
        raise WrongRun(
            f"index {self.source.name} is getting the field {earlier.made_of.field!r} ({earlier.phase}): let that end "
            "first, by finish (--finish) or rollback (--rollback)"
        )

    # ---- the new index -----------------------------------------------------------------------------------------------

    async def new_index(self, model: EnsuredModel) -> NewIndex:
        """Return what is going to be made. Raises CannotReembed, WrongRun, InvalidRequest, ApiError."""
        ml, wanted, source, in_place = self.ml, self.wanted, self.source, self.wanted.in_place
        target = source.name if in_place else wanted.target or target_name(self._base, _named(model))
        if not in_place:
            await check_target(ml, target)
        needed = await vectors_of(ml, model, dimension=None, sparse=None, asked=wanted.asked)
        if in_place and (words := unsearchable(source.name, source.settings, needed)):
            raise CannotReembed(f"{words}, with alias= (--alias)")
        field = chosen(needed, {} if self.old is None else self.old.spec, version=await ml.version())
        body = self._body(field.vectors)
        check_fit(field_of(body if in_place else body["mappings"], self.field), self.field, needed, _named(model))
        had = await pipelines_of(ml, source.name, source.settings)
        has = had if in_place else await pipelines_of(ml, source.name, body["settings"]["index"])
        check_pipelines(source, had, has, self.field, model.model_id)
        return NewIndex(
            target=target,
            vectors=needed,
            body=body,
            pipelines=had,
            remarks=(*field.remarks, *remarks(had, has)),
        )

    @property
    def _base(self) -> str:
        return self.source.name if self.copied_from is None else self.copied_from.base

    def _body(self, vectors: VectorField) -> dict[str, Any]:
        wanted = self.wanted
        if wanted.in_place:
            return added_fields(self.field, vectors)
        settings = settings_of(self.source, wanted.pipeline, wanted.search_pipeline)
        return body_of(self.source, wanted.body, settings, self.field, vectors)

    # ---- the task and the plan ---------------------------------------------------------------------------------------

    async def scene(self, model: EnsuredModel, new: NewIndex) -> Scene:
        """Return what is known, with the room and the time that it takes. Raises CannotReembed, ApiError."""
        wanted, source, task = self.wanted, self.source, await self._task(model, new)
        replaced = None if self.replaced is None else self.replaced.spec
        size, room = None if task.in_place else about_bytes(source, new.vectors, replaced), await disks(self.ml)
        check_room(source, size, room)
        found = await sampled(self.ml, source, wanted.text, task.model, wanted.pace) if wanted.sample else None
        measured = None if found is None or not found.rate else found.rate
        rate = paced(measured, wanted.pace)
        plan = Plan(
            source=source.name,
            target=new.target,
            alias=wanted.alias,
            field=self.field,
            text=wanted.text,
            model_id=task.model,
            model_name=_named(model),
            documents=source.documents,
            bytes=size,
            bytes_free=None if room is None else room.free,
            seconds=None if rate is None else source.documents / rate,
            rate=rate,
            sampled=0 if found is None else found.sampled,
            refused={} if found is None else found.reasons,
            mapping=field_of(new.body if task.in_place else new.body["mappings"], self.field),
            body=new.body,
            warnings=(*new.remarks, *self._warnings(task, new)),
        )
        state = State(
            run=uuid.uuid4().hex,
            phase=Phase.PLANNED,
            task=attrs.asdict(task),
            source_uuid=source.uuid,
            base=self._base,
            alias=wanted.alias,
            model_name=_named(model),
            body=digest_of(wanted.body),
            rate=measured,
        )
        return Scene(task=task, plan=plan, state=state, source=source, body=new.body)

    async def _task(self, model: EnsuredModel, new: NewIndex) -> Task:
        old, earlier, given = self.old, self.earlier, self.wanted.old_model
        own = earlier if earlier is not None and old is not None and earlier.made_of.field == old.name else None
        old_model = None if given is None else (await given_model(self.ml, given)).model_id
        if old is not None and old_model is None:
            old_model = new.pipelines.model_of(old.name) or (None if own is None else own.made_of.model)
        default = new.pipelines.default
        return Task(
            source=self.source.name,
            target=new.target,
            field=self.field,
            text=self.wanted.text,
            model=model.model_id,
            sparse=new.vectors.sparse,
            dropped=self.dropped,
            any_version=self.copied_from is not None,
            old_model=old_model if old is not None else None,
            old_field=None if old is None else old.name,
            old_sparse=old is not None and not old.is_dense,
            old_fingerprints=own is not None,
            old_pipeline=old is not None and default is not None and default.model_of(old.name) is not None,
        )

    def _warnings(self, task: Task, new: NewIndex) -> Iterator[str]:
        source = self.source
        if source.health == "yellow":
            yield f"index {source.name} is yellow: some of its replicas are missing"
        if task.in_place:
            return
        yield from source.left_behind(self.wanted.alias)
        if left_out(new.body["mappings"], [task.field]):
            yield (
                f"the _source of the new index leaves out {task.field!r}: partial updates (_update) lose the vector of "
                'a document; body={"mappings": {"_source": {"excludes": []}}} keeps it'
            )
        if task.old_field == task.field and task.old_model is None:
            yield (
                "the model of the old vectors is not known (old_model=, --old-model): after a rollback, documents that "
                "were written since the switch have no vector"
            )


def _named(model: EnsuredModel) -> str:
    return model.model.name or model.model_id
