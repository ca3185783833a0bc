"""The records of new models, common to all ways to register them."""

from __future__ import annotations

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import Model, RateLimiter
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.connectors.connector_store import as_text
from aiomlcommons.emulator.errors import Refused
from aiomlcommons.emulator.models import _custom_ids, groups

WHAT = "model id"


def add(
    cluster: Cluster,
    request: RegisterModel | RegisterModelMeta,
    model: Model,
    function: FunctionName,
    place: groups.Place,
) -> str:
    """Store a new model; return its id. Raises Refused where its custom id is taken."""
    try:
        model_id = _custom_ids.check(cluster, cluster.models, request.model_id, WHAT) or cluster.new_id()
    except Refused:
        groups.give_back(cluster, place)
        raise
    cluster.models.put(model_id, described(cluster, request, model, function, place))
    return model_id


def described(
    cluster: Cluster,
    request: RegisterModel | RegisterModelMeta,
    model: Model,
    function: FunctionName,
    place: groups.Place,
) -> Model:
    """Return a model with the fields of its registration."""
    return alter(
        model,
        name=request.name,
        model_group_id=place.group_id,
        model_version=place.version,
        algorithm=function,
        created_time=cluster.now(),
        is_enabled=request.is_enabled,
        rate_limiter=_limiter(request.rate_limiter),
        deploy_setting=request.deploy_setting,
        interface=as_text(request.interface),
        model_config=_config(model.model_config or request.model_config),
    )


def _limiter(limiter: RateLimiter | None) -> RateLimiter | None:
    return None if limiter is None else alter(limiter, limit=str(limiter.limit))


def _config(config: ModelConfig | None) -> ModelConfig | None:
    """Return the configuration as the server stores it: some values in upper case."""
    if config is None:
        return None
    return alter(
        config,
        framework_type=config.framework_type.upper() if config.framework_type else None,
        pooling_mode=config.pooling_mode.upper() if config.pooling_mode else None,
    )
