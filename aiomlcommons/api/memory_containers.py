"""Memory containers: stores of agentic memory, with extraction strategies and retention policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from enum import StrEnum
from typing import Any

from aiomlcommons.api import checks
from aiomlcommons.api.common import FunctionName, Hits, Listed, User, WriteResult
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.record import Null, Record, as_body, in_query, mixin, record


class StrategyType(StrEnum):
    """Type of a memory strategy: what is extracted from a conversation."""

    SEMANTIC = "SEMANTIC"
    USER_PREFERENCE = "USER_PREFERENCE"
    SUMMARY = "SUMMARY"


@record
class MemoryStrategy(Record):
    """A strategy for extracting long-term memories from conversations."""

    type: StrategyType | str | None = None
    namespace: list[str] | None = None
    configuration: Mapping[str, Any] | None = None
    id: str | None = None
    enabled: bool | None = None


@record
class RetentionRule(Record):
    """Limits on the age and number of memories; ``NULL`` is an explicit "no limit"."""

    retention_days: int | Null | None = None
    max_count: int | Null | None = None


@record
class MemoryConfiguration(Record):
    """The configuration of a container. ``retention_policy=NULL`` clears the policy, None leaves it unchanged."""

    index_prefix: str | None = None
    embedding_model_type: FunctionName | str | None = None
    embedding_model_id: str | None = None
    embedding_dimension: int | Null | None = None
    llm_id: str | None = None
    max_infer_size: int | None = None
    strategies: list[MemoryStrategy] | None = None
    index_settings: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] | None = None
    disable_history: bool | None = None
    disable_session: bool | None = None
    use_system_index: bool | None = None
    tenant_id: str | None = None
    retention_policy: Mapping[str, RetentionRule] | Null | None = None


@record
class MemoryContainer(Record):
    """A container. Times are epoch milliseconds."""

    name: str | None = None
    description: str | None = None
    owner: User | None = None
    created_time: int | None = None
    last_updated_time: int | None = None
    configuration: MemoryConfiguration | None = None
    backend_roles: list[str] | None = None
    tenant_id: str | None = None
    orphan_sweep_baseline_time: int | None = None


@record
class MemoryContainerCreated(Record):
    """The id of a new container."""

    memory_container_id: str
    status: str


@record
class RetentionTriggered(Record):
    """The response to starting the retention job: ``status`` has the reason if ``triggered`` is False."""

    acknowledged: bool
    triggered: bool
    status: str
    message: str | None = None


@record
class WouldDelete(Record):
    """The number of memories of one type that would be deleted, by reason."""

    total: int
    by_reason: Mapping[str, int] | None = None


@record
class RetentionPreview(Record):
    """A dry run of the retention job on one container. ``evaluated_at`` is in epoch milliseconds."""

    container_id: str
    evaluated_at: int
    policy_source: str
    effective_policy: Mapping[str, Any]
    would_delete: Mapping[str, WouldDelete]
    total_would_delete: int
    pinned_would_skip: int
    warnings: list[str]


@record
class RetentionPreviews(Record, Listed[RetentionPreview]):
    """A dry run of the retention job on each container."""

    skipped_count: int
    truncated: bool
    results: list[RetentionPreview]
    warning: str | None = None

    @property
    def _items(self) -> Sequence[RetentionPreview]:
        return self.results


@mixin
class MemoryContainerSpec:
    """The fields that creating and updating a container have in common."""

    description: str | None = None
    configuration: MemoryConfiguration | None = None
    backend_roles: Sequence[str] | None = None


@endpoint(
    "POST /_plugins/_ml/memory_containers/_create",
    since="3.2",
    newer={"3.3": ("configuration", "backend_roles"), "3.9": ("memory_container_id",)},
)
class CreateMemoryContainer(MemoryContainerSpec, Request[MemoryContainerCreated]):
    """Create a memory container.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/create-memory-container/
    """

    name: str
    _: KW_ONLY
    memory_container_id: str | None = None
    tenant_id: str | None = None

    def problems(self) -> Iterator[str]:
        yield from checks.own_id(self, "memory_container_id")


@endpoint("GET /_plugins/_ml/memory_containers/{memory_container_id}", since="3.2")
class GetMemoryContainer(Request[MemoryContainer]):
    """Get a memory container.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/get-memory-container/
    """

    memory_container_id: str


@endpoint("PUT /_plugins/_ml/memory_containers/{memory_container_id}", since="3.3", needs_body=True)
class UpdateMemoryContainer(MemoryContainerSpec, Request[WriteResult]):
    """Update a memory container.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/update-memory-container/
    """

    memory_container_id: str
    _: KW_ONLY
    name: str | None = None


@endpoint("DELETE /_plugins/_ml/memory_containers/{memory_container_id}", since="3.2")
class DeleteMemoryContainer(Request[WriteResult]):
    """Delete a memory container; with ``delete_all_memories``, or the named ``delete_memories``, its memories too.

    ``delete_memories`` is a comma-separated list of ``sessions``, ``working``, ``long-term`` and ``history``.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/delete-memory-container/
    """

    memory_container_id: str
    _: KW_ONLY
    delete_all_memories: bool | None = in_query(default=None)
    delete_memories: str | None = in_query(default=None)


@endpoint(
    "POST /_plugins/_ml/memory_containers/_search",
    since="3.3",
    also=["GET /_plugins/_ml/memory_containers/_search"],
    repeatable=True,
)
class SearchMemoryContainers(Request[Hits[MemoryContainer]]):
    """Search the memory containers with a query DSL body.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/search-memory-container/
    """

    body: Mapping[str, Any] = as_body(factory=dict)


@endpoint("POST /_plugins/_ml/memory_containers/_retention/_execute", since="3.9")
class ExecuteRetention(Request[RetentionTriggered]):
    """Start the job that deletes expired memories.

    https://docs.opensearch.org/latest/ml-commons-plugin/agentic-memory/
    """


@endpoint("POST /_plugins/_ml/memory_containers/_retention/_dry_run", since="3.9", repeatable=True)
class PreviewRetention(Request[RetentionPreviews]):
    """Preview what the retention job would delete, in every container.

    https://docs.opensearch.org/latest/ml-commons-plugin/agentic-memory/
    """


@endpoint(
    "POST /_plugins/_ml/memory_containers/{memory_container_id}/_retention/_dry_run", since="3.9", repeatable=True
)
class PreviewContainerRetention(Request[RetentionPreview]):
    """Preview what the retention job would delete from one container.

    https://docs.opensearch.org/latest/ml-commons-plugin/agentic-memory/
    """

    memory_container_id: str
