"""Handlers of agentic search templates. There are never any: each needs a stored script, which the emulator lacks."""

from __future__ import annotations

from aiomlcommons.api.agentic_search_templates import (
    AgenticSearchTemplateList,
    DeleteAgenticSearchTemplate,
    GetAgenticSearchTemplate,
    ListAgenticSearchTemplates,
    RegisterAgenticSearchTemplate,
    UpdateAgenticSearchTemplate,
)
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import NO_SEARCH_TEMPLATES, illegal, missing, refused, status_error
from aiomlcommons.emulator.registry import handles

INDEX = ".plugins-ml-agentic-search-templates"
LARGEST_PAGE = 1000


@handles(RegisterAgenticSearchTemplate)
async def register(cluster: Cluster, request: RegisterAgenticSearchTemplate) -> None:
    """Refuse every template, because its stored script does not exist."""
    _check_enabled(cluster)
    if request.param_schema is not None and not request.param_schema:
        raise illegal("'param_schema' cannot be empty")
    raise status_error(400, f"No stored search template found at _scripts/{request.template_id}")


@handles(ListAgenticSearchTemplates)
async def list_all(cluster: Cluster, request: ListAgenticSearchTemplates) -> AgenticSearchTemplateList:
    """Return an empty page."""
    _check_enabled(cluster)
    if (request.from_ or 0) < 0:
        raise illegal("Parameter 'from' must be non-negative")
    if request.size is not None and not 1 <= request.size <= LARGEST_PAGE:
        raise illegal(f"Parameter 'size' must be between 1 and {LARGEST_PAGE}")
    return AgenticSearchTemplateList(total=0, templates=[])


@handles(GetAgenticSearchTemplate, DeleteAgenticSearchTemplate)
async def get(cluster: Cluster, request: GetAgenticSearchTemplate | DeleteAgenticSearchTemplate) -> None:
    """Return 404."""
    _check_enabled(cluster)
    raise missing(f"Agentic search template not found: {request.template_id}")


@handles(UpdateAgenticSearchTemplate)
async def update(cluster: Cluster, request: UpdateAgenticSearchTemplate) -> None:
    """Return 404, with the error of a missing document."""
    _check_enabled(cluster)
    reason = f"[{request.template_id}]: document missing"
    raise refused(404, "document_missing_exception", reason, None, index=INDEX, shard="0", index_uuid=cluster.uuid)


def _check_enabled(cluster: Cluster) -> None:
    if not cluster.settings.flag("agentic_search_template_enabled"):
        raise refused(500, "illegal_state_exception", NO_SEARCH_TEMPLATES)
