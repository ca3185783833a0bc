"""Model groups."""

from __future__ import annotations

from aiomlcommons.api.common import AccessMode, Hits, WriteResult
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
from aiomlcommons.emulator import search
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import NO_ACCESS_CONTROL, illegal, missing, status_error
from aiomlcommons.emulator.registry import handles


@handles(RegisterModelGroup)
async def register(cluster: Cluster, request: RegisterModelGroup) -> ModelGroupRegistered:
    """Refuses a name that is taken, and access control, for which the emulator has no users."""
    _check_access(request)
    if taken := named(cluster, request.name):
        raise _taken(taken)
    group_id = create(cluster, request.name, request.description)
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
    """Refuses a group that has models; a missing one is no error."""
    models = (document.source for document in cluster.models.documents.values())
    if any(model.model_group_id == request.model_group_id for model in models):
        raise status_error(409, "Cannot delete the model group when it has associated model versions")
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
    """The id of the group that has a name."""
    return next((key for key, document in cluster.groups.documents.items() if document.source.name == name), None)


def create(cluster: Cluster, name: str, description: str | None = None) -> str:
    """Make a group; return its id."""
    group_id, now = cluster.new_id(), cluster.now()
    group = ModelGroup(
        name=name,
        latest_version=0,
        description=description,
        access=AccessMode.PUBLIC,
        created_time=now,
        last_updated_time=now,
    )
    cluster.groups.put(group_id, group)
    return group_id


def next_version(cluster: Cluster, group_id: str | None, model_name: str) -> tuple[str, str]:
    """The group that a new model joins, and its version there: without a group it gets one of its own name."""
    if group_id is None:
        group_id = named(cluster, model_name) or create(cluster, model_name)
    version = (find(cluster, group_id).latest_version or 0) + 1
    cluster.groups.change(group_id, latest_version=version, last_updated_time=cluster.now())
    return group_id, str(version)


def _taken(group_id: str | None) -> Exception:
    return illegal(f"The name you provided is already being used by a model group with ID: {group_id}.")


def _check_access(request: RegisterModelGroup | UpdateModelGroup) -> None:
    if request.access_mode or request.backend_roles or request.add_all_backend_roles:
        raise illegal(NO_ACCESS_CONTROL)
