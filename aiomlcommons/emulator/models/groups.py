"""Model groups."""

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
from aiomlcommons.emulator import search
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
from aiomlcommons.emulator.models import _own_ids
from aiomlcommons.emulator.registry import handles
from aiomlcommons.endpoint import Request


@handles(RegisterModelGroup)
async def register(cluster: Cluster, request: RegisterModelGroup) -> ModelGroupRegistered:
    """Refuses a name that is taken, and access control, for which the emulator has no users."""
    _check_access(request)
    group_id = await _add(cluster, request, request.name, request.description, request.model_group_id)
    return ModelGroupRegistered(model_group_id=group_id, status="CREATED")


@handles(GetModelGroup)
async def get(cluster: Cluster, request: GetModelGroup) -> ModelGroup:
    """404 where there is none."""
    return find(cluster, request.model_group_id)


@handles(UpdateModelGroup)
async def update(cluster: Cluster, request: UpdateModelGroup) -> ModelGroupUpdated:
    """Changes name and description."""
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
    """Refuses a group that has models, or chunks that are still seen; a missing one is no error."""
    models = (document.source for document in cluster.models.seen().values())
    if any(model.model_group_id == request.model_group_id for model in models):
        raise status_error(409, GROUP_IN_USE)
    return cluster.groups.delete(request.model_group_id)


@handles(SearchModelGroups)
async def find_all(cluster: Cluster, request: SearchModelGroups) -> Hits[ModelGroup]:
    """Any query that the emulator's search knows."""
    return search.search(cluster.groups, request.body, cluster.node_id)


def find(cluster: Cluster, group_id: str) -> ModelGroup:
    """A model group; raises Refused where there is none."""
    group = cluster.groups.get(group_id)
    if group is None:
        raise missing(f"Failed to find model group with the provided model group id: {group_id}")
    return group


def named(cluster: Cluster, name: str) -> str | None:
    """The id of the group that has a name, as a search finds it."""
    return next((key for key, document in cluster.groups.visible().items() if document.source.name == name), None)


async def _add(
    cluster: Cluster, asked: Request[Any], name: str, description: str | None = None, own_id: str | None = None
) -> str:
    """Make a group; return its id. Of two at once both are made: the server's check of the name is a search."""
    if taken := named(cluster, name):
        raise _taken(taken)
    await cluster.pause()
    if cluster.faults.raced(asked):
        _put(cluster, cluster.new_id(), name)
    group_id = _own_ids.check(cluster, cluster.groups, own_id, "model group id") or cluster.new_id()
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
    """The group that a new model joins, and its version there; ``is_new`` where the group was made for it."""

    group_id: str | None
    version: str = ""
    is_new: bool = False


async def place(cluster: Cluster, asked: RegisterModel | RegisterModelMeta) -> Place:
    """The group that a new model is to join: without one it gets one of its own name. Old servers have no groups."""
    if cluster.is_old:
        return Place(None, asked.version or "")
    if asked.model_group_id:
        return Place(asked.model_group_id)
    if found := named(cluster, asked.name):
        return Place(found)
    await cluster.pause()
    if cluster.faults.raced(asked):
        _put(cluster, cluster.new_id(), asked.name)
    return Place(await _add(cluster, asked, asked.name), is_new=True)


async def take(cluster: Cluster, asked: Request[Any], place: Place) -> Place:
    """Take the next version of a group. Raises Conflict where somebody else took it."""
    if place.group_id is None:
        return place
    _check_joined(cluster, asked, place.group_id)
    group = await cluster.rewrite(asked, cluster.groups, place.group_id, partial(_next, cluster))
    return attrs.evolve(place, version=str(group.latest_version))


def _check_joined(cluster: Cluster, asked: Request[Any], group_id: str) -> None:
    """Raises Refused where the group to join is not there, in the words of the kind of registration."""
    if cluster.groups.get(group_id) is not None or not isinstance(asked, RegisterModel | RegisterModelMeta):
        find(cluster, group_id)
        return
    words = "Fail to find model group"
    if isinstance(asked, RegisterModel):
        is_remote = str(asked.function_name).upper() == FunctionName.REMOTE
        words = f"Model Group Response is empty for {group_id}" if is_remote else "Model group not found"
    raise refused(500, "m_l_resource_not_found_exception", words)


def give_back(cluster: Cluster, place: Place) -> None:
    """Undo what was done to a group for a model that came to nothing."""
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
