"""Handlers that create, get, update, delete and search memory containers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiomlcommons.api.common import Hits, User, WriteResult
from aiomlcommons.api.memory_containers import (
    CreateMemoryContainer,
    DeleteMemoryContainer,
    GetMemoryContainer,
    MemoryConfiguration,
    MemoryContainer,
    MemoryContainerCreated,
    SearchMemoryContainers,
    UpdateMemoryContainer,
)
from aiomlcommons.api.memory_documents import MemoryType
from aiomlcommons.emulator.cluster import Cluster, Index, alter
from aiomlcommons.emulator.errors import NO_AGENTIC_MEMORY, NO_CONTAINER, SHARED_PREFIX, missing, status_error
from aiomlcommons.emulator.memory.configuration import TYPES, changed, check, completed, index_name
from aiomlcommons.emulator.querying import records
from aiomlcommons.emulator.rate_limits import CALLER
from aiomlcommons.emulator.registry import handles


@handles(CreateMemoryContainer)
async def create(cluster: Cluster, request: CreateMemoryContainer) -> MemoryContainerCreated:
    """Create a container and the indices of its memories."""
    check_enabled(cluster)
    configuration = completed(request.configuration or MemoryConfiguration())
    check(cluster, configuration)
    container_id, now = cluster.new_id(), cluster.now()
    container = MemoryContainer(
        name=request.name,
        description=request.description,
        owner=_caller(),
        created_time=now,
        last_updated_time=now,
        configuration=configuration,
        backend_roles=list(request.backend_roles or ()) or None,
    )
    cluster.containers.put(container_id, container)
    for name in filter(None, (index_name(configuration, kind) for kind in TYPES)):
        cluster.contents.setdefault(name, Index(name, existed=True))
    return MemoryContainerCreated(memory_container_id=container_id, status="created")


@handles(GetMemoryContainer)
async def get(cluster: Cluster, request: GetMemoryContainer) -> MemoryContainer:
    """Return a container; 404 where there is none, with another message than the other handlers have."""
    return find(cluster, request.memory_container_id, NO_CONTAINER.format(id=request.memory_container_id))


@handles(UpdateMemoryContainer)
async def update(cluster: Cluster, request: UpdateMemoryContainer) -> WriteResult:
    """Change the fields that are given; the index names do not change."""
    key = request.memory_container_id
    container = find(cluster, key)
    fields: dict[str, Any] = {"name": request.name, "description": request.description}
    fields["backend_roles"] = None if request.backend_roles is None else list(request.backend_roles)
    if request.configuration is not None:
        fields["configuration"] = changed(cluster, configuration_of(container), request.configuration)
    given = {name: value for name, value in fields.items() if value is not None}
    cluster.containers.change(key, last_updated_time=cluster.now(), **given)
    return alter(cluster.containers.updated(key), forced_refresh=None)


@handles(DeleteMemoryContainer)
async def delete(cluster: Cluster, request: DeleteMemoryContainer) -> WriteResult:
    """Delete a container, and its memories if requested; refuse that where another container shares their indices."""
    configuration = configuration_of(find(cluster, request.memory_container_id))
    names = request.delete_memories.split(",") if request.delete_memories else ()
    kinds: Sequence[MemoryType] = TYPES if request.delete_all_memories else [kind for kind in TYPES if kind in names]
    if kinds and _sharing(cluster, configuration) > 1:
        raise status_error(409, SHARED_PREFIX.format(prefix=configuration.index_prefix))
    for kind in kinds:
        cluster.contents.pop(index_name(configuration, kind) or "", None)
    deleted = cluster.containers.delete(request.memory_container_id)
    if request.delete_all_memories and not configuration.strategies and cluster.is_before("3.5"):
        # A bug of the server: it fails on the missing index of long-term memories after it has deleted the container.
        raise status_error(500, "Internal server error")
    return deleted


@handles(SearchMemoryContainers)
async def find_all(cluster: Cluster, request: SearchMemoryContainers) -> Hits[MemoryContainer]:
    """Search containers."""
    check_enabled(cluster)
    return records.search(cluster.containers, request.body, cluster.node_id)


def find(cluster: Cluster, container_id: str, message: str = "Memory container not found") -> MemoryContainer:
    """Return a container; raise Refused where there is none, or where agentic memory is disabled."""
    check_enabled(cluster)
    container = cluster.containers.get(container_id)
    if container is None:
        raise missing(message)
    return container


def configuration_of(container: MemoryContainer) -> MemoryConfiguration:
    """Return the configuration of a container, never None."""
    return container.configuration or MemoryConfiguration()


def configuration_in(cluster: Cluster, container_id: str) -> MemoryConfiguration:
    """Return the configuration of the container with an id; raise Refused where there is none."""
    return configuration_of(find(cluster, container_id))


def check_enabled(cluster: Cluster) -> None:
    """Raise Refused where agentic memory is disabled."""
    if not cluster.settings.flag("agentic_memory_enabled"):
        raise status_error(403, NO_AGENTIC_MEMORY)


def _caller() -> User | None:
    # The only user has all permissions, as the administrator has.
    name = CALLER.get()
    if name is None:
        return None
    return User(
        name=name,
        backend_roles=["admin"],
        roles=["own_index", "all_access"],
        custom_attribute_names=[],
        user_requested_tenant="null",
        user_requested_tenant_access="WRITE",
    )


def _sharing(cluster: Cluster, configuration: MemoryConfiguration) -> int:
    documents = cluster.containers.documents.values()
    prefix = configuration.index_prefix
    return sum(configuration_of(document.source).index_prefix == prefix for document in documents)
