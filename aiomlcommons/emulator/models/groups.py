"""Handlers of model groups, and the group and version of a new model."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from aiomlcommons.api.common import AccessMode, FunctionName, Hits, WriteResult
from aiomlcommons.api.model_groups import (
    DeleteModelGroup,
    GetModelGroup,
    ModelGroup,
    ModelGroupRegistered,
    ModelGroupUpdated,
    RegisterModelGroup,
    SearchModelGroups,
    UpdateModelGroup,
)
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import (
    GROUP_IN_USE,
    NAME_TAKEN,
    NO_ACCESS_CONTROL,
    illegal,
    missing,
    refused,
    status_error,
)
from aiomlcommons.emulator.models import _custom_ids
from aiomlcommons.emulator.querying import records
from aiomlcommons.emulator.registry import handles
from aiomlcommons.endpoint import Request


@handles(RegisterModelGroup)
async def register(cluster: Cluster, request: RegisterModelGroup) -> ModelGroupRegistered:
    """Register a group. Refuse a name that is taken, and access control, because there are no users."""
    _check_access(request)
    group_id = await _add(cluster, request, request.name, request.description, request.model_group_id)
    return ModelGroupRegistered(model_group_id=group_id, status="CREATED")


@handles(GetModelGroup)
async def get(cluster: Cluster, request: GetModelGroup) -> ModelGroup:
    """Return a group; 404 where there is none."""
    return find(cluster, request.model_group_id)


@handles(UpdateModelGroup)
async def update(cluster: Cluster, request: UpdateModelGroup) -> ModelGroupUpdated:
    """Change name and description."""
    key = request.model_group_id
    find(cluster, key)
    _check_access(request)
    changes = {"name": request.name, "description": request.description}
    if request.name and (taken := named(cluster, request.name)) not in {None, key}:
        raise _taken(taken)
    given = {name: value for name, value in changes.items() if value is not None}
    cluster.groups.change(key, last_updated_time=cluster.now(), **given)
    return ModelGroupUpdated(status="Updated")


@handles(DeleteModelGroup)
async def delete(cluster: Cluster, request: DeleteModelGroup) -> WriteResult:
    """Delete a group; refuse if it has models, or deleted chunks that searches still find. A missing one is ok."""
    models = (document.source for document in cluster.models.seen().values())
    if any(model.model_group_id == request.model_group_id for model in models):
        raise status_error(409, GROUP_IN_USE)
    return cluster.groups.delete(request.model_group_id)


@handles(SearchModelGroups)
async def find_all(cluster: Cluster, request: SearchModelGroups) -> Hits[ModelGroup]:
    """Search groups."""
    return records.search(cluster.groups, request.body, cluster.node_id)


def find(cluster: Cluster, group_id: str) -> ModelGroup:
    """Return a group; raise Refused where there is none."""
    group = cluster.groups.get(group_id)
    if group is None:
        raise missing(f"Failed to find model group with the provided model group id: {group_id}")
    return group


def named(cluster: Cluster, name: str) -> str | None:
    """Return the id of the group with a name, as a search finds it, or None."""
    return next((key for key, document in cluster.groups.visible().items() if document.source.name == name), None)


async def _add(
    cluster: Cluster, request: Request[Any], name: str, description: str | None = None, custom_id: str | None = None
) -> str:
    """Create a group; return its id. Of two concurrent requests both succeed: names are checked by a search."""
    if taken := named(cluster, name):
        raise _taken(taken)
    await cluster.pause()
    if cluster.faults.raced(request):
        _put(cluster, cluster.new_id(), name)
    group_id = _custom_ids.check(cluster, cluster.groups, custom_id, "model group id") or cluster.new_id()
    _put(cluster, group_id, name, description)
    return group_id


def _put(cluster: Cluster, group_id: str, name: str, description: str | None = None) -> None:
    now = cluster.now()
    group = ModelGroup(
        name=name,
        latest_version=0,
        description=description,
        access=AccessMode.PUBLIC,
        created_time=now,
        last_updated_time=now,
    )
    cluster.groups.put(group_id, group)


# ---- the group of a new model --------------------------------------------------------------------------------------


@attrs.frozen
class Place:
    """The group of a new model and its version there; ``is_new`` where the group was created for it."""

    group_id: str | None
    version: str = ""
    is_new: bool = False


async def place(cluster: Cluster, request: RegisterModel | RegisterModelMeta) -> Place:
    """Return the group of a new model; without one, a group of its name is created. Old servers have none."""
    if cluster.is_old:
        return Place(None, request.version or "")
    if request.model_group_id:
        return Place(request.model_group_id)
    if found := named(cluster, request.name):
        return Place(found)
    await cluster.pause()
    if cluster.faults.raced(request):
        _put(cluster, cluster.new_id(), request.name)
    return Place(await _add(cluster, request, request.name), is_new=True)


async def take(cluster: Cluster, request: Request[Any], place: Place) -> Place:
    """Take the next version number of a group; raise Conflict where a concurrent request took it."""
    if place.group_id is None:
        return place
    _check_joined(cluster, request, place.group_id)
    group = await cluster.rewrite(request, cluster.groups, place.group_id, partial(_next, cluster))
    return attrs.evolve(place, version=str(group.latest_version))


def _check_joined(cluster: Cluster, request: Request[Any], group_id: str) -> None:
    """Raise Refused where the group does not exist, with the message of this type of registration."""
    if cluster.groups.get(group_id) is not None or not isinstance(request, RegisterModel | RegisterModelMeta):
        find(cluster, group_id)
        return
    reason = "Fail to find model group"
    if isinstance(request, RegisterModel):
        is_remote = str(request.function_name).upper() == FunctionName.REMOTE
        reason = f"Model Group Response is empty for {group_id}" if is_remote else "Model group not found"
    raise refused(500, "m_l_resource_not_found_exception", reason)


def give_back(cluster: Cluster, place: Place) -> None:
    """Roll back the group after a failed registration."""
    if place.group_id is None:
        return
    if place.is_new:
        cluster.groups.delete(place.group_id)
    elif cluster.groups.get(place.group_id) is not None:
        cluster.groups.change(place.group_id, latest_version=int(place.version) - 1, last_updated_time=cluster.now())


def _next(cluster: Cluster, group: ModelGroup) -> dict[str, Any]:
    return {"latest_version": (group.latest_version or 0) + 1, "last_updated_time": cluster.now()}


def _taken(group_id: str | None) -> Exception:
    return illegal(NAME_TAKEN.format(id=group_id))


def _check_access(request: RegisterModelGroup | UpdateModelGroup) -> None:
    if request.access_mode or request.backend_roles or request.add_all_backend_roles:
        raise illegal(NO_ACCESS_CONTROL)
