"""A job's model: its embed function, the identity for checkpoint and cache, and the shape of its vectors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.client import Client, at_own_pace
from aiomlcommons.indices.model_field import SPARSE, dimension_of, spaces_of
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.embedding.node_capacity import first_requests, max_useful_requests
from aiomlcommons.ingest.embedding.redeployment import Redeployment
from aiomlcommons.ingest.types import Sparse
from aiomlcommons.lifecycle.ensure import ensure

if TYPE_CHECKING:
    from aiomlcommons.api.model_records import Model
    from aiomlcommons.inference.methods import Side

Embed: TypeAlias = Callable[[list[str]], Awaitable["Vectors | Sparse"]]


@attrs.frozen
class JobModel:
    """A model as a job uses it.

    Attributes:
        embed: Embeds a list of texts with one request.
        identity: Identifies the model in the checkpoint; registering the same file again makes another identity.
        kind: Identifies equal vectors in the cache; registering the same file again makes the same kind.
        sparse: Whether vectors are ``{token: weight}`` instead of arrays.
        dimension: Length of the vectors, if its configuration names it.
        spaces: The spaces that rank its vectors as it was trained for, if it tells them.
        most: The most concurrent requests of use to it, if known.
        start: How many concurrent requests to begin with.
        redeploy: Deploys it again if it is undeployed during the job, if that is wanted.
    """

    embed: Embed
    identity: Mapping[str, Any] = attrs.field(factory=dict)
    kind: Mapping[str, Any] = attrs.field(factory=dict)
    sparse: bool = False
    dimension: int | None = None
    spaces: tuple[str, ...] = ()
    most: int | None = None
    start: int = 2
    redeploy: Redeployment | None = None

    @property
    def name(self) -> str:
        """The id of the model."""
        return str(self.identity.get("model_id", ""))


async def job_model(ml: Client, model_id: str, *, content_type: Side | None = None, redeploy: bool = False) -> JobModel:
    """Return the model as a job uses it; with ``redeploy`` the job deploys it again if need be. Raises NotFound."""
    model = await ml.models.get(model_id)
    # The job retries by itself, within its retry budget and stall timeout.
    single = at_own_pace(ml)
    identity, cache_kind = identities(model_id, model, content_type)
    # The cluster's nodes do not limit a remote model, its provider does.
    remote = model.algorithm == FunctionName.REMOTE
    most = None if remote else await max_useful_requests(ml)
    redeployment = Redeployment(model_id, partial(ensure, ml, model_id)) if redeploy else None
    model_of = partial(JobModel, most=most, start=first_requests(most, remote=remote), redeploy=redeployment)
    if model.algorithm in SPARSE:
        embed_sparse = partial(single.sparse, model_id, batch=None)
        return model_of(embed_sparse, identity, cache_kind, sparse=True)
    embed = partial(single.embed_many, model_id, content_type=content_type, batch=None)
    return model_of(embed, identity, cache_kind, dimension=dimension_of(model), spaces=spaces_of(model))


def identities(
    model_id: str, model: Model, content_type: Side | None = None
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what identifies a model, and what identifies equal vectors: ``identity`` and ``kind`` of a JobModel."""
    side = {"content_type": content_type} if content_type else {}
    kind = {"model": model.name, "version": model.model_version, "hash": model.model_content_hash_value, **side}
    identity = {"model_id": model_id, **kind}
    # A remote model has no file to hash, and its connector may lead anywhere: only its id identifies its vectors.
    return identity, kind if model.model_content_hash_value else identity
