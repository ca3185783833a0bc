"""The settings of ML Commons with their defaults, as strings, as the server returns them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import attrs

Kind: TypeAlias = Literal["bool", "int", "float", "text", "list"]
BOOL: Final = "bool"
INT: Final = "int"
FLOAT: Final = "float"
TEXT: Final = "text"
LIST: Final = "list"


@attrs.frozen
class Setting:
    """A setting: type, default, range of a number, and whether it can be changed at runtime.

    A server of version ``until`` or later does not have it.
    """

    kind: Kind
    default: str | list[str]
    low: float | None = None
    high: float | None = None
    fixed: Literal["final", "static"] | None = None
    until: str | None = None


TRUSTED = [
    r"^https://runtime\.sagemaker\..*[a-z0-9-]\.amazonaws\.com/.*$",
    r"^https://api\.sagemaker\..*[a-z0-9-]\.amazonaws\.com/.*$",
    r"^https://api\.openai\.com/.*$",
    r"^https://api\.cohere\.ai/.*$",
    r"^https://api\.deepseek\.com/.*$",
    r"^https://bedrock-runtime\..*[a-z0-9-]\.amazonaws\.com/.*$",
    r"^https://bedrock-agent-runtime\..*[a-z0-9-]\.amazonaws\.com/.*$",
    r"^https://bedrock\..*[a-z0-9-]\.amazonaws\.com/.*$",
    r"^https://textract\..*[a-z0-9-]\.amazonaws\.com$",
    r"^https://comprehend\..*[a-z0-9-]\.amazonaws\.com$",
    r"^https://rekognition(-fips)?\..*[a-z0-9-]\.amazonaws\.com$",
]

SETTINGS: Mapping[str, Setting] = {
    "task_dispatch_policy": Setting(TEXT, "round_robin"),
    "max_model_on_node": Setting(INT, "10", low=0, high=10000),
    "max_register_model_tasks_per_node": Setting(INT, "10", low=0, high=10),
    "max_batch_inference_tasks": Setting(INT, "100", low=0, high=10000),
    "max_batch_ingestion_tasks": Setting(INT, "100", low=0, high=10000),
    "batch_ingestion_bulk_size": Setting(INT, "500", low=100, high=100000),
    "max_deploy_model_tasks_per_node": Setting(INT, "10", low=0, high=10),
    "max_upload_model_tasks_per_node": Setting(INT, "10", low=0, high=10, until="2.7"),
    "max_load_model_tasks_per_node": Setting(INT, "10", low=0, high=10, until="2.7"),
    "max_ml_task_per_node": Setting(INT, "10", low=0, high=10000),
    "only_run_on_ml_node": Setting(BOOL, "true"),
    "enable_inhouse_python_model": Setting(BOOL, "false"),
    "sync_up_job_interval_in_seconds": Setting(INT, "10", low=0, high=86400),
    "ml_task_timeout_in_seconds": Setting(INT, "600", low=1, high=86400),
    "monitoring_request_count": Setting(INT, "100", low=0, high=10000000),
    "trusted_url_regex": Setting(TEXT, "^(https?|ftp|file)://[-a-zA-Z0-9+&@#/%?=~_|!:,.;]*[-a-zA-Z0-9+&@#/%=~_|]"),
    "native_memory_threshold": Setting(INT, "90", low=0, high=100),
    "jvm_heap_memory_threshold": Setting(INT, "85", low=0, high=100),
    "disk_free_space_threshold": Setting(TEXT, "5gb"),
    "exclude_nodes._name": Setting(TEXT, ""),
    "allow_custom_deployment_plan": Setting(BOOL, "false"),
    "model_auto_deploy.enable": Setting(BOOL, "true"),
    "model_auto_redeploy.enable": Setting(BOOL, "true"),
    "model_auto_redeploy.lifetime_retry_times": Setting(INT, "3"),
    "model_auto_redeploy_success_ratio": Setting(FLOAT, "0.8", low=0, high=1),
    "allow_registering_model_via_url": Setting(BOOL, "false"),
    "allow_registering_model_via_local_file": Setting(BOOL, "false"),
    "remote_inference.enabled": Setting(BOOL, "true"),
    "local_model.enabled": Setting(BOOL, "true"),
    "model_access_control_enabled": Setting(BOOL, "false"),
    "connector_access_control_enabled": Setting(BOOL, "false"),
    "offline_batch_ingestion_enabled": Setting(BOOL, "true"),
    "offline_batch_inference_enabled": Setting(BOOL, "true"),
    "trusted_connector_endpoints_regex": Setting(LIST, TRUSTED),
    "trusted_connector_private_endpoints_regex": Setting(LIST, []),
    "task_dispatcher.eligible_node_role.remote_model": Setting(LIST, ["data", "ml"]),
    "task_dispatcher.eligible_node_role.local_model": Setting(LIST, ["data", "ml"]),
    "index_insight_feature_enabled": Setting(BOOL, "false"),
    "memory_feature_enabled": Setting(BOOL, "true"),
    "mcp_connector_enabled": Setting(BOOL, "false"),
    "mcp_server_enabled": Setting(BOOL, "false"),
    "rag_pipeline_feature_enabled": Setting(BOOL, "true"),
    "agent_framework_enabled": Setting(BOOL, "true"),
    "unified_agent_api_enabled": Setting(BOOL, "false"),
    "agentic_search_template_enabled": Setting(BOOL, "false"),
    "connector.private_ip_enabled": Setting(BOOL, "false"),
    "connector.restricted_ip_patterns": Setting(LIST, [], fixed="final"),
    "execute_tools_enabled": Setting(BOOL, "true"),
    "remote_job.status_field": Setting(LIST, ["status", "Status", "TransformJobStatus"]),
    "remote_job.status_regex.completed": Setting(TEXT, "(complete|completed|partiallyCompleted)"),
    "remote_job.status_regex.cancelled": Setting(TEXT, "(stopped|cancelled)"),
    "remote_job.status_regex.cancelling": Setting(TEXT, "(stopping|cancelling)"),
    "remote_job.status_regex.expired": Setting(TEXT, "(expired|timeout)"),
    "remote_job.status_regex.failed": Setting(TEXT, "(failed)"),
    "controller_enabled": Setting(BOOL, "true"),
    "safe_delete_model": Setting(BOOL, "false"),
    "multi_tenancy_enabled": Setting(BOOL, "false", fixed="static"),
    "master_key_cache_ttl_minutes": Setting(INT, "5", low=1, high=1440, fixed="static"),
    "remote_metadata_type": Setting(TEXT, "", fixed="final"),
    "remote_metadata_endpoint": Setting(TEXT, "", fixed="final"),
    "remote_metadata_region": Setting(TEXT, "", fixed="final"),
    "remote_metadata_service_name": Setting(TEXT, "", fixed="final"),
    "global_tenant_id": Setting(TEXT, "", fixed="final"),
    "remote_metadata_global_resource_cache_ttl": Setting(TEXT, "", fixed="final"),
    "metrics_collection_enabled": Setting(BOOL, "false", fixed="final"),
    "metrics_static_collection_enabled": Setting(BOOL, "false"),
    "agentic_memory_enabled": Setting(BOOL, "true"),
    "remote_agentic_memory_enabled": Setting(BOOL, "false"),
    "memory.retention_enabled": Setting(BOOL, "false"),
    "stream_enabled": Setting(BOOL, "false"),
    "max_json_size": Setting(INT, "100000000", low=-1),
    "mcp_header_passthrough_enabled": Setting(BOOL, "false"),
    "ag_ui_enabled": Setting(BOOL, "false"),
    "memory.retention_job_interval_hours": Setting(INT, "24", low=1, high=168),
    "memory.retention_job_throttle_seconds": Setting(INT, "5", low=1, high=60),
    "memory.orphan_ttl_days": Setting(INT, "7", low=1, high=365),
    "memory.working_memory_ttl_days": Setting(INT, "-1", low=-1, high=365),
    "memory.default_session_retention_days": Setting(INT, "-1", low=-1, high=3650),
    "memory.default_session_max_count": Setting(INT, "-1", low=-1, high=1000000),
    "memory.default_long_term_max_count": Setting(INT, "-1", low=-1, high=1000000),
    "memory.default_history_max_count": Setting(INT, "-1", low=-1, high=10000000),
}
"""All settings by key, without the prefix ``plugins.ml_commons.``."""
