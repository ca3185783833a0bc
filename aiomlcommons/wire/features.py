"""The features that endpoints belong to, by their routes: what a kind of server has or lacks as a whole."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from aiomlcommons.endpoint import Request
from aiomlcommons.wire import convert


class Feature(StrEnum):
    """A part of the API that a kind of server has or lacks; the value is what messages call it."""

    INFO = "GET /, which reports the version"
    CLUSTER_SETTINGS = "cluster settings"
    ALGORITHM_ROUTE = "prediction by algorithm"
    PREDICTION = "predictions"
    BATCH_PREDICTION = "batch predictions"
    TRAINING = "training"
    EXECUTION = "execution of algorithms"
    AGENTS = "agents and tools"
    MCP = "MCP server"
    MEMORY = "memory"
    CONTROLLERS = "controllers"
    PROFILE = "profile"
    STATS = "stats"
    MODEL_FILES = "models from local files"
    MODEL_URLS = "models from URLs"
    LOCAL_MODELS = "local models"
    MODELS = "models"
    GROUPS = "model groups"
    CONNECTORS = "connectors"
    TASKS = "tasks"
    CONFIG = "configurations"
    INDICES = "indices"
    DOCUMENTS = "documents"
    REFRESH = "refreshes of an index"
    PIPELINES = "ingest pipelines"
    SEARCH_PIPELINES = "search pipelines"
    NODES = "plugins and statistics of nodes"
    BATCH_INGESTION = "batch ingestion"
    MODEL_SOURCE_SETTINGS = "settings that allow models from URLs and local files"
    NESTED_SETTINGS = "nested settings"


# The first match counts. A path is that of the current route, after the prefix ``/_plugins/_ml/`` if it has that.
_PATHS: tuple[tuple[str, Feature], ...] = (
    (r"_predict/", Feature.ALGORITHM_ROUTE),
    (r"_train/|_train_predict/", Feature.TRAINING),
    (r"_execute/", Feature.EXECUTION),
    (r"_batch_ingestion$", Feature.BATCH_INGESTION),
    (r"models/\{model_id\}/_batch_predict$|tasks/\{task_id\}/_cancel$", Feature.BATCH_PREDICTION),
    (r"models/\{model_id\}/_predict", Feature.PREDICTION),
    (r"models/_register_meta$|models/\{model_id\}/upload_chunk/", Feature.MODEL_FILES),
    (r"models/", Feature.MODELS),
    (r"model_groups/", Feature.GROUPS),
    # The tools of an MCP connector are those of agents.
    (r"connectors/\{connector_id\}/tools$", Feature.AGENTS),
    (r"connectors/", Feature.CONNECTORS),
    (r"(agents|tools|context_management|agentic_search_templates|insights|index_insight_config)(/|$)", Feature.AGENTS),
    (r"mcp(/|$)", Feature.MCP),
    (r"(memory|memory_containers)(/|$)", Feature.MEMORY),
    (r"controllers/", Feature.CONTROLLERS),
    (r"profile(/|$)", Feature.PROFILE),
    (r"stats(/|$)", Feature.STATS),
    (r"tasks/", Feature.TASKS),
    (r"config/", Feature.CONFIG),
    # Beside ML Commons.
    (r"/_cat/plugins$|/_nodes/", Feature.NODES),
    (r"/_ingest/pipeline(/|$)", Feature.PIPELINES),
    (r"/_search/pipeline(/|$)", Feature.SEARCH_PIPELINES),
    (r"/\{index\}/_refresh$", Feature.REFRESH),
    (r"/_bulk$|/\{index\}/(_doc/|_search$|_count$)", Feature.DOCUMENTS),
    (r"/\{index\}(/_mapping|/_settings|/_alias)?$|/_aliases$", Feature.INDICES),
)
_BESIDE = {"/": Feature.INFO, "/_cluster/settings": Feature.CLUSTER_SETTINGS}
_PREFIX = "/_plugins/_ml/"


def feature_of(endpoint: type[Request[Any]]) -> Feature | None:
    """Return the feature that an endpoint belongs to; None for one that no row places."""
    return _feature_at(endpoint.endpoint.route.path)


@functools.cache
def _feature_at(path: str) -> Feature | None:
    if path in _BESIDE:
        return _BESIDE[path]
    rest = path.removeprefix(_PREFIX)
    return next((feature for pattern, feature in _PATHS if re.match(pattern, rest)), None)


def features_of(request: Request[Any]) -> Iterator[tuple[Feature, str]]:
    """Yield the features that a request uses: that of its endpoint, then those of its values; with what to name."""
    name = type(request).__name__
    if feature := feature_of(type(request)):
        yield feature, name
    for word, what in convert.values_of(request, Request.features):
        yield Feature(word), f"{name}: {what}"
