"""Providers' errors: each row is known by its provider's own words, in every form in which they arrive."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aiomlcommons.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    NotFound,
    QuotaExceeded,
    StreamFailed,
    TooManyRequests,
    Unauthorized,
)
from aiomlcommons.statuses import error_for
from aiomlcommons.trouble.delays import delay_in
from aiomlcommons.trouble.kinds import Kind, Party
from aiomlcommons.trouble.parsed_error import parse_error
from aiomlcommons.trouble.provider_answer import provider_answer
from aiomlcommons.trouble.providers import PROVIDERS, ProviderTrouble
from aiomlcommons.trouble.table import trouble_of
from tests.support.error_answers import answer, error_body
from tests.support.provider_examples import EXAMPLES
from tests.wire.recordings import exchanges

ROWS = [row for row in PROVIDERS if isinstance(row, ProviderTrouble)]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
SAYS = "Error from remote service: "


def relayed(body: str, status: int = 400) -> ApiError:
    return error_for(answer(status, error_body(f"{SAYS}{body}")))


@each_row
def test_each_row_is_known_by_its_providers_words(row: ProviderTrouble) -> None:
    example = EXAMPLES[row.name]
    assert example.status == row.status
    assert trouble_of(parse_error(example.status, error_body(f"{SAYS}{example.body}"))) == row


def test_each_example_has_its_row_and_each_row_is_there_once() -> None:
    assert sorted(row.name for row in ROWS) == sorted(EXAMPLES)


@each_row
def test_the_words_count_under_any_status(row: ProviderTrouble) -> None:
    assert [relayed(EXAMPLES[row.name].body, status).trouble for status in (400, 500, 503)] == [row] * 3


@each_row
def test_the_words_count_in_any_form(row: ProviderTrouble) -> None:
    body = EXAMPLES[row.name].body
    forms = {
        "upper case": body.upper(),
        "lower case": body.lower(),
        "escaped": body.replace('"', '\\"'),
        "with a stack trace": f"{body}\n\tat org.opensearch.ml.engine.Remote.call(Remote.java:1)",
        "pretty": body.replace('{"', '{\n  "'),
    }
    assert {name: relayed(form).trouble.kind for name, form in forms.items()} == dict.fromkeys(forms, row.kind)


@each_row
def test_the_words_count_in_streams_and_tasks(row: ProviderTrouble) -> None:
    body = EXAMPLES[row.name].body
    for frame in (f"{SAYS}{body}", f"Unexpected chunk: {SAYS}{body}"):
        failed = StreamFailed(frame)
        assert (failed.trouble.kind, failed.transient) == (row.kind, row.passes)
    task = orjson.dumps({"node": f"{SAYS}{body}"}).decode()
    assert trouble_of(parse_error(0, task)).kind is row.kind


RECORDED = {exchange.case.removeprefix("plain38.provider."): exchange.response for exchange in exchanges()}


@pytest.mark.parametrize(
    ("case", "kind", "expected"),
    [
        ("sagemaker_throttles", Kind.THROTTLED, TooManyRequests),
        ("sagemaker_wraps_429", Kind.THROTTLED, TooManyRequests),
        ("openai_quota", Kind.QUOTA, QuotaExceeded),
        ("gemini_key", Kind.CREDENTIAL, Unauthorized),
        ("azure_deployment", Kind.MISSING, NotFound),
        ("bedrock_too_long", Kind.TOO_LONG, BadRequest),
        ("says_nothing_401", Kind.CREDENTIAL, Unauthorized),
        ("payment_402", Kind.QUOTA, QuotaExceeded),
    ],
)
def test_what_a_real_cluster_relays_is_known(case: str, kind: Kind, expected: type[ApiError]) -> None:
    error = error_for(RECORDED[case])
    assert (error.trouble.kind, error.trouble.party, type(error)) == (kind, Party.PROVIDER, expected)


@pytest.mark.parametrize("keep", [0.6, 0.8])
def test_a_body_that_was_cut_off_tells_by_its_beginning(keep: float) -> None:
    body = EXAMPLES["OpenAI: rate_limit_exceeded"].body
    assert relayed(body[: int(len(body) * keep)]).trouble.kind is Kind.THROTTLED


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        # SageMaker wraps what the container says.
        (
            424,
            {
                "ErrorCode": "CLIENT_ERROR_FROM_MODEL",
                "OriginalStatusCode": 429,
                "OriginalMessage": '{"error":"Model is overloaded","error_type":"Overloaded"}',
                "Message": 'Received client error (429) from primary with message "..."',
            },
            Kind.THROTTLED,
        ),
        (424, {"Message": "Received client error (413) from primary with message x"}, Kind.TOO_LONG),
        (400, {"message": "Received server error (503) from primary with message x"}, Kind.PASSES),
        (500, {"error": {"code": 429, "message": "no words that are known"}}, Kind.THROTTLED),
        (500, {"error": {"code": "401", "message": "no words that are known"}}, Kind.CREDENTIAL),
        (400, [{"error": {"status": "RESOURCE_EXHAUSTED"}}], Kind.THROTTLED),
        (400, {"code": 12, "message": "no words that are known"}, Kind.FINAL),
        (400, {"code": True, "message": None, "error": []}, Kind.FINAL),
    ],
)
def test_a_providers_own_status_counts_more_than_the_one_that_came_with_it(status: int, body: Any, kind: Kind) -> None:
    assert relayed(orjson.dumps(body).decode(), status).trouble.kind is kind


def test_the_words_of_sdks_tell_their_status() -> None:
    words = "It is busy (Service: BedrockRuntime, Status Code: 429, Request ID: abc) (SDK Attempt Count: 4)"
    assert relayed(words, 500).trouble.kind is Kind.THROTTLED


@pytest.mark.parametrize(("status", "kind"), [(401, Kind.CREDENTIAL), (429, Kind.THROTTLED), (503, Kind.PASSES)])
def test_a_provider_that_says_nothing_is_told_from_the_cluster(status: int, kind: Kind) -> None:
    error = error_for(answer(status, error_body(f"Remote service returned error status {status} with empty body")))
    assert (error.trouble.kind, error.trouble.party) == (kind, Party.PROVIDER)
    assert "OPENSEARCH_PASSWORD" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"type": "string_type", "msg": "Input should be valid", "input": "Rate limit exceeded"}]},
        {"error": {"message": "invalid input: You exceeded your current quota", "param": "insufficient_quota"}},
        {"message": "cannot embed: Too Many Requests"},
        {"message": "bad", "inputs": [{"code": "ThrottlingException", "message": "Rate exceeded"}]},
    ],
)
def test_a_document_that_is_quoted_is_not_taken_for_the_providers_words(body: Any) -> None:
    assert relayed(orjson.dumps(body).decode()).trouble.kind is Kind.FINAL


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"error":' * 100_000, "{" * 10, "", "\x00", '{"error": {"code": 1e999}}']
)
def test_no_body_is_too_odd_to_be_judged(body: str) -> None:
    assert relayed(body).trouble.party is Party.PROVIDER


def test_the_clusters_own_words_are_no_providers() -> None:
    assert provider_answer("Model not ready yet") is None
    assert error_for(answer(400, error_body("Rate limit exceeded"))).trouble.party is Party.CALLER


@pytest.mark.parametrize(
    ("name", "expected", "remedy"),
    [
        ("OpenAI: invalid_api_key", Unauthorized, "update the connector"),
        ("Gemini: API_KEY_INVALID", Unauthorized, "update the connector"),
        ("AWS: AccessDeniedException", Forbidden, "update the connector"),
        ("OpenAI: insufficient_quota", QuotaExceeded, "raise its limit there"),
        ("Azure OpenAI: DeploymentNotFound", NotFound, "no such model, deployment or route"),
        ("OpenAI: rate_limit_exceeded", TooManyRequests, ""),
    ],
)
def test_a_providers_error_names_the_providers_remedy(name: str, expected: type[ApiError], remedy: str) -> None:
    example = EXAMPLES[name]
    error = relayed(example.body, example.status)
    assert type(error) is expected
    assert remedy in str(error)
    assert error.transient is (expected is TooManyRequests)
    assert not [word for word in ("OPENSEARCH_PASSWORD", "user name") if word in str(error)]


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please try again in 20s. Visit", 20),
        ("Please try again in 6ms.", 0.006),
        ("Please try again in 7m12.5s.", 432.5),
        ("Please try again in 1h2m3s.", 3723),
        ("Please retry after 1 second. Please go here", 1),
        ("retry after 12 seconds", 12),
        ("Try again in 2 minutes", 120),
        ("Please retry in 36.4s.", 36.4),
        ("Quota will be replenished in 01:02:03.", 3723),
        ('"retryDelay": "34s"', 34),
        ('\\"retryDelay\\": \\"34.5s\\"', 34.5),
        ('"estimated_time": 20.5', 20.5),
        ("please wait and try again later", None),
        ("Please wait before trying again.", None),
        ("The retry 5 models", None),
    ],
)
def test_a_delay_in_words_is_understood(words: str, seconds: float | None) -> None:
    assert delay_in(words) == (None if seconds is None else pytest.approx(seconds))


def test_a_delay_counts_for_what_passes_only_and_less_than_the_header() -> None:
    busy = EXAMPLES["Azure OpenAI: Requests to the ... have exceeded call rate limit"].body
    assert relayed(busy, 429).retry_after == 1
    assert StreamFailed(f"{SAYS}{busy}").retry_after == 1
    assert relayed(EXAMPLES["OpenAI: Rate limit reached for ... per day"].body, 429).retry_after is None
    response = answer(429, error_body(f"{SAYS}{busy}"))
    assert error_for(type(response)(429, response.body, {**response.headers, "retry-after": "7"})).retry_after == 7
