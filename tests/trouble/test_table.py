"""The trouble table: each row matches its evidence, a recording or a public source."""

from __future__ import annotations

import runpy
from typing import Any

import cbor2
import orjson
import pytest

from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.statuses import error_for
from aiomlcommons.trouble.kinds import Kind, Party, Trouble
from aiomlcommons.trouble.parsed_error import parse_error
from aiomlcommons.trouble.providers import PROVIDERS, ProviderTrouble
from aiomlcommons.trouble.table import TABLE, trouble_of
from aiomlcommons.waiting.errors import TaskFailed
from tests.support.aws_answers import GATEWAYS
from tests.support.error_answers import answer, error_body
from tests.support.paths import ROOT
from tests.wire.recordings import exchanges

RECORDED = {(exchange.file.removesuffix(".jsonl"), exchange.case): exchange for exchange in exchanges()}
# Errors of real servers that are not in the recordings.
SEEN = {
    "Remote service returned empty response body": (502, "Remote service returned empty response body"),
    "should only be called when model is in DEPLOYING state": (
        500,
        "This method should only be called when model is in DEPLOYING state, but the model is in state: DEPLOY_FAILED",
    ),
    "model id '...' already exists": (409, "model id 'aio-1' already exists"),
    "model group id '...' already exists": (409, "model group id 'aio-1' already exists"),
    "]: document missing": (500, "[fO-XGKIBFjSF8kpWdsyX]: document missing"),
    "exceed max running task limit": (500, "exceed max running task limit"),
    "blocked by: [SERVICE_UNAVAILABLE/": (
        404,
        "Failed to get data object from index .plugins-ml-model: "
        "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];",
    ),
    "to get model group": (400, "Fail to get model group"),
    "OpenSearch Security not initialized": (503, "OpenSearch Security not initialized."),
    "Unexpected exception indices:": (500, "Unexpected exception indices:admin/mapping/auto_put"),
}


def said_of(row: Trouble) -> list[tuple[int, Any]]:
    """Status and body (or a task's error, with status 0) of every example of a row."""
    file, _, case = row.source.partition(" ")
    if (file, case) in RECORDED:
        return [_told(e) for e in exchanges() if (e.file.removesuffix(".jsonl"), e.case) == (file, case)]
    if row.sign in SEEN:
        status, words = SEEN[row.sign]
        return [(status, error_body(words))]
    if row.sign in GATEWAYS:
        return [GATEWAYS[row.sign]]
    assert row.sign.endswith("_exception"), f"{row.sign} has no example"
    return [(500, error_body("no words tell", caused_by={"type": row.sign, "reason": "-"}))]


def _told(exchange: Any) -> tuple[int, Any]:
    body = exchange.response.json()
    return (exchange.response.status, body) if exchange.response.status >= 300 else (0, body)


def judged(status: int, body: Any) -> Trouble:
    return trouble_of(parse_error(status, body))


OTHERS = [row for row in TABLE if not isinstance(row, ProviderTrouble)]


@pytest.mark.parametrize("row", OTHERS, ids=lambda row: row.sign)
def test_each_row_is_known_by_what_a_server_said(row: Trouble) -> None:
    examples = said_of(row)
    rows = [judged(*example) for example in examples if row.matches(parse_error(*example))]
    assert rows, f"no example of {row.source} shows {row.sign!r}"
    # If both the type and the message of one cause match, either row may come first; they agree on the kind.
    assert {(found.kind, found.party) for found in rows} == {(row.kind, row.party)}


def test_the_page_of_trouble_is_not_stale() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "trouble.py"))
    assert made["PAGE"].read_text(encoding="utf-8") == made["page"](), "docs/trouble.md is stale: run `make docs`"


@pytest.mark.parametrize(
    ("status", "kind", "party"),
    [
        (400, Kind.FINAL, Party.CALLER),
        (404, Kind.FINAL, Party.CALLER),
        (413, Kind.TOO_LONG, Party.CALLER),
        (499, Kind.FINAL, Party.CALLER),
        (429, Kind.THROTTLED, Party.CLUSTER),
        (500, Kind.UNCLEAR, Party.CLUSTER),
        (502, Kind.PASSES, Party.CLUSTER),
        (503, Kind.PASSES, Party.CLUSTER),
        (504, Kind.PASSES, Party.CLUSTER),
        (507, Kind.UNCLEAR, Party.CLUSTER),
    ],
)
def test_without_a_sign_the_status_tells(status: int, kind: Kind, party: Party) -> None:
    found = judged(status, "")
    assert (found.kind, found.party) == (kind, party)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Kind.FINAL),
        (401, Kind.CREDENTIAL),
        (402, Kind.QUOTA),
        (403, Kind.FINAL),
        (404, Kind.MISSING),
        (408, Kind.UNCLEAR),
        (413, Kind.TOO_LONG),
        (424, Kind.UNCLEAR),
        (429, Kind.THROTTLED),
        (500, Kind.UNCLEAR),
        (503, Kind.PASSES),
        (522, Kind.PASSES),
        (529, Kind.THROTTLED),
    ],
)
def test_a_providers_words_are_never_taken_for_the_clusters(status: int, kind: Kind) -> None:
    body = error_body('Error from remote service: {"error": {"type": "version_conflict_engine_exception"}}')
    found = judged(status, body)
    assert found.party is Party.PROVIDER
    assert found.kind is kind
    assert not set(PROVIDERS) & {found}


def test_the_type_counts_wherever_it_stands() -> None:
    kind = "no_shard_available_action_exception"
    nested = orjson.dumps({"error": {"caused_by": {"type": kind}}}).decode()
    bodies: list[Any] = [
        {"error": {"type": kind, "reason": "x"}},
        {"error": {"type": "x", "reason": "x", "root_cause": [{"type": kind}]}},
        {"error": {"type": "x", "reason": "x", "caused_by": {"type": "y", "caused_by": {"type": kind}}}},
        {"error": {"type": "x", "reason": "x", "failed_shards": [{"reason": {"type": kind}}]}},
        {"error": {"type": "x", "reason": nested}},
        {"error": orjson.dumps({"node": nested}).decode()},
        {"error": "NoShardAvailableActionException[No shard available for [x]]"},
        {"error": {"type": "NoShardAvailableActionException", "reason": "System Error", "details": "x"}},
        '{"error":{"root_cause":[{"type":"no_shard_available_action_exception","reason":"cut o',
    ]
    for body in bodies:
        assert judged(404, body).kind is Kind.PASSES, body


def test_an_error_in_cbor_is_known_too() -> None:
    body = cbor2.dumps(
        {"error": {"type": "x", "reason": "x", "caused_by": {"type": "no_shard_available_action_exception"}}}
    )
    response = HttpResponse(404, body, {"content-type": "application/cbor"}, HttpRequest("GET", "/"))
    assert error_for(response).trouble.kind is Kind.PASSES


@pytest.mark.parametrize(
    ("breaker", "durability", "kind"),
    [
        ("parent", "TRANSIENT", Kind.PASSES),
        ("parent", "PERMANENT", Kind.PASSES),  # 3.8 said so of a heap that was free a second later
        ("request", "TRANSIENT", Kind.PASSES),
        ("fielddata", "PERMANENT", Kind.FINAL),
    ],
)
def test_a_breaker_that_will_not_close_is_final(breaker: str, durability: str, kind: Kind) -> None:
    body = error_body(f"[{breaker}] Data too large", "circuit_breaking_exception", durability=durability)
    assert judged(429, body).kind is kind
    assert error_for(answer(429, body)).transient is (kind is Kind.PASSES)
    said = {"error": {"durability": durability, "type": "circuit_breaking_exception", "reason": f"[{breaker}] x"}}
    assert judged(429, said).kind is kind


def test_a_failed_task_tells_its_trouble() -> None:
    info = TaskInfo(state="FAILED", error='{"node":"[id]: version conflict, required seqNo [1], primary term [1]"}')
    assert TaskFailed("t", info).trouble.kind is Kind.RACE
    old = "RemoteTransportException[[n][127.0.0.1:1][x]]; nested: VersionConflictEngineException[[id]: version conflict"
    assert TaskFailed("t", TaskInfo(state="FAILED", error=old)).trouble.kind is Kind.RACE
    assert TaskFailed("t", TaskInfo(state="FAILED", error="model content changed")).trouble.kind is Kind.FINAL


@pytest.mark.parametrize(("status", "word"), [(401, "connector"), (403, "connector")])
def test_what_a_provider_refuses_does_not_send_the_user_to_the_clusters_password(status: int, word: str) -> None:
    theirs = str(error_for(answer(status, error_body('Error from remote service: {"message": "bad key"}'))))
    assert word in theirs
    assert "OPENSEARCH_PASSWORD" not in theirs
    assert word not in str(error_for(answer(status, "Unauthorized")))
