"""The recorded exchanges that are not replayed to the emulator, with the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from aiomlcommons.emulator import routes
from aiomlcommons.emulator.errors import Refused
from aiomlcommons.emulator.registry import answered, load_handlers
from aiomlcommons.wire.routes import Router
from tests.wire.recordings import Exchange, is_other

load_handlers()
ROUTER = Router(answered())
OTHERS = "another API's route, which the emulator has not"
INDICES = "the emulator has no indices of users to look into"
USERS = "the emulator has no users, so nobody is forbidden anything"
RACED = "a page of old tasks, which begins with one of a race that was not recorded"
POOL = "the emulator does not limit the connections of a connector"
COUNTED = "counts and times of models whose uploads and predictions were not recorded"
AT_ONCE = "a prediction that its model was undeployed under: those of the emulator take no time"
PROVIDER = "what a provider says of its job, and the recorder's provider was another one"
PROVIDED = "the emulator makes no connectors to the models of providers, and runs no agents of the second version"
PLANS = "the emulator runs no agents that plan"
MEMORIES = "the emulator asks no model to make memories"
MAPPINGS = "the emulator's indices have no mappings to tell of"
CLASSIC = "the emulator trains no logistic regression, and no summaries"
REDEPLOYED = "the server had tried by itself to deploy the model again, which the emulator does not"
ROUTED = "the emulator does not tell the routing of a document"
SHOWN = "the emulator makes no explanations, suggestions, profiles and aggregations of a search"
PROCESSORS = "a pipeline with a script, or with a processor that asks no model or an agent, which the emulator has not"
METHODS = "the server lists methods in no order"
DROPPED = "the server drops hits without the value that they are sorted by, though it counts them"
PARSER = "a query without a field, for which the server's parser takes what follows the query"
METRICS = "the emulator counts documents, bytes and sequence numbers of an index, and nothing else"
CUT = "a body that was recorded in part"

LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "ml-commons-3.4.0.jsonl": {
        "acl.*": USERS,
        "models.register_pretrained.task_failed": "the recorder had no way to the artifacts, the emulator needs none",
    },
    "ml-commons-3.4.0-faults.jsonl": {"remote_fault.pool_exhausted_*": POOL},
    "ml-commons-3.8.0.jsonl": {"stats.*": COUNTED, "profile.*": COUNTED},
    "ml-commons-3.9.0.jsonl": {
        "stats.*": COUNTED,
        "profile.view_model": COUNTED,
        "remote.batch_predict": PROVIDER,
    },
    "ml-commons-runs.jsonl": {
        "*.stats*": COUNTED,
        "*.profile.all": COUNTED,
        "*.profile.models": COUNTED,
        "*.profile.tasks": COUNTED,
        "plain38.execute_per_async": PLANS,
        "plain38.task_of_per": PLANS,
        "plain38.tools.execute_IndexMappingTool": MAPPINGS,
        "plain38.insight_STATISTICAL_DATA": INDICES,
        "plain38.insight_FIELD_DESCRIPTION": INDICES,
        "plain38.insight_LOG_RELATED_INDEX_CHECK": INDICES,
        "plain38.insight_ALL": INDICES,
        "plain38.train_logistic_regression": CLASSIC,
        "plain38.train_rcf_summarize": CLASSIC,
        "plain38.undeployed_mid_job 500": AT_ONCE,
        "stack38.TEXT_EMBEDDING_add_infer": MEMORIES,
        "stack38.*_add_bad_payload 200": MEMORIES,
        "stack38.*_get_long_term": MEMORIES,
        "stack38.v2_*": PROVIDED,
        "secure34.models.search": REDEPLOYED,
        "plain38.index_*_8s 200": CUT,
    },
    "opensearch-3.8.0-indices.jsonl": {
        "indices.index.method_not_allowed": METHODS,
        "indices.index.post_index": METHODS,
        "indices.text.sort": DROPPED,
        "indices.text.sort_date": DROPPED,
    },
    "opensearch-3.8.0-api.jsonl": {
        "pipelines.create": PROCESSORS,
        "pipelines.create_text_embedding": PROCESSORS,
        "pipelines.get*": PROCESSORS,
        "pipelines.simulate*": PROCESSORS,
        "pipelines.delete*": PROCESSORS,
        "search_pipelines.create_requests": PROCESSORS,
        "search_pipelines.create_responses": PROCESSORS,
        "search_pipelines.get*": PROCESSORS,
        "search_pipelines.delete_re*": PROCESSORS,
        "nodes.ingest_stats": PROCESSORS,
        "documents.get": ROUTED,
        "documents.search_empty": ROUTED,
        "documents.search_pipeline": ROUTED,
        "documents.search": SHOWN,
        "documents.search_explain": SHOWN,
        "documents.search_suggest": SHOWN,
        "documents.search_profile": SHOWN,
    },
    "opensearch-3.8.0-pipelines.jsonl": {"pipelines.neural.no_field": PARSER},
    "opensearch-3.8.0-live.jsonl": {"live.stats.shards": METRICS, "live.stats.plain": METRICS},
    "races-and-restarts.jsonl": {
        "real.secured.no_permissions": USERS,
        "real.secured.*_not_yours": USERS,
        "real.secured.foreign_role": USERS,
        "real.2_4.*": RACED,
    },
    "ml-commons-2.4.1.jsonl": {
        "stats.*": COUNTED,
    },
}
"""Reasons by the name of an exchange, with its status where the name is not unique."""


def reason_of(exchange: Exchange) -> str | None:
    """Return why an exchange is left out, or None."""
    if is_other(exchange.request, ROUTER) and not _is_of_indices(exchange):
        return OTHERS
    names = (exchange.case, f"{exchange.case} {exchange.response.status}")
    patterns = LEFT_OUT.get(exchange.file, {})
    return next((reason for pattern, reason in patterns.items() if any(fnmatchcase(n, pattern) for n in names)), None)


def _is_of_indices(exchange: Exchange) -> bool:
    """Return whether the emulator has a route for the indices of users that is asked for."""
    try:
        return routes.find(exchange.request, "3.8.0") is not None
    except Refused:
        return True  # the route has another method
