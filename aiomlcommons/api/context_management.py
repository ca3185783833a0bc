"""Context management: truncation and summarization of an agent's conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api.common import Listed, WriteResult
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Record, in_query, mixin, record


@record
class ContextManager(Record):
    """A processing step: ``SlidingWindowManager``, ``SummarizationManager`` or ``ToolsOutputTruncateManager``."""

    type: str
    activation: Mapping[str, Any] | None = None
    config: Mapping[str, Any] | None = None


@record
class ContextManagementTemplate(Record):
    """A template: steps by the hook at which they run, such as ``PRE_LLM``. Times are epoch milliseconds."""

    name: str | None = None
    description: str | None = None
    hooks: Mapping[str, list[ContextManager]] | None = None
    created_time: int | None = None
    last_modified: int | None = None
    created_by: str | None = None


@record
class ContextManagementStatus(Record):
    """The status of a template after a change: ``created`` or ``deleted``."""

    context_management_name: str
    status: str


@record
class ContextManagementTemplates(Record, Listed[ContextManagementTemplate]):
    """A page of templates."""

    total: int
    templates: list[ContextManagementTemplate]

    @property
    def _items(self) -> Sequence[ContextManagementTemplate]:
        return self.templates


@mixin
class ContextManagementSpec:
    """The fields that creating and updating a template have in common."""

    description: str | None = None
    hooks: Mapping[str, Sequence[ContextManager]] | None = None


@endpoint("POST /_plugins/_ml/context_management/{template_name}", since="3.5", needs_body=True)
class CreateContextManagement(ContextManagementSpec, Request[ContextManagementStatus]):
    """Create a template.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/context-management-apis/create-context-management/
    """

    template_name: str


@endpoint("GET /_plugins/_ml/context_management/{template_name}", since="3.5")
class GetContextManagement(Request[ContextManagementTemplate]):
    """Get a template.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/context-management-apis/get-context-management/
    """

    template_name: str


@endpoint("GET /_plugins/_ml/context_management", since="3.5")
class ListContextManagement(Request[ContextManagementTemplates]):
    """List templates by page: ``size`` (1 to 1000, default 10) from offset ``from_`` (default 0).

    https://docs.opensearch.org/latest/ml-commons-plugin/api/context-management-apis/list-context-management/
    """

    _: KW_ONLY
    from_: int | None = in_query(wire="from", default=None)
    size: int | None = in_query(default=None)


@endpoint("PUT /_plugins/_ml/context_management/{template_name}", since="3.5", needs_body=True)
class UpdateContextManagement(ContextManagementSpec, Request[WriteResult]):
    """Update a template.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/context-management-apis/update-context-management/
    """

    template_name: str


@endpoint("DELETE /_plugins/_ml/context_management/{template_name}", since="3.5")
class DeleteContextManagement(Request[ContextManagementStatus]):
    """Delete a template.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/context-management-apis/delete-context-management/
    """

    template_name: str


class ContextManagement(Namespace):
    """``ml.context_management``: truncation and summarization of an agent's conversation."""

    create = op(CreateContextManagement)
    get = op(GetContextManagement)
    list = op(ListContextManagement)
    update = op(UpdateContextManagement)
    delete = op(DeleteContextManagement)
