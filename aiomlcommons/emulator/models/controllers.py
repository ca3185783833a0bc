"""Handlers of controllers: the rate limits of the users of a model."""

from __future__ import annotations

from collections.abc import Mapping

from aiomlcommons.api.common import FunctionName, WriteResult
from aiomlcommons.api.controllers import (
    Controller,
    ControllerCreated,
    CreateController,
    DeleteController,
    GetController,
    UpdateController,
)
from aiomlcommons.api.model_records import ModelState, RateLimiter
from aiomlcommons.emulator import errors, rate_limits
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.errors import missing, refused, status_error
from aiomlcommons.emulator.models import model_store
from aiomlcommons.emulator.registry import handles

LIMITED = {FunctionName.TEXT_EMBEDDING, FunctionName.REMOTE}


@handles(CreateController)
async def create(cluster: Cluster, request: CreateController) -> ControllerCreated:
    """Create or replace a controller."""
    key = request.model_id
    _check_model(cluster, key)
    status = "UPDATED" if cluster.controllers.get(key) else "CREATED"
    cluster.controllers.put(key, Controller(model_id=key, user_rate_limiter=_kept(request.user_rate_limiter)))
    cluster.models.change(key, is_controller_enabled=True)
    rate_limits.forget(cluster, key)
    return ControllerCreated(model_id=key, status=status)


@handles(GetController)
async def get(cluster: Cluster, request: GetController) -> Controller:
    """Return a controller; 404 where there is none."""
    _check_enabled(cluster)
    return _find(cluster, request.model_id)


@handles(UpdateController)
async def update(cluster: Cluster, request: UpdateController) -> WriteResult:
    """Change the limits of the users that are given, and keep those of others."""
    key = request.model_id
    _check_model(cluster, key)
    controller = cluster.controllers.get(key)
    if controller is None:
        raise status_error(409, errors.NO_CONTROLLER_YET)
    merged = {**(controller.user_rate_limiter or {}), **_kept(request.user_rate_limiter)}
    cluster.controllers.change(key, user_rate_limiter=merged)
    rate_limits.forget(cluster, key)
    return cluster.controllers.updated(key)


@handles(DeleteController)
async def delete(cluster: Cluster, request: DeleteController) -> WriteResult:
    """Delete a controller; 404 where there is none. The model itself may be deleted already."""
    key = request.model_id
    _check_enabled(cluster)
    _find(cluster, key)
    if cluster.models.get(key) is not None:
        cluster.models.change(key, is_controller_enabled=False)
    rate_limits.forget(cluster, key)
    return cluster.controllers.delete(key)


def _find(cluster: Cluster, model_id: str) -> Controller:
    controller = cluster.controllers.get(model_id)
    if controller is None:
        raise missing(errors.NO_CONTROLLER)
    return controller


def _kept(limiters: Mapping[str, RateLimiter]) -> dict[str, RateLimiter]:
    return {user: alter(limiter, limit=str(limiter.limit)) for user, limiter in limiters.items()}


def _check_enabled(cluster: Cluster) -> None:
    if not cluster.settings.flag("controller_enabled"):
        raise refused(500, "illegal_state_exception", errors.CONTROLLER_DISABLED)


def _check_model(cluster: Cluster, model_id: str) -> None:
    """Raise Refused for a model that cannot have a controller."""
    _check_enabled(cluster)
    model = model_store.find(cluster, model_id, errors.NO_MODEL_TO_CONTROL)
    if model.algorithm not in LIMITED:
        reason = f"Creating model controller on this operation on the function category {model.algorithm}"
        raise status_error(403, f"{reason} is not supported.")
    if model.model_state == ModelState.DEPLOYING:
        raise status_error(409, errors.CONTROLLER_WHILE_DEPLOYING)
