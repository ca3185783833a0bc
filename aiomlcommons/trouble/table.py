"""The trouble table: classifies errors as transient, throttled, a version conflict, ..., for all layers of the package.

Servers report one cause under many statuses and messages: recovering shards are 404 on one route and 500 on another. So
errors are matched by exception types, at any depth, and by message text only where there is no type.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from aiomlcommons.trouble.kinds import Kind, Party, Trouble
from aiomlcommons.trouble.parsed_error import ParsedError
from aiomlcommons.trouble.providers import PROVIDERS

_RACES, _RUNS, _FAULTS = "races-and-restarts", "ml-commons-runs", "ml-commons-3.4.0-faults"
_REAL = "real-servers"
_3_4, _2_4 = "ml-commons-3.4.0", "ml-commons-2.4.1"
_SEEN, _PUBLIC = "seen on real servers", "public source of OpenSearch"
_AWS = "https://docs.aws.amazon.com/opensearch-service/latest/developerguide/handling-errors.html"
_SIGNATURES = "https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html"
_SERVERLESS = "Synapse-Repository-Services #5689, NASA-PDS/registry #340 (Serverless, 402)"
_SOURCE = "public source of ML Commons 3.8 (access control, where a group's shard does not answer)"


def _rows(kind: Kind, party: Party, **sources: str) -> Iterator[Trouble]:
    for sign, source in sources.items():
        yield Trouble(sign, kind, party, source)


# The first matching row counts. A provider's error is matched against PROVIDERS only, so that its message is never
# mistaken for the cluster's own.
CLUSTERS = (
    *_rows(
        Kind.THROTTLED,
        Party.PROVIDER,
        **{"Acquire operation took longer": f"{_FAULTS} remote_fault.pool_exhausted_2"},
    ),
    *_rows(
        Kind.PASSES,
        Party.PROVIDER,
        **{
            "Error communicating with remote model": f"{_FAULTS} remote_fault.refused",
            "Remote service returned empty response body": f"{_SEEN} (3.8, 502)",
        },
    ),
    *_rows(
        Kind.UNCLEAR, Party.PROVIDER, **{"Fail to execute PREDICT in aws connector": f"{_FAULTS} remote_fault.not_json"}
    ),
    *_rows(
        Kind.NOT_READY,
        Party.CALLER,
        **{
            "Model not ready yet": f"{_3_4} predict.not_deployed",
            "model not loaded": f"{_2_4} predict.unloaded",
            # A request that was in flight when its model was undeployed.
            "NDManager has been closed already": f"{_RUNS} plain38.undeployed_mid_job",
        },
    ),
    *_rows(
        Kind.RACE,
        Party.CLUSTER,
        **{
            "version_conflict_engine_exception": f"{_RACES} real.register_meta.version_conflict",
            "version conflict, required seqNo": f"{_RACES} real.deploy_task.version_conflict",
            "Document version conflict": f"{_RACES} real.deploy.version_conflict",
            "Duplicate deploy model task": f"{_FAULTS} deploy_race.second.task_failed",
            "Duplicate model task": f"{_RACES} real.2_4.load_task.duplicate.1",
            "should only be called when model is in DEPLOYING state": f"{_SEEN} (3.8, a task of four at once)",
            "model id '...' already exists": f"{_SEEN} (3.9, an own id that several register at once)",
            "model group id '...' already exists": f"{_SEEN} (3.9)",
            "already being used by a model group with ID": f"{_RACES} real.register.group_name_taken",
            # The client that created the group withdrew it in favour of an older one of the same name.
            "Model Group Response is empty": f"{_REAL} real.3_4.register.remote.group_missing",
            "Fail to find model group": f"{_REAL} real.3_4.register_meta.group_missing",
            "Model group not found": f"{_REAL} real.3_4.register.url.group_missing.task",
            # A registration task whose model was withdrawn meanwhile.
            "]: document missing": f"{_SEEN} (3.8, a task of three processes at once)",
        },
    ),
    *_rows(
        Kind.THROTTLED,
        Party.CLUSTER,
        **{
            "exceed max running task limit": f"{_SEEN} (2.4.1, 3.4, 3.8)",
            "Request is throttled at": f"{_3_4} remote.rate_limited_2",
            "rejected_execution_exception": _PUBLIC,
            "open_search_rejected_execution_exception": _PUBLIC,
            "es_rejected_execution_exception": _PUBLIC,
            # Gateways of AWS: under 403, 402 and 400, too.
            "Request throttled due to too many requests": _AWS,
            "maximum OCU capacity reached": _SERVERLESS,
            "throttling_exception": "botocore: data/_retry.json",
            "Rate exceeded": "botocore: data/_retry.json",
        },
    ),
    # Of the gateways of AWS, about the caller's own credentials.
    *_rows(
        Kind.CREDENTIAL,
        Party.CALLER,
        **{
            "The security token included in the request is": "fluent-plugin-opensearch #24, aws-for-fluent-bit #187",
            "The request signature we calculated does not match": "aws-requests-auth #31, http-aws-es #43",
            "Signature expired: ": _SIGNATURES,
            "Signature not yet current: ": _SIGNATURES,
            "Credential should be scoped to ": "aws-es-curl #15, elasticsearch-dump #661, vector #2403",
            "User: anonymous is not authorized to perform: ": "aws/serverless-application-model #3704",
            "Missing Authentication Token": _SIGNATURES,
            "Authorization header requires ": "elastic/elasticsearch #39065, ElasticsearchBundle #928",
            "(missing equal-sign) in Authorization header": "sivasamyk/logtrail #323",
        },
    ),
    # A block that somebody has to take away, beside one that passes by itself.
    *_rows(Kind.FINAL, Party.CALLER, **{", FORBIDDEN/": "opensearch-3.8.0-live live.block.two_put"}),
    *_rows(
        Kind.PASSES,
        Party.CLUSTER,
        **{
            "circuit_breaking_exception": f"{_RACES} real.parent_breaker",
            "Memory Circuit Breaker is open": f"{_RACES} real.jvm_breaker.deploy_task",
            "no_shard_available_action_exception": f"{_RUNS} new39.stop_new39_sparse_index",
            "illegal_index_shard_state_exception": f"{_RUNS} new39.stop_new39_remote",
            "CurrentState[RECOVERING]": f"{_RUNS} new39.stop_new39_remote",
            # Under any status: the cluster state is not recovered yet, there is no cluster manager, or a disk is full.
            "blocked by: [SERVICE_UNAVAILABLE/": f"{_SEEN} (3.8, 404 of _predict after kill -9)",
            "blocked by: [TOO_MANY_REQUESTS/": f"{_RUNS} plain38.index_flood_stage_8s",
            # The generic message of failed searches of models, groups, agents and containers.
            "Fail to search": f"{_RACES} real.search.no_shard_yet.1",
            "to get model group": _SOURCE,
            "OpenSearch Security not initialized": f"{_SEEN} (3.4, 503)",
            # What the security plugin makes of any failure of its own, such as a cluster manager that is gone.
            "Unexpected exception indices:": f"{_SEEN} (3.4, 500 of a document in _bulk after kill -9)",
            **dict.fromkeys(
                (
                    "unavailable_shards_exception",
                    "primary_missing_action_exception",
                    "shard_not_found_exception",
                    "no_longer_primary_shard_exception",
                    "index_shard_not_started_exception",
                    "index_shard_recovering_exception",
                    "node_closed_exception",
                    "node_disconnected_exception",
                    "node_not_connected_exception",
                    "connect_transport_exception",
                    "receive_timeout_transport_exception",
                    "cluster_manager_not_discovered_exception",
                    "not_cluster_manager_exception",
                    "process_cluster_event_timeout_exception",
                ),
                _PUBLIC,
            ),
        },
    ),
)
TABLE = (*PROVIDERS, *CLUSTERS)
_BY_STATUS = {
    413: Kind.TOO_LONG,
    429: Kind.THROTTLED,
    502: Kind.PASSES,
    503: Kind.PASSES,
    504: Kind.PASSES,
}
# Providers know more statuses: 402 is payment required, 520 to 524 are Cloudflare's, 529 is Anthropic's "overloaded",
# 530 is SageMaker's for a dependency. 408 stays unclear, because one document may be what takes too long.
_BY_PROVIDERS_STATUS = {
    **_BY_STATUS,
    401: Kind.CREDENTIAL,
    402: Kind.QUOTA,
    404: Kind.MISSING,
    408: Kind.UNCLEAR,
    424: Kind.UNCLEAR,
    **dict.fromkeys((520, 521, 522, 523, 524, 530), Kind.PASSES),
    529: Kind.THROTTLED,
}


def trouble_of(error: ParsedError) -> Trouble:
    """Return the first row of the table that matches an error, or one derived from the status alone."""
    rows = PROVIDERS if error.provider else TABLE
    found = next((row for row in rows if row.matches(error)), None) or _by_status(error)
    # The parent breaker counts garbage too; it reports PERMANENT if caches exceed requests, but recovers all the same.
    is_permanent = error.permanent and "[parent]" not in error.words
    return attrs.evolve(found, kind=Kind.FINAL) if is_permanent else found


def _by_status(error: ParsedError) -> Trouble:
    # The provider's own status counts more than the one that came with it: some hops replace it by 400 or 500.
    status = (error.provider.status if error.provider else 0) or error.status
    kinds = _BY_PROVIDERS_STATUS if error.provider else _BY_STATUS
    kind = kinds.get(status, Kind.UNCLEAR if status >= 500 else Kind.FINAL)
    party = Party.CALLER if kind in {Kind.FINAL, Kind.TOO_LONG} else Party.CLUSTER
    return Trouble(f"status {status}", kind, Party.PROVIDER if error.provider else party, "the status alone")
