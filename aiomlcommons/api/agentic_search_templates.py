"""Agentic search templates: the queries that an agent may run on an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api.common import Listed, WriteResult
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Record, in_query, record


@record
class AgenticSearchTemplate(Record):
    """A template. ``index_binding`` is the index that it was registered for; times are epoch milliseconds."""

    template_id: str | None = None
    index_binding: str | None = None
    description: str | None = None
    param_schema: Mapping[str, Any] | None = None
    created_time: int | None = None
    last_updated_time: int | None = None
    created_by: str | None = None


@record
class AgenticSearchTemplateStatus(Record):
    """The status of a template after a change."""

    template_id: str
    status: str


@record
class AgenticSearchTemplateList(Record, Listed[AgenticSearchTemplate]):
    """A page of templates."""

    total: int
    templates: list[AgenticSearchTemplate]

    @property
    def _items(self) -> Sequence[AgenticSearchTemplate]:
        return self.templates


@endpoint("POST /_plugins/_ml/agentic_search_templates", since="3.9")
class RegisterAgenticSearchTemplate(Request[AgenticSearchTemplateStatus]):
    """Register a template for an index. ``param_schema`` must not be empty.

    https://docs.opensearch.org/latest/vector-search/ai-search/agentic-search/index/
    """

    template_id: str
    _: KW_ONLY
    index: str
    description: str | None = None
    param_schema: Mapping[str, Any] | None = None


@endpoint("GET /_plugins/_ml/agentic_search_templates/{template_id}", since="3.9")
class GetAgenticSearchTemplate(Request[AgenticSearchTemplate]):
    """Get a template.

    https://docs.opensearch.org/latest/vector-search/ai-search/agentic-search/index/
    """

    template_id: str


@endpoint("GET /_plugins/_ml/agentic_search_templates", since="3.9")
class ListAgenticSearchTemplates(Request[AgenticSearchTemplateList]):
    """List templates by page: ``size`` (1 to 1000, default 10) from offset ``from_`` (default 0).

    https://docs.opensearch.org/latest/vector-search/ai-search/agentic-search/index/
    """

    _: KW_ONLY
    from_: int | None = in_query(wire="from", default=None)
    size: int | None = in_query(default=None)


@endpoint("PUT /_plugins/_ml/agentic_search_templates/{template_id}", since="3.9", needs_body=True)
class UpdateAgenticSearchTemplate(Request[WriteResult]):
    """Update a template's description or parameters.

    https://docs.opensearch.org/latest/vector-search/ai-search/agentic-search/index/
    """

    template_id: str
    _: KW_ONLY
    description: str | None = None
    param_schema: Mapping[str, Any] | None = None


@endpoint("DELETE /_plugins/_ml/agentic_search_templates/{template_id}", since="3.9")
class DeleteAgenticSearchTemplate(Request[AgenticSearchTemplateStatus]):
    """Delete a template.

    https://docs.opensearch.org/latest/vector-search/ai-search/agentic-search/index/
    """

    template_id: str


class AgenticSearchTemplates(Namespace):
    """``ml.agentic_search_templates``: the queries that an agent may run on an index."""

    register = op(RegisterAgenticSearchTemplate)
    get = op(GetAgenticSearchTemplate)
    list = op(ListAgenticSearchTemplates)
    update = op(UpdateAgenticSearchTemplate)
    delete = op(DeleteAgenticSearchTemplate)
