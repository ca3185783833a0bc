"""The mapping from responses to exceptions: class, message, and whether they are transient."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import cbor2
import pytest

from aiomlcommons import errors
from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.inference.errors import BatchFailed
from aiomlcommons.statuses import error_for
from aiomlcommons.trouble.error_body import disabled_setting, retry_after
from aiomlcommons.waiting.errors import TaskFailed, TaskStalled
from tests.support.copies import copies
from tests.support.error_answers import REQUEST, answer, error_body
from tests.wire.recordings import exchanges


@pytest.mark.parametrize(
    ("status", "body", "cls"),
    [
        (400, error_body("bad"), errors.BadRequest),
        (400, error_body("Model not ready yet. Please deploy the model first."), errors.ModelNotReady),
        (500, error_body("model not loaded", "m_l_exception"), errors.ModelNotReady),
        (401, b"Unauthorized", errors.Unauthorized),
        (403, error_body("no permissions", "security_exception"), errors.Forbidden),
        (404, error_body("Failed to find model"), errors.NotFound),
        (500, error_body("Fail to find model", "m_l_resource_not_found_exception"), errors.NotFound),
        (409, error_body("in use"), errors.Conflict),
        (429, error_body("Request is throttled at model level."), errors.TooManyRequests),
        (500, error_body("boom"), errors.ServerError),
        (503, b"", errors.Unavailable),
        (
            404,
            error_body("Failed to get data object", caused_by={"type": "no_shard_available_action_exception"}),
            errors.Unavailable,
        ),
        (400, error_body("Error from remote service: denied due to remote server throttling"), errors.TooManyRequests),
        (503, error_body("Error from remote service: busy"), errors.ServerError),
        (302, b"", errors.Redirected),
        (405, {"error": "Incorrect HTTP method", "status": 405}, errors.ApiError),
        (
            400,
            error_body(
                "Unified agent API is not enabled. To enable, please update the setting plugins.ml_commons.x_enabled"
            ),
            errors.FeatureDisabled,
        ),
    ],
)
def test_the_class_goes_by_type_and_status(status: int, body: Any, cls: type[errors.ApiError]) -> None:
    error = error_for(answer(status, body))
    assert type(error) is cls
    assert error.status == status
    assert isinstance(error, errors.MLCommonsError)


@pytest.mark.parametrize(
    ("body", "kind", "reason", "details"),
    [
        (error_body("why", "t"), "t", "why", ""),
        (
            {"status": 400, "error": {"type": "T", "reason": "Invalid Request", "details": "no tool"}},
            "T",
            "Invalid Request",
            "no tool",
        ),
        ({"error": "text", "status": 406}, "", "text", ""),
        ({"error": "Failed to get profile", "exception": "null"}, "", "Failed to get profile", "null"),
        (b"plain words\n", "", "plain words", ""),
        (b"", "", "", ""),
        ([1], "", "[1]", ""),
    ],
)
def test_each_form_of_a_body_is_read_and_kept(body: Any, kind: str, reason: str, details: str) -> None:
    error = error_for(answer(400, body))
    assert (error.type, error.reason, error.details) == (kind, reason, details)
    assert error.body == (body.decode() if isinstance(body, bytes) else body)
    assert "(GET /_plugins/_ml/models/abc)" in str(error)


def test_an_error_in_cbor_is_read_too() -> None:
    body = cbor2.dumps(error_body("why", "t"))
    got = HttpResponse(404, body, {"content-type": "application/cbor"}, REQUEST)
    assert str(error_for(got)) == "why (GET /_plugins/_ml/models/abc)"


@pytest.mark.parametrize(
    ("status", "body", "transient"),
    [
        (400, error_body("bad"), False),
        (404, error_body("missing"), False),
        (429, error_body("Request is throttled at model level."), True),
        (429, error_body("[parent] Data too large", "circuit_breaking_exception", durability="TRANSIENT"), True),
        (429, error_body("[fielddata] Data too large", "circuit_breaking_exception", durability="PERMANENT"), False),
        (500, error_body("boom"), False),
        (500, error_body("Error communicating with remote model: Read timed out"), True),
        (500, error_body("Error from remote service: {}"), False),
        (500, error_body("CurrentState[RECOVERING] operations only allowed when"), True),
        (502, b"", True),
        (503, b"OpenSearch Security not initialized.", True),
        (503, error_body("busy"), True),
        (504, b"", True),
    ],
)
def test_what_passes_by_waiting_is_told_from_what_does_not(status: int, body: Any, transient: bool) -> None:
    assert error_for(answer(status, body)).transient is transient


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), (" 0 ", 0.0), ("", None), ("soon", None), ("-1", None), ("1.5", None)]
)
def test_retry_after_is_seconds_or_nothing(value: str, seconds: float | None) -> None:
    assert error_for(answer(429, b"", **{"retry-after": value})).retry_after == seconds


def test_retry_after_may_be_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    earlier = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    assert 3500 < (retry_after({"retry-after": later}) or 0) <= 3600
    assert retry_after({"retry-after": earlier}) == 0


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        (
            "To enable it, update the setting plugins.ml_commons.remote_inference_enabled to true",
            "remote_inference.enabled",
        ),
        ('currently disabled; the setting "plugins.ml_commons.stream_enabled" switches it', "stream_enabled"),
        ("user needs to enable allow_registering_model_via_url settings", "allow_registering_model_via_url"),
    ],
)
def test_a_switched_off_feature_names_the_real_key(words: str, setting: str) -> None:
    assert disabled_setting(words) == f"plugins.ml_commons.{setting}"
    error = error_for(answer(400, error_body(words)))
    assert isinstance(error, errors.FeatureDisabled)
    assert f"switch it on with the setting plugins.ml_commons.{setting}" in str(error)


@pytest.mark.parametrize("words", ["persistent setting [plugins.ml_commons.no_such], not recognized", "disabled", ""])
def test_other_words_are_no_switched_off_feature(words: str) -> None:
    assert disabled_setting(words) is None


INFO = TaskInfo(task_type="DEPLOY_MODEL", state="FAILED", error='{"node": "no memory"}')
EVERY: Mapping[str, Exception] = {
    "ApiError": error_for(answer(429, error_body("why"), **{"retry-after": "1"})),
    "NotOpenSearch": errors.NotOpenSearch("https://host:9200", "it is Elasticsearch 8.1.0"),
    "DecodeError": errors.DecodeError("not JSON", answer(200, b"<html>")),
    "ConnectError": errors.ConnectError("refused", REQUEST, transient=False),
    "RequestTimeout": errors.RequestTimeout("too late", REQUEST),
    "ResponseTooLarge": errors.ResponseTooLarge(REQUEST, 200),
    "TaskFailed": TaskFailed("t", INFO),
    "TaskStalled": TaskStalled("t", INFO, 5),
    "BatchFailed": BatchFailed(1, 2, ["a"], OSError("x")),
    "StreamCut": errors.StreamCut("PredictStream"),
    "InvalidRequest": errors.InvalidRequest("bad"),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_error_can_be_pickled_and_copied(name: str) -> None:
    error = EVERY[name]
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301
        assert (type(other), str(other)) == (type(error), str(error))
        assert getattr(other, "transient", None) == getattr(error, "transient", None)


def test_a_failed_task_tells_the_error_of_each_node() -> None:
    error = TaskFailed("t", INFO)
    assert error.node_errors == {"node": "no memory"}
    assert str(error) == "DEPLOY_MODEL t ended FAILED: no memory"
    assert str(TaskFailed("t", TaskInfo(state="FAILED"))) == "task t ended FAILED: the server gave no reason"


@pytest.mark.parametrize("exchange", [e for e in exchanges() if e.response.status >= 400], ids=str)
def test_each_recorded_refusal_has_a_class_of_its_own(exchange: Any) -> None:
    error = error_for(exchange.response)
    assert type(error) is not errors.ApiError or error.status in {405, 406}
    assert error.reason or error.status == 405 or exchange.request.method == "HEAD"


def test_a_missing_document_is_named() -> None:
    body = '{"_index":"verses","_id":"Job 1:1","found":false}'
    error = error_for(HttpResponse(404, body.encode(), {"content-type": "application/json"}, REQUEST))
    assert (error.status, error.reason) == (404, "no document 'Job 1:1' in verses")


@pytest.mark.parametrize(
    ("path", "status", "body", "reason"),
    [
        ("/_ingest/pipeline/a%20b", 404, b"{}", "no ingest pipeline 'a b'"),
        ("/_search/pipeline", 404, b"{}", "no search pipelines"),
        ("/_search/pipeline/p", 500, b"{}", ""),
        ("/_search/pipeline/p", 404, b'{"a": 1}', ""),
        ("/_snapshot/s", 404, b"{}", ""),
    ],
)
def test_a_missing_pipeline_is_named(path: str, status: int, body: bytes, reason: str) -> None:
    request = HttpRequest("GET", path)
    error = error_for(HttpResponse(status, body, {"content-type": "application/json"}, request))
    assert error.reason == reason


# ---- what servers and proxies send beside the rules ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
        ("Wed, 21 Oct 2015 07:28:00", 0.0),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 99999999999 07:28:00 GMT", None),
        ("²", None),
        ("9" * 400, float("inf")),
    ],
)
def test_no_retry_after_can_break_the_error_that_it_comes_with(value: str, seconds: float | None) -> None:
    assert error_for(answer(503, b"", **{"retry-after": value})).retry_after == seconds


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"[" * 5000, b"null", b"0", b'"text"', b'{"error": null}', b'{"error": []}']
)
@pytest.mark.parametrize("kind", ["application/json", "application/cbor", "text/html", ""])
def test_no_body_can_break_the_error_that_it_comes_with(body: bytes, kind: str) -> None:
    error = error_for(HttpResponse(500, body, {"content-type": kind}, REQUEST))
    assert (type(error), error.status, error.type) == (errors.ServerError, 500, "")


def test_a_long_page_is_kept_whole_but_not_shown_whole() -> None:
    error = error_for(HttpResponse(502, b"x" * 100_000, {"content-type": "text/html"}, REQUEST))
    assert len(str(error)) < 2100
    assert len(error.body) == 100_000


@pytest.mark.parametrize("status", [300, 304, 418, 451, 599, 600])
def test_any_other_status_has_a_class_too(status: int) -> None:
    names = {3: errors.Redirected, 4: errors.ApiError, 5: errors.ServerError, 6: errors.ApiError}
    error = error_for(answer(status))
    assert type(error) is names[status // 100]
    assert f"status {status}" in str(error)


def test_a_redirect_says_where_to() -> None:
    error = error_for(answer(307, b"", location="https://elsewhere"))
    assert "the server redirects to https://elsewhere: open the session with the URL" in str(error)
    assert "redirects to an unnamed place" in str(error_for(answer(301)))
    secret = error_for(answer(302, b"", location="https://ann:hunter2@login/?access_token=hunter2&next=x"))
    assert "the server redirects to https://ann:***@login/?access_token=***&next=x" in str(secret)
    assert "hunter2" not in repr(pickle.dumps(secret))


@pytest.mark.parametrize("name", EVERY)
def test_a_copied_error_keeps_what_it_holds(name: str) -> None:
    error = EVERY[name]
    for other in copies(error):
        for held in ("request", "response", "status", "type", "reason", "details", "body", "retry_after", "info"):
            assert getattr(other, held, None) == getattr(error, held, None)


def test_no_error_shows_what_was_sent() -> None:
    sent = HttpRequest("POST", "/x", body=b"h0sh-h0sh", headers={"authorization": "h0sh-h0sh"})
    got = HttpResponse(401, b"Unauthorized", {"content-type": "text/plain"}, sent)
    made = (error_for(got), errors.ConnectError("refused", sent), errors.DecodeError("not JSON", got))
    for error in made:
        assert "h0sh" not in f"{error!r} {error} {error.request!r} {vars(error)!r}"


TRANSIENT = {
    "remote_fault.read_timeout",
    "remote_fault.pool_exhausted_2",
    "remote_fault.pool_exhausted_5",
    "remote_fault.refused",
    "breaker.parent.deploy_partial",
    "breaker.parent.profile_model",
    "breaker.parent.stats_one",
    "remote.rate_limited_2",
    "remote.rate_limited_3",
    "real.parent_breaker",
    "real.search.no_shard_yet.1",
    "new39.stop_new39_remote",
    "new39.stop_new39_sparse_index",
    "plain38.jvm_heap_breaker_6s",
    "plain38.provider.sagemaker_throttles",
    "plain38.provider.sagemaker_wraps_429",
    "plain38.remote_503_3s",
    "plain38.remote_bedrock_3s",
    "plain38.remote_html502_3s",
    "pipelines.doc.put_throttled",
    "pipelines.neural.throttled",
    *(
        f"live.block.read_only_allow_delete.{what}"
        for what in ("alias", "aliases", "delete_doc", "mapping", "put", "settings_change", "update")
    ),
    "live.block.two_off_both",
}


def test_the_recorded_refusals_that_pass_by_waiting_are_these() -> None:
    refusals = [e for e in exchanges() if e.response.status >= 400]
    assert {e.case for e in refusals if error_for(e.response).transient} == TRANSIENT


@pytest.mark.parametrize(
    ("case", "cls"),
    [
        ("predict.unloaded", errors.ModelNotReady),
        ("no_ml_node.deploy", errors.BadRequest),
        ("remote_fault.not_json", errors.ServerError),
        ("auth.wrong_password", errors.Unauthorized),
        ("acl.settings_forbidden", errors.Forbidden),
        ("models.delete_deployed", errors.BadRequest),
        ("chunk.missing_model", errors.NotFound),
        ("connectors.delete", errors.Conflict),
        ("remote.predict_400", errors.BadRequest),
        ("remote.predict_500", errors.ServerError),
        ("mcp.server_get", errors.ApiError),
        ("agents.register_unified", errors.FeatureDisabled),
        ("agents.execute_missing", errors.NotFound),
        ("unknown.route", errors.BadRequest),
    ],
)
def test_a_recorded_refusal_is_of_its_class(case: str, cls: type[errors.ApiError]) -> None:
    found = [e for e in exchanges() if e.case == case and e.response.status >= 400]
    assert {type(error_for(e.response)) for e in found} == {cls}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"Message": "User: anonymous is not authorized"}, "User: anonymous is not authorized"),
        ({"message": "no healthy upstream"}, "no healthy upstream"),
        ({"error": None}, "status 503"),
        (
            error_body("all shards failed", root_cause=[{"reason": "field [x] is gone"}]),
            "all shards failed: field [x] is gone",
        ),
        (error_body("no", caused_by={"reason": "the disk is full"}), "no: the disk is full"),
        (error_body("the disk is full", caused_by={"reason": "disk is full"}), "the disk is full"),
    ],
)
def test_the_words_that_tell_most_are_found(body: Any, words: str) -> None:
    assert str(error_for(answer(503, body))).startswith(words)


@pytest.mark.parametrize("body", [error_body("x" * 1_000_000), {"error": "x" * 1_000_000}, b"x" * 1_000_000])
def test_endless_words_are_cut(body: Any) -> None:
    assert len(str(error_for(answer(500, body)))) < 3000


def test_a_cluster_of_many_tenants_says_where_to_name_one() -> None:
    error = error_for(answer(403, error_body("Tenant ID header is missing or has no value", "status_exception")))
    assert type(error) is errors.Forbidden
    assert "; the cluster has many tenants: name yours in tenant_id=... or OPENSEARCH_TENANT_ID" in str(error)
