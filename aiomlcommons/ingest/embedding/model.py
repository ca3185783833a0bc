"""What a job knows of its model: how it embeds, what tells it from another, and what its vectors are like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import Model
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.embedding._node_capacity import max_useful_requests
from aiomlcommons.ingest.embedding._redeployment import Redeployment
from aiomlcommons.ingest.types import Sparse
from aiomlcommons.lifecycle.ensure import ensure

if TYPE_CHECKING:
    from aiomlcommons.client import Client
    from aiomlcommons.inference.methods import Side

Embed: TypeAlias = Callable[[list[str]], Awaitable["Vectors | Sparse"]]
SPARSE = {FunctionName.SPARSE_ENCODING, FunctionName.SPARSE_TOKENIZE}


@attrs.frozen
class JobModel:
    """``embed`` embeds texts; ``identity`` tells this model from any other one, and ``kind`` from those that embed
    differently: the same file registered twice is one kind. ``most`` requests at once are of use to it, if known.
    ``redeploy`` puts it back where it is gone from the nodes."""

    embed: Embed
    identity: Mapping[str, Any] = attrs.field(factory=dict)
    kind: Mapping[str, Any] = attrs.field(factory=dict)
    sparse: bool = False
    dimension: int | None = None
    most: int | None = None
    redeploy: Redeployment | None = None


async def job_model(ml: Client, model_id: str, *, content_type: Side | None = None, redeploy: bool = False) -> JobModel:
    """What a job needs to know of a model; ``redeploy`` says whether it may deploy it again. Raises NotFound."""
    model = await ml.models.get(model_id)
    # The job repeats requests itself, within its budget, and waits out its patience.
    once = ml.options(retries=0, wait=0)
    side = {"content_type": content_type} if content_type else {}
    kind = {"model": model.name, "version": model.model_version, "hash": model.model_content_hash_value, **side}
    # A model without a file has no hash; behind its connector may be anything.
    known = kind if model.model_content_hash_value else {"model_id": model_id, **kind}
    identity = {"model_id": model_id, **kind}
    # A remote model is as fast as its provider, whatever nodes there are.
    most = None if model.algorithm == FunctionName.REMOTE else await max_useful_requests(ml)
    again = Redeployment(model_id, partial(ensure, ml, model_id)) if redeploy else None
    if model.algorithm in SPARSE:
        return JobModel(partial(once.sparse, model_id), identity, known, sparse=True, most=most, redeploy=again)
    embed = partial(once.embed_many, model_id, content_type=content_type)
    return JobModel(embed, identity, known, dimension=_dimension(model), most=most, redeploy=again)


def _dimension(model: Model) -> int | None:
    return model.model_config.embedding_dimension if model.model_config else None
