"""The cluster settings of ML Commons, with typed names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, dataclass_transform, get_type_hints

import attrs

from aiomlcommons.api.setting_values import Flag, Number, Ratio, Text, Texts, kept, read
from aiomlcommons.display.shown import Readable
from aiomlcommons.endpoint import fields_of, wire_name
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.spelling import did_you_mean

PREFIX = "plugins.ml_commons."


def _setting(key: str, *, since: str, until: str | None = None, default: Any) -> Any:
    return attrs.field(default=default, metadata={"wire": PREFIX + key, "since": since, "until": until})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(_setting,))
def _settings(cls: type[MLSettings]) -> type[MLSettings]:
    return attrs.frozen(cls, kw_only=True, repr=False)


@_settings
class MLSettings(Readable):
    """Settings of ML Commons by name: ``MLSettings(only_run_on_ml_node=False)``.

    None leaves a setting unchanged, ``NULL`` resets it to its default. A dot of the setting's key is an underscore
    here: ``plugins.ml_commons.model_auto_deploy.enable`` is ``model_auto_deploy_enable``. The list has the settings of
    every version; ``ml.settings.apply`` raises for those that the server lacks.
    ``to_dict()`` has the settings by key, as the cluster accepts them.

    https://docs.opensearch.org/latest/ml-commons-plugin/cluster-settings/
    """

    task_dispatch_policy: Text = _setting("task_dispatch_policy", since="2.4", default=None)
    max_model_on_node: Number = _setting("max_model_on_node", since="2.4", default=None)
    max_load_model_tasks_per_node: Number = _setting(
        "max_load_model_tasks_per_node", since="2.4", until="2.7", default=None
    )
    max_upload_model_tasks_per_node: Number = _setting(
        "max_upload_model_tasks_per_node", since="2.4", until="2.7", default=None
    )
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
    update_connector_enabled: Flag = _setting("update_connector.enabled", since="2.11", until="2.12", default=None)
    connector_access_control_enabled: Flag = _setting("connector_access_control_enabled", since="2.9", default=None)
    offline_batch_ingestion_enabled: Flag = _setting("offline_batch_ingestion_enabled", since="2.17", default=None)
    offline_batch_inference_enabled: Flag = _setting("offline_batch_inference_enabled", since="2.17", default=None)
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
    remote_job_status_field: Texts = _setting("remote_job.status_field", since="2.17", default=None)
    remote_job_status_regex_completed: Text = _setting("remote_job.status_regex.completed", since="2.17", default=None)
    remote_job_status_regex_cancelled: Text = _setting("remote_job.status_regex.cancelled", since="2.17", default=None)
    remote_job_status_regex_cancelling: Text = _setting(
        "remote_job.status_regex.cancelling", since="2.17", default=None
    )
    remote_job_status_regex_expired: Text = _setting("remote_job.status_regex.expired", since="2.17", default=None)
    remote_job_status_regex_failed: Text = _setting("remote_job.status_regex.failed", since="2.19", default=None)
    controller_enabled: Flag = _setting("controller_enabled", since="2.17", default=None)
    safe_delete_model: Flag = _setting("safe_delete_model", since="2.19", default=None)
    multi_tenancy_enabled: Flag = _setting("multi_tenancy_enabled", since="2.19", default=None)
    master_key_cache_ttl_minutes: Number = _setting("master_key_cache_ttl_minutes", since="3.5", default=None)
    remote_metadata_type: Text = _setting("remote_metadata_type", since="2.19", default=None)
    remote_metadata_endpoint: Text = _setting("remote_metadata_endpoint", since="2.19", default=None)
    remote_metadata_region: Text = _setting("remote_metadata_region", since="2.19", default=None)
    remote_metadata_service_name: Text = _setting("remote_metadata_service_name", since="2.19", default=None)
    global_tenant_id: Text = _setting("global_tenant_id", since="3.3", default=None)
    remote_metadata_global_resource_cache_ttl: Text = _setting(
        "remote_metadata_global_resource_cache_ttl", since="3.3", default=None
    )
    metrics_collection_enabled: Flag = _setting("metrics_collection_enabled", since="3.1", default=None)
    metrics_static_collection_enabled: Flag = _setting("metrics_static_collection_enabled", since="3.1", default=None)
    agentic_search_enabled: Flag = _setting("agentic_search_enabled", since="3.2", until="3.3", default=None)
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

    def without(self, keys: Iterable[str]) -> MLSettings:
        """Return a copy without the settings of some keys."""
        left = [field.name for field in fields_of(MLSettings) if wire_name(field) not in set(keys)]
        return MLSettings(**{name: getattr(self, name) for name in left})

    @classmethod
    def from_wire(cls, flat: Mapping[str, Any]) -> MLSettings:
        """Parse the settings of ML Commons among the cluster's flat settings, whose values are text; ignore others.

        A value that does not match the type of its setting is kept unchanged, so that it can be seen and restored.
        """
        types = get_type_hints(MLSettings)
        return cls(
            **{f.name: kept(flat[wire_name(f)], types[f.name]) for f in fields_of(MLSettings) if wire_name(f) in flat}
        )

    @classmethod
    def from_words(cls, words: Mapping[str, Any]) -> MLSettings:
        """Parse settings given as text: ``{"only_run_on_ml_node": "True", "max_json_size": "1e6"}``.

        A setting is named by its key, with or without ``plugins.ml_commons.``, or by its field. Raises InvalidRequest,
        which names the setting and its type, or suggests names similar to an unknown one.
        """
        types = get_type_hints(MLSettings)
        names = {_name_of(word): value for word, value in words.items()}
        return cls(**{name: _checked(name, value, types[name]) for name, value in names.items()})


def versions_of(key: str) -> str:
    """Return the versions of OpenSearch that have a setting: ``2.5``, or ``2.4 to 2.6`` if it was removed again."""
    told = next(field.metadata for field in fields_of(MLSettings) if wire_name(field) == key)
    if not told["until"]:
        return str(told["since"])
    major, minor = map(int, told["until"].split("."))
    last = f"{major}.{minor - 1}"
    return f"{last} alone" if told["since"] == last else f"{told['since']} to {last}"


def _name_of(word: str) -> str:
    short = word.removeprefix(PREFIX)
    for field in fields_of(MLSettings):
        if short in {field.name, wire_name(field).removeprefix(PREFIX)}:
            return str(field.name)
    known = [wire_name(field).removeprefix(PREFIX) for field in fields_of(MLSettings)]
    hint = did_you_mean(short, known, "`aiomlcommons settings list` shows them")
    raise InvalidRequest(f"there is no setting {PREFIX}{short}; {hint}")


def _checked(name: str, value: Any, declared: Any) -> Any:
    try:
        return read(value, declared)
    except ValueError as error:
        raise InvalidRequest(f"{name} must be {error}, not {value!r}") from None


FIRST_MODEL = MLSettings(
    only_run_on_ml_node=False,
    allow_registering_model_via_url=True,
    allow_registering_model_via_local_file=True,
    native_memory_threshold=99,
)
"""What a cluster without ML nodes needs before a first local model can be registered and deployed."""
