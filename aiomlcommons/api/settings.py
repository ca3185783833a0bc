"""Cluster settings of ML Commons, with typed names."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import KW_ONLY
from typing import Any, TypeAlias, dataclass_transform, get_type_hints

import anyio
import attrs
import orjson

from aiomlcommons import convert
from aiomlcommons.endpoint import NULL, Null, Record, Request, endpoint, fields_of, in_query, record, wire_name
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.namespace import Namespace, op

PREFIX = "plugins.ml_commons."

Flag: TypeAlias = bool | Null | None
Number: TypeAlias = int | Null | None
Ratio: TypeAlias = float | Null | None
Text: TypeAlias = str | Null | None
Texts: TypeAlias = list[str] | Null | None


def _setting(key: str, *, since: str, default: Any) -> Any:
    return attrs.field(default=default, metadata={"wire": PREFIX + key, "since": since})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(_setting,))
def _settings(cls: type[MLSettings]) -> type[MLSettings]:
    return attrs.frozen(cls, kw_only=True)


@_settings
class MLSettings:
    """Settings of ML Commons by name: ``MLSettings(only_run_on_ml_node=False)``.

    None leaves a setting as it is, ``NULL`` puts it back to its default. A dot of the setting's key is an underscore
    here: ``plugins.ml_commons.model_auto_deploy.enable`` is ``model_auto_deploy_enable``.

    https://docs.opensearch.org/latest/ml-commons-plugin/cluster-settings/
    """

    task_dispatch_policy: Text = _setting("task_dispatch_policy", since="2.4", default=None)
    max_model_on_node: Number = _setting("max_model_on_node", since="2.4", default=None)
    max_register_model_tasks_per_node: Number = _setting("max_register_model_tasks_per_node", since="2.7", default=None)
    max_batch_inference_tasks: Number = _setting("max_batch_inference_tasks", since="2.18", default=None)
    max_batch_ingestion_tasks: Number = _setting("max_batch_ingestion_tasks", since="2.18", default=None)
    batch_ingestion_bulk_size: Number = _setting("batch_ingestion_bulk_size", since="2.18", default=None)
    max_deploy_model_tasks_per_node: Number = _setting("max_deploy_model_tasks_per_node", since="2.7", default=None)
    max_ml_task_per_node: Number = _setting("max_ml_task_per_node", since="2.4", default=None)
    only_run_on_ml_node: Flag = _setting("only_run_on_ml_node", since="2.4", default=None)
    enable_inhouse_python_model: Flag = _setting("enable_inhouse_python_model", since="2.7", default=None)
    sync_up_job_interval_in_seconds: Number = _setting("sync_up_job_interval_in_seconds", since="2.4", default=None)
    ml_task_timeout_in_seconds: Number = _setting("ml_task_timeout_in_seconds", since="2.5", default=None)
    monitoring_request_count: Number = _setting("monitoring_request_count", since="2.4", default=None)
    trusted_url_regex: Text = _setting("trusted_url_regex", since="2.4", default=None)
    native_memory_threshold: Number = _setting("native_memory_threshold", since="2.5", default=None)
    jvm_heap_memory_threshold: Number = _setting("jvm_heap_memory_threshold", since="2.9", default=None)
    disk_free_space_threshold: Text = _setting("disk_free_space_threshold", since="2.16", default=None)
    exclude_nodes_name: Text = _setting("exclude_nodes._name", since="2.7", default=None)
    allow_custom_deployment_plan: Flag = _setting("allow_custom_deployment_plan", since="2.7", default=None)
    model_auto_deploy_enable: Flag = _setting("model_auto_deploy.enable", since="2.13", default=None)
    model_auto_redeploy_enable: Flag = _setting("model_auto_redeploy.enable", since="2.7", default=None)
    model_auto_redeploy_lifetime_retry_times: Number = _setting(
        "model_auto_redeploy.lifetime_retry_times", since="2.7", default=None
    )
    model_auto_redeploy_success_ratio: Ratio = _setting("model_auto_redeploy_success_ratio", since="2.7", default=None)
    allow_registering_model_via_url: Flag = _setting("allow_registering_model_via_url", since="2.8", default=None)
    allow_registering_model_via_local_file: Flag = _setting(
        "allow_registering_model_via_local_file", since="2.8", default=None
    )
    remote_inference_enabled: Flag = _setting("remote_inference.enabled", since="2.10", default=None)
    local_model_enabled: Flag = _setting("local_model.enabled", since="2.13", default=None)
    model_access_control_enabled: Flag = _setting("model_access_control_enabled", since="2.8", default=None)
    connector_access_control_enabled: Flag = _setting("connector_access_control_enabled", since="2.9", default=None)
    offline_batch_ingestion_enabled: Flag = _setting("offline_batch_ingestion_enabled", since="2.18", default=None)
    offline_batch_inference_enabled: Flag = _setting("offline_batch_inference_enabled", since="2.18", default=None)
    trusted_connector_endpoints_regex: Texts = _setting("trusted_connector_endpoints_regex", since="2.9", default=None)
    trusted_connector_private_endpoints_regex: Texts = _setting(
        "trusted_connector_private_endpoints_regex", since="3.7", default=None
    )
    task_dispatcher_eligible_node_role_remote_model: Texts = _setting(
        "task_dispatcher.eligible_node_role.remote_model", since="2.10", default=None
    )
    task_dispatcher_eligible_node_role_local_model: Texts = _setting(
        "task_dispatcher.eligible_node_role.local_model", since="2.10", default=None
    )
    index_insight_feature_enabled: Flag = _setting("index_insight_feature_enabled", since="3.3", default=None)
    memory_feature_enabled: Flag = _setting("memory_feature_enabled", since="2.10", default=None)
    mcp_connector_enabled: Flag = _setting("mcp_connector_enabled", since="3.0", default=None)
    mcp_server_enabled: Flag = _setting("mcp_server_enabled", since="3.0", default=None)
    rag_pipeline_feature_enabled: Flag = _setting("rag_pipeline_feature_enabled", since="2.10", default=None)
    agent_framework_enabled: Flag = _setting("agent_framework_enabled", since="2.12", default=None)
    unified_agent_api_enabled: Flag = _setting("unified_agent_api_enabled", since="3.5", default=None)
    agentic_search_template_enabled: Flag = _setting("agentic_search_template_enabled", since="3.9", default=None)
    connector_private_ip_enabled: Flag = _setting("connector.private_ip_enabled", since="2.15", default=None)
    connector_restricted_ip_patterns: Texts = _setting("connector.restricted_ip_patterns", since="3.7", default=None)
    execute_tools_enabled: Flag = _setting("execute_tools_enabled", since="3.2", default=None)
    remote_job_status_field: Texts = _setting("remote_job.status_field", since="2.18", default=None)
    remote_job_status_regex_completed: Text = _setting("remote_job.status_regex.completed", since="2.18", default=None)
    remote_job_status_regex_cancelled: Text = _setting("remote_job.status_regex.cancelled", since="2.18", default=None)
    remote_job_status_regex_cancelling: Text = _setting(
        "remote_job.status_regex.cancelling", since="2.18", default=None
    )
    remote_job_status_regex_expired: Text = _setting("remote_job.status_regex.expired", since="2.18", default=None)
    remote_job_status_regex_failed: Text = _setting("remote_job.status_regex.failed", since="2.19", default=None)
    controller_enabled: Flag = _setting("controller_enabled", since="2.18", default=None)
    safe_delete_model: Flag = _setting("safe_delete_model", since="2.19", default=None)
    multi_tenancy_enabled: Flag = _setting("multi_tenancy_enabled", since="2.19", default=None)
    master_key_cache_ttl_minutes: Number = _setting("master_key_cache_ttl_minutes", since="3.5", default=None)
    remote_metadata_type: Text = _setting("remote_metadata_type", since="2.19", default=None)
    remote_metadata_endpoint: Text = _setting("remote_metadata_endpoint", since="2.19", default=None)
    remote_metadata_region: Text = _setting("remote_metadata_region", since="2.19", default=None)
    remote_metadata_service_name: Text = _setting("remote_metadata_service_name", since="2.19", default=None)
    metrics_collection_enabled: Flag = _setting("metrics_collection_enabled", since="3.1", default=None)
    metrics_static_collection_enabled: Flag = _setting("metrics_static_collection_enabled", since="3.1", default=None)
    agentic_memory_enabled: Flag = _setting("agentic_memory_enabled", since="3.2", default=None)
    remote_agentic_memory_enabled: Flag = _setting("remote_agentic_memory_enabled", since="3.5", default=None)
    memory_retention_enabled: Flag = _setting("memory.retention_enabled", since="3.8", default=None)
    stream_enabled: Flag = _setting("stream_enabled", since="3.3", default=None)
    max_json_size: Number = _setting("max_json_size", since="3.5", default=None)
    mcp_header_passthrough_enabled: Flag = _setting("mcp_header_passthrough_enabled", since="3.5", default=None)
    ag_ui_enabled: Flag = _setting("ag_ui_enabled", since="3.5", default=None)
    memory_retention_job_interval_hours: Number = _setting(
        "memory.retention_job_interval_hours", since="3.8", default=None
    )
    memory_retention_job_throttle_seconds: Number = _setting(
        "memory.retention_job_throttle_seconds", since="3.8", default=None
    )
    memory_orphan_ttl_days: Number = _setting("memory.orphan_ttl_days", since="3.8", default=None)
    memory_working_memory_ttl_days: Number = _setting("memory.working_memory_ttl_days", since="3.8", default=None)
    memory_default_session_retention_days: Number = _setting(
        "memory.default_session_retention_days", since="3.8", default=None
    )
    memory_default_session_max_count: Number = _setting("memory.default_session_max_count", since="3.8", default=None)
    memory_default_long_term_max_count: Number = _setting(
        "memory.default_long_term_max_count", since="3.8", default=None
    )
    memory_default_history_max_count: Number = _setting("memory.default_history_max_count", since="3.8", default=None)

    def to_wire(self) -> dict[str, Any]:
        """The settings by their keys, as the cluster takes them."""
        wire: dict[str, Any] = convert.unstructure(self)
        return wire

    @classmethod
    def from_wire(cls, flat: Mapping[str, Any]) -> MLSettings:
        """The settings of ML Commons among flat keys of the cluster, whose values are text; the rest is left out.

        A value that its setting cannot hold is kept as it is, so that it is seen and can be put back.
        """
        return cls(**{name: _kept(value, declared) for name, value, declared in _among(flat)})

    @classmethod
    def from_words(cls, flat: Mapping[str, Any]) -> MLSettings:
        """The settings of ML Commons among flat keys, in somebody's own words: ``True``, ``1e3``.

        Raises InvalidRequest that names the setting and what it may hold.
        """
        return cls(**{name: _checked(name, value, declared) for name, value, declared in _among(flat)})


def _among(flat: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Name, value and type of each setting whose key is there."""
    types = get_type_hints(MLSettings)
    return [(f.name, flat[wire_name(f)], types[f.name]) for f in fields_of(MLSettings) if wire_name(f) in flat]


def _kept(value: Any, declared: Any) -> Any:
    try:
        return _read(value, declared)
    except ValueError:
        return value


def _checked(name: str, value: Any, declared: Any) -> Any:
    try:
        return _read(value, declared)
    except ValueError as error:
        raise InvalidRequest(f"{name} must be {error}, not {value!r}") from None


def _read(value: Any, declared: Any) -> Any:
    """A value, which may be text, as a setting holds it; raises ValueError that says what the setting holds."""
    if value is NULL:
        return value
    if declared == Flag:
        return _flag(value)
    if declared == Number:
        return _whole(value)
    return float(_number(value)) if declared == Ratio else value


def _flag(value: Any) -> bool:
    word = str(value).lower()
    if word not in {"true", "false"}:
        raise ValueError("true or false")
    return word == "true"


def _whole(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError("a whole number")
    return int(number)


def _number(value: Any) -> int | float:
    with suppress(ValueError):
        value = orjson.loads(value) if isinstance(value, str) else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a number")
    return value


FIRST_MODEL = MLSettings(
    only_run_on_ml_node=False,
    allow_registering_model_via_url=True,
    allow_registering_model_via_local_file=True,
    native_memory_threshold=99,
)
"""What a cluster without ML nodes needs before a first local model can be registered and deployed."""


@record
class ClusterSettings(Record):
    """Settings as the cluster has them, nested or flat as asked for; values are text or lists of text."""

    acknowledged: bool | None = None
    persistent: Mapping[str, Any] | None = None
    transient: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] | None = None


@endpoint("GET /_cluster/settings", since="1.0")
class GetClusterSettings(Request[ClusterSettings]):
    """Look the cluster's settings up.

    https://docs.opensearch.org/latest/api-reference/cluster-api/cluster-settings/
    """

    _: KW_ONLY
    include_defaults: bool | None = in_query(default=None)
    flat_settings: bool | None = in_query(default=None)


@endpoint("PUT /_cluster/settings", since="1.0", needs_body=True)
class PutClusterSettings(Request[ClusterSettings]):
    """Change settings of the cluster: ``persistent`` ones outlive a restart, ``transient`` ones do not.

    https://docs.opensearch.org/latest/api-reference/cluster-api/cluster-settings/
    """

    _: KW_ONLY
    persistent: Mapping[str, Any] | None = None
    transient: Mapping[str, Any] | None = None
    flat_settings: bool | None = in_query(default=None)


class Settings(Namespace):
    """``ml.settings``: what the cluster allows ML Commons to do."""

    get = op(GetClusterSettings)
    put = op(PutClusterSettings)

    async def read(self, *, defaults: bool = True) -> MLSettings:
        """The settings in force: transient ones over persistent ones, over the ``defaults`` unless these are off."""
        got = await self.get(include_defaults=defaults, flat_settings=True)
        return MLSettings.from_wire({**(got.defaults or {}), **(got.persistent or {}), **(got.transient or {})})

    async def apply(self, settings: MLSettings, *, transient: bool = False) -> MLSettings:
        """Change settings, and return what they were: ``apply`` that, and everything is as before.

        Raises BadRequest for a setting or value that the server does not know, Forbidden without the right to.
        """
        wanted = settings.to_wire()
        got = await self.get(flat_settings=True)
        had = (got.transient if transient else got.persistent) or {}
        await (self.put(transient=wanted) if transient else self.put(persistent=wanted))
        return MLSettings.from_wire({key: had.get(key, NULL) for key in wanted})

    @asynccontextmanager
    async def temporarily(self, settings: MLSettings, *, transient: bool = False) -> AsyncGenerator[None]:
        """Other settings for as long as the context is open; they are put back however it ends. Raises as ``apply``."""
        before = await self.apply(settings, transient=transient)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self.apply(before, transient=transient)

    async def ml_on_all_nodes(self, allowed: bool = True, *, transient: bool = False) -> MLSettings:
        """Let models run on every node, for clusters without ML nodes; return what was set before."""
        return await self.apply(MLSettings(only_run_on_ml_node=not allowed), transient=transient)

    async def allow_first_model(self, *, transient: bool = False) -> MLSettings:
        """Set what a first local model needs on a cluster without ML nodes, and return what was set before.

        Any node may run models, models may come by URL and by upload, and memory may be used up to 99 %. Put it back
        with ``await ml.settings.apply(before)``.
        """
        return await self.apply(FIRST_MODEL, transient=transient)
