"""Statistics and profiles of models, tasks and nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Literal

from aiomlcommons.api.model_records import ModelState
from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Record, in_query, mixin, record


@record
class ActionStats(Record):
    """The numbers of requests and failures of an action."""

    ml_action_request_count: int | None = None
    ml_action_failure_count: int | None = None


@record
class NodeStats(Record):
    """A node's statistics. ``algorithms`` and ``models`` count by action; the last six fields are of 2.4 to 2.9."""

    ml_request_count: int | None = None
    ml_failure_count: int | None = None
    ml_deployed_model_count: int | None = None
    ml_executing_task_count: int | None = None
    ml_jvm_heap_usage: int | None = None
    ml_circuit_breaker_trigger_count: int | None = None
    algorithms: Mapping[str, Mapping[str, ActionStats]] | None = None
    # A hidden model has "is_hidden": true among its actions.
    models: Mapping[str, Mapping[str, ActionStats | bool]] | None = None
    ml_node_total_request_count: int | None = None
    ml_node_total_failure_count: int | None = None
    ml_node_total_model_count: int | None = None
    ml_node_executing_task_count: int | None = None
    ml_node_jvm_heap_usage: int | None = None
    ml_node_total_circuit_breaker_trigger_count: int | None = None


@record
class Stats(Record):
    """Statistics of the cluster, and of each node by id."""

    ml_model_count: int | None = None
    ml_connector_count: int | None = None
    ml_model_index_status: str | None = None
    ml_connector_index_status: str | None = None
    ml_config_index_status: str | None = None
    ml_task_index_status: str | None = None
    ml_controller_index_status: str | None = None
    nodes: Mapping[str, NodeStats] | None = None


@record
class Durations(Record):
    """Latencies of requests, in milliseconds."""

    count: int | None = None
    max: float | None = None
    min: float | None = None
    average: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None


@record
class ModelProfile(Record):
    """Profile of a model on a node. Memory sizes are bytes."""

    model_state: ModelState | str | None = None
    predictor: str | None = None
    target_worker_nodes: list[str] | None = None
    worker_nodes: list[str] | None = None
    model_inference_stats: Durations | None = None
    predict_request_stats: Durations | None = None
    memory_size_estimation_cpu: int | None = None
    memory_size_estimation_gpu: int | None = None
    is_hidden: bool | None = None


@record
class NodeProfile(Record):
    """The tasks and models of a node, by id."""

    tasks: Mapping[str, TaskInfo] | None = None
    models: Mapping[str, ModelProfile] | None = None


@record
class ModelView(Record):
    """Profile of a model on all its nodes."""

    target_worker_nodes: list[str] | None = None
    worker_nodes: list[str] | None = None
    nodes: Mapping[str, ModelProfile] | None = None
    tasks: Mapping[str, TaskInfo] | None = None


@record
class Profile(Record):
    """Profiles: ``nodes`` by id, or with ``view="model"`` ``models`` by id; both None if there is nothing to report."""

    nodes: Mapping[str, NodeProfile] | None = None
    models: Mapping[str, ModelView] | None = None


STAT_LEVELS = ("target_stat_levels", "cluster_level_stats", "node_level_stats", "action_level_stats")


@endpoint(
    "GET /_plugins/_ml/stats",
    since="1.3",
    also=[
        "GET /_plugins/_ml/stats/{stat}",
        "GET /_plugins/_ml/{node_id}/stats",
        "GET /_plugins/_ml/{node_id}/stats/{stat}",
    ],
    newer={
        "2.4": (*STAT_LEVELS, "node_ids", "algorithms", "actions"),
        "2.11": ("models",),
    },
)
class GetStats(Request[Stats]):
    """Get statistics of the cluster and its nodes. ``stat`` and ``node_id`` are one name or a comma-separated list.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/stats/
    """

    stat: str | None = None
    _: KW_ONLY
    node_id: str | None = None
    target_stat_levels: Sequence[str] | None = None
    cluster_level_stats: Sequence[str] | None = None
    node_level_stats: Sequence[str] | None = None
    action_level_stats: Sequence[str] | None = None
    node_ids: Sequence[str] | None = None
    algorithms: Sequence[str] | None = None
    models: Sequence[str] | None = None
    actions: Sequence[str] | None = None


@mixin
class ProfileInput:
    """The scope of a profile. ``view`` groups by ``node`` (the default) or ``model``."""

    model_ids: Sequence[str] | None = None
    task_ids: Sequence[str] | None = None
    node_ids: Sequence[str] | None = None
    return_all_tasks: bool | None = None
    return_all_models: bool | None = None
    view: Literal["node", "model"] | None = in_query(default=None)


@endpoint("GET /_plugins/_ml/profile", since="2.4")
class GetProfile(ProfileInput, Request[Profile]):
    """Get the models and tasks on the nodes, and the latency of predictions.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/profile/
    """


@endpoint("GET /_plugins/_ml/profile/models", since="2.4", also=["GET /_plugins/_ml/profile/models/{model_id}"])
class GetModelProfiles(ProfileInput, Request[Profile]):
    """Get the profiles of all models, of one, or of a comma-separated list of ids.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/profile/
    """

    model_id: str | None = None


@endpoint("GET /_plugins/_ml/profile/tasks", since="2.4", also=["GET /_plugins/_ml/profile/tasks/{task_id}"])
class GetTaskProfiles(ProfileInput, Request[Profile]):
    """Get the profiles of all running tasks, of one, or of a comma-separated list of ids.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/profile/
    """

    task_id: str | None = None


class Profiles(Namespace):
    """``ml.profile``: the models and tasks on the nodes."""

    all = op(GetProfile)
    models = op(GetModelProfiles)
    tasks = op(GetTaskProfiles)
