"""Handlers of context management templates."""

from __future__ import annotations

from typing import Any

from aiomlcommons.api.common import WriteResult
from aiomlcommons.api.context_management import (
    ContextManagementStatus,
    ContextManagementTemplate,
    ContextManagementTemplates,
    CreateContextManagement,
    DeleteContextManagement,
    GetContextManagement,
    ListContextManagement,
    UpdateContextManagement,
)
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import illegal, missing
from aiomlcommons.emulator.registry import handles

LARGEST_PAGE = 1000


@handles(CreateContextManagement)
async def create(cluster: Cluster, request: CreateContextManagement) -> ContextManagementStatus:
    """Create a template; refuse a name that is taken. Unknown hooks and managers are stored, as on the server."""
    name, now = request.template_name, cluster.now()
    if cluster.contexts.get(name) is not None:
        raise illegal(f"A context management with name '{name}' already exists")
    template = ContextManagementTemplate(
        name=name, description=request.description, created_time=now, last_modified=now, **_hooks(request)
    )
    cluster.contexts.put(name, template)
    return ContextManagementStatus(context_management_name=name, status="created")


@handles(GetContextManagement)
async def get(cluster: Cluster, request: GetContextManagement) -> ContextManagementTemplate:
    """Return a template; 404 where there is none."""
    return _find(cluster, request.template_name)


@handles(ListContextManagement)
async def list_all(cluster: Cluster, request: ListContextManagement) -> ContextManagementTemplates:
    """Return a page of templates in the order of their creation."""
    start, size = request.from_ or 0, 10 if request.size is None else request.size
    if start < 0 or not 1 <= size <= LARGEST_PAGE:
        raise illegal(f"from must be 0 or more, and size 1 to {LARGEST_PAGE}")
    found = [document.source for document in cluster.contexts.documents.values()]
    return ContextManagementTemplates(total=len(found), templates=found[start : start + size])


@handles(UpdateContextManagement)
async def update(cluster: Cluster, request: UpdateContextManagement) -> WriteResult:
    """Change the fields that are given; of the hooks only those that are given are replaced."""
    name = request.template_name
    old = _find(cluster, name)
    given = {} if request.description is None else {"description": request.description}
    hooks = _hooks(request)
    if hooks:
        hooks = {"hooks": {**(old.hooks or {}), **(hooks["hooks"] or {})} or None}
    cluster.contexts.change(name, last_modified=cluster.now(), **given, **hooks)
    return cluster.contexts.updated(name)


@handles(DeleteContextManagement)
async def delete(cluster: Cluster, request: DeleteContextManagement) -> ContextManagementStatus:
    """Delete a template; 404 where there is none, with another message than ``get`` has."""
    name = request.template_name
    if cluster.contexts.get(name) is None:
        raise missing(f"Context management template not found: {name}")
    cluster.contexts.delete(name)
    return ContextManagementStatus(context_management_name=name, status="deleted")


def _hooks(request: CreateContextManagement | UpdateContextManagement) -> dict[str, Any]:
    if request.hooks is None:
        return {}
    return {"hooks": {hook: list(managers) for hook, managers in request.hooks.items()} or None}


def _find(cluster: Cluster, name: str) -> ContextManagementTemplate:
    template = cluster.contexts.get(name)
    if template is None:
        raise missing(f"Context management not found: {name}")
    return template
