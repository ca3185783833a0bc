"""The models that a server embeds documents with, as a job uses them: in order before it begins, and while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.client import at_own_pace
from aiomlcommons.errors import InvalidRequest, NotFound
from aiomlcommons.indices.listed_vectors import ListedVectors
from aiomlcommons.indices.mapping import field_of
from aiomlcommons.indices.model_field import dimension_of, is_sparse, spaces_of
from aiomlcommons.indices.vector_field import Field
from aiomlcommons.ingest.embedding.model import Embed, identities
from aiomlcommons.ingest.embedding.node_capacity import first_requests, max_useful_requests
from aiomlcommons.ingest.embedding.redeployment import Redeployment
from aiomlcommons.ingest.server_side.plan import Output, Plan, Step
from aiomlcommons.ingest.sinks.index_pipeline import PipelineBulk
from aiomlcommons.lifecycle.ensure import ensure
from aiomlcommons.lifecycle.spec import ExistingModel

if TYPE_CHECKING:
    from aiomlcommons.api.model_records import Model
    from aiomlcommons.client import Client
    from aiomlcommons.progress.telling import Progressing

log = logging.getLogger("aiomlcommons")
# The method of a sparse_vector, whatever its parameters.
SPARSE_METHOD = "seismic"
# A remote model is sent so many texts at once where a pipeline is made for bulk jobs.
WORTHWHILE = 64


@attrs.frozen
class ServerModel:
    """What embeds on the server.

    Attributes:
        bulk: Sends documents to the server.
        accepted: Called with the number of documents that were accepted.
        identity: Identifies it in the checkpoint.
        kind: Identifies equal vectors, for ``skip_unchanged``.
        batch_size: Documents in a request of the pipeline to its model.
        most: The most of these requests at once that are of use, if known.
        start: How many of them to begin with.
        redeploy: Deploys the models again if they are undeployed during the job, if that is wanted.
        harmless: Embed a text with each of the models.
    """

    bulk: PipelineBulk
    accepted: Callable[[int], None]
    identity: Mapping[str, Any]
    kind: Mapping[str, Any]
    batch_size: int = 1
    most: int | None = None
    start: int = 2
    redeploy: Redeployment | None = None
    harmless: Sequence[Embed] = ()

    @property
    def name(self) -> str:
        """The ids of the models."""
        return ", ".join(self.identity["models"])


async def server_model(plan: Plan, *, redeploy: bool = False, progress: Progressing = False) -> ServerModel:
    """Deploy the models of a plan where need be, and tell the sink of their vectors; return what a job uses.

    Raises InvalidRequest if there is no such model, or if it is of the wrong kind; as ``ml.models.ensure`` does.
    """
    sink, where = plan.sink, plan.where
    ml = sink.session.options(wait=sink.stall_timeout)
    models = {step.model_id: await _model(ml, step, where, progress) for step in plan.steps}
    remote = any(model.algorithm == FunctionName.REMOTE for model in models.values())
    for step in plan.steps:
        _check(step, models[step.model_id], where)
    most = None if remote else await max_useful_requests(ml)
    deploy = partial(_deploy, ml, plan.model_ids)
    kinds = [identities(model_id, model)[1] for model_id, model in models.items()]
    embeds = [_embed(ml, model_id, model, plan) for model_id, model in models.items()]
    fields = {one.field: await _field(ml, one, models[one.model_id], plan) for one in plan.outputs}
    return ServerModel(
        bulk=sink.served(fields),
        accepted=sink.accepted,
        identity={"embedded by": where, "models": plan.model_ids},
        kind={"embedded by": where, "models": kinds},
        batch_size=plan.batch_size,
        most=most,
        start=first_requests(most, remote=remote),
        redeploy=Redeployment(", ".join(plan.model_ids), deploy) if redeploy and models else None,
        harmless=[embed for embed in embeds if embed is not None],
    )


async def _model(ml: Client, step: Step, where: str, progress: Progressing) -> Model:
    try:
        return (await ensure(ml, ExistingModel(model_id=step.model_id), progress=progress)).model
    except NotFound:
        raise InvalidRequest(
            f"{where}: {step.name} names the model {step.model_id!r}, and there is none with this id: name another one "
            "there (ml.models.search lists them)"
        ) from None


async def _deploy(ml: Client, model_ids: Sequence[str]) -> None:
    for model_id in model_ids:
        await ensure(ml, ExistingModel(model_id=model_id))


def _check(step: Step, model: Model, where: str) -> None:
    """Raise InvalidRequest for a model of the wrong kind; warn of settings that lose vectors, or time."""
    kind = model.algorithm
    if kind != FunctionName.REMOTE and step.sparse is not None and is_sparse(model) is not step.sparse:
        raise InvalidRequest(
            f"{where}: {step.name} needs a model for {'sparse' if step.sparse else 'dense'} vectors, and "
            f"{step.model_id} is a {kind} model: name another one there"
        )
    if step.forgives:
        log.warning(
            "%s: %s has ignore_failure or on_failure, so that a document whose embedding fails is indexed without a "
            "vector, and does not count as failed",
            where,
            step.name,
        )
    if kind == FunctionName.REMOTE and step.texts and step.batch_size == 1:
        log.warning(
            "%s: %s sends each text to the remote model in a request of its own: set batch_size there, such as %d",
            where,
            step.name,
            WORTHWHILE,
        )


def _embed(ml: Client, model_id: str, model: Model, plan: Plan) -> Embed | None:
    """Return what embeds a text with a model, or None for one that may take something else."""
    steps = [step for step in plan.steps if step.model_id == model_id and step.texts]
    if not steps:
        return None
    if is_sparse(model) or any(step.sparse for step in steps):
        return partial(at_own_pace(ml).sparse, model_id, batch=None)
    return partial(at_own_pace(ml).embed_many, model_id, batch=None)


async def _field(ml: Client, output: Output, model: Model, plan: Plan) -> Field:
    """Return the field that holds an output of a plan."""
    if output.sparse:
        vectors = plan.sink.vectors(sparse=True)
        if field_of(plan.mappings, output.field).get("type") == "sparse_vector":  # which the server fills, too
            vectors = attrs.evolve(vectors, method=SPARSE_METHOD)
    else:
        dimension = dimension_of(model) or len(await ml.embed_one(output.model_id, "text"))
        vectors = plan.sink.vectors(sparse=False, dimension=dimension, suits=spaces_of(model))
    return ListedVectors(output.name, vectors) if output.listed else vectors
