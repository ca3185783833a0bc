"""What the gateways of AWS say: the kind of the error, and what to do about it. Each text was reported by a user."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from typing import Any

import orjson
import pytest

from aiomlcommons import ApiError, Forbidden, HttpRequest, HttpResponse, TooManyRequests, Unauthorized
from aiomlcommons.statuses import error_for
from aiomlcommons.trouble import aws
from aiomlcommons.trouble.kinds import Kind

DOMAIN = "https://search-mine-abc.eu-west-1.es.amazonaws.com"
FORBIDDEN = {"status": 403, "request-id": "x", "error": {"reason": "403 Forbidden", "type": "Forbidden"}}
ARN = "arn:aws:iam::111111111111:role/lambda"
SERVERLESS = {"x-aoss-response-hint": "X01:gw-helper-deny", "server": "aoss-amazon"}


def error(status: int, body: Any, *, base: str = DOMAIN, **headers: str) -> ApiError:
    raw = body.encode() if isinstance(body, str) else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = "text/plain" if isinstance(body, str) else "application/json"
    return error_for(HttpResponse(status, raw, {"content-type": kind, **named}, HttpRequest("GET", "/a", base=base)))


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("The security token included in the request is expired", "renew the AWS credentials, as by `aws sso login`"),
        ("The security token included in the request is invalid.", "the access key is wrong or was deleted, or"),
        (
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
            "the secret access key is wrong, or a proxy changes the path, the query, the host or the body",
        ),
        (
            "Signature expired: 20210416T064107Z is now earlier than 20210416T064135Z (20210416T064635Z - 5 min.)",
            "the clock of this machine is 328 s behind that of AWS, which tolerates 300: set it (NTP)",
        ),
        (
            "Signature not yet current: 20181017T093750Z is still later than 20181017T093639Z (20181017T093139Z "
            "+ 5 min.)",
            "the clock of this machine is 371 s ahead of that of AWS",
        ),
        ("Credential should be scoped to a valid region, not 'us-east-1'. ", "AwsAuth('eu-west-1', 'es')"),
        ("Credential should be scoped to correct service: 'es'. ", "AwsAuth('eu-west-1', 'es')"),
        ("Missing Authentication Token", "OPENSEARCH_AWS_SERVICE=es), or the name and password of a user"),
        (
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' "
            "parameter. Authorization=",
            "the domain wants requests signed by AWS",
        ),
        (
            "User: anonymous is not authorized to perform: es:ESHttpPost because no resource-based policy allows the "
            "es:ESHttpPost action",
            "the domain wants requests signed by AWS: give auth=AwsAuth('eu-west-1', 'es')",
        ),
    ],
)
@pytest.mark.parametrize("key", ["message", "Message"])
def test_refused_credentials_are_told_with_the_remedy(message: str, remedy: str, key: str) -> None:
    told = error(403, {key: message})
    assert isinstance(told, Forbidden)
    assert told.trouble.kind is Kind.CREDENTIAL
    assert not told.transient
    assert f"{message.rstrip('. ')}; " in str(told)
    assert remedy in str(told)
    assert str(pickle.loads(pickle.dumps(told))) == str(told)  # noqa: S301
    assert isinstance(error(401, {key: message}), Unauthorized)
    assert remedy in str(error(401, {key: message}))


@pytest.mark.parametrize(
    ("base", "auth"),
    [
        (DOMAIN, "AwsAuth('eu-west-1', 'es')"),
        ("https://vpc-x.us-gov-west-1.es.amazonaws.com:443/a", "AwsAuth('us-gov-west-1', 'es')"),
        ("https://x.ap-south-1.aoss.amazonaws.com", "AwsAuth('ap-south-1', 'aoss')"),
        ("https://x.cn-north-1.es.amazonaws.com.cn", "AwsAuth('cn-north-1', 'es')"),
        ("https://search-x.aos.us-east-1.on.aws", "AwsAuth('us-east-1', 'es')"),
        ("https://x.aoss.us-east-1.on.aws", "AwsAuth('us-east-1', 'aoss')"),
        ("https://search.example", "AwsAuth(region, service), where service is 'es' for a domain and 'aoss' for a"),
        ("", "AwsAuth(region, service)"),
    ],
)
def test_the_endpoint_tells_what_to_sign_for(base: str, auth: str) -> None:
    told = error(403, {"message": "Credential should be scoped to a valid region, not 'custom'. "}, base=base)
    assert f"sign for the domain's own region and service: {auth}" in str(told)


def test_a_missing_permission_names_the_action_and_the_principal() -> None:
    told = error(403, {"Message": f"User: {ARN} is not authorized to perform: es:ESHttpPost on resource: domain"})
    assert "; allow es:ESHttpPost on the domain (its ARN and /*) to this principal, in the IAM policy or" in str(told)
    assert told.trouble.kind is Kind.FINAL
    reason = f"no permissions for [indices:data/read/search] and User [name={ARN}, backend_roles=[{ARN}]]"
    told = error(403, {"error": {"type": "security_exception", "reason": reason}, "status": 403})
    assert f"; map {ARN} as a backend role to a role of the domain's fine-grained access control" in str(told)


def test_other_refusals_have_no_hint_of_aws() -> None:
    reason = "no permissions for [indices:data/read/search] and User [name=bob, backend_roles=[]]"
    for body in ({"error": {"type": "security_exception", "reason": reason}}, FORBIDDEN, {"message": "no"}):
        told = error(403, body)
        assert ";" not in str(told)
        assert told.trouble.kind is Kind.FINAL


# ---- Serverless ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [SERVERLESS, {"server": "aoss-amazon-d"}, {"x-aoss-response-hint": "X01:other"}])
def test_a_refusal_of_serverless_tells_what_may_be_missing(headers: dict[str, str]) -> None:
    told = error(403, FORBIDDEN, **headers)
    assert str(told).startswith("403 Forbidden; Serverless says no more than this. The signature must be for 'aoss'")
    for wanted in ("aoss:APIAccessAll", "aoss:ExecuteMLResource and the like on model/COLLECTION/*"):
        assert wanted in str(told)
    assert "clock" not in str(told)


def test_a_network_policy_is_told_from_permissions() -> None:
    told = error(401, "", x_aoss_response_hint="X01:network-policy-deny")
    assert isinstance(told, Unauthorized)
    assert "the network policy of the collection does not allow requests from here" in str(told)
    assert "password" not in str(told)


@pytest.mark.parametrize(("minutes", "said"), [(7, "420 s behind"), (-6, "360 s ahead of"), (3, ""), (-3, "")])
def test_serverless_may_refuse_a_wrong_clock_which_its_date_shows(minutes: int, said: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes, seconds=0.5), usegmt=True)
    told = str(error(403, FORBIDDEN, date=date, **SERVERLESS))
    assert ("clock" in told) is bool(said)
    seconds = int(said.partition(" ")[0] or 0)
    assert not said or any(said.replace(str(seconds), str(near)) in told for near in range(seconds - 2, seconds + 3))


def test_a_pickled_error_does_not_compare_the_clock_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = count(1)
    monkeypatch.setattr(aws, "_skew_by_header", lambda _: timedelta(hours=next(hours)))
    told = error(403, FORBIDDEN, **SERVERLESS)
    assert "3600 s behind that of AWS" in str(told)
    assert str(pickle.loads(pickle.dumps(told))) == str(told)  # noqa: S301


@pytest.mark.parametrize("date", ["", "yesterday", "Tue, 99 Sep 2023 17:08:50 GMT"])
def test_no_date_can_break_the_error_that_it_comes_with(date: str) -> None:
    assert "clock" not in str(error(403, FORBIDDEN, date=date, **SERVERLESS))


# ---- throttling and size ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, "403 Request throttled due to too many requests /_bulk"),
        (429, "429 Too Many Requests /_bulk"),
        (429, {"message": "Too Many Requests", "status": 429}),
        (400, {"message": "Rate exceeded"}),
        (400, {"__type": "ThrottlingException", "message": "Rate exceeded"}),
        (402, {"error": {"type": "service_quota_exceeded_exception", "reason": "maximum OCU capacity reached"}}),
    ],
)
def test_throttling_is_known_whatever_its_status(status: int, body: Any) -> None:
    told = error(status, body)
    assert isinstance(told, TooManyRequests)
    assert told.transient


def test_a_request_that_is_too_large_is_not_sent_again_as_it_is() -> None:
    told = error(413, {"Message": "Request size exceeded 10485760 bytes"})
    assert told.trouble.kind is Kind.TOO_LONG
    assert "; that is the limit of this instance type (10 or 100 MiB)" in str(told)


# ---- credentials that AWS repeats ------------------------------------------------------------------------------------

CANONICAL = (
    "The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for this "
    "request should have been\n'PUT\n/a\n\nhost:h\nx-amz-date:20171009T204043Z\nx-amz-security-token:{}\n\n"
    "host;x-amz-date;x-amz-security-token\n{}'"
)


@pytest.mark.parametrize("secret", ["FwoGZXIvYXdzEBYaD/+abc==", "t0ken", "with-url_safe.letters~"])
@pytest.mark.parametrize("slash", ["/", "\\/"])
def test_no_error_keeps_a_credential_that_the_gateway_repeats(secret: str, slash: str) -> None:
    for message in (
        CANONICAL.format(secret, "e3b0c442"),
        f"Authorization header requires 'Credential' parameter. Authorization=Basic {secret}",
        f"'{secret}' not a valid key=value pair (missing equal-sign) in Authorization header: 'Bearer {secret}'.",
    ):
        raw = orjson.dumps({"message": message}).replace(b"/", slash.encode())
        told = error_for(HttpResponse(403, raw, {}, HttpRequest("GET", "/")))
        for shown in (str(told), told.reason, str(told.body), told.response.text, str(pickle.dumps(told))):
            assert secret not in shown
            assert secret.replace("/", "\\/") not in shown
        assert "***" in str(told)
    assert "e3b0c442" in str(error(403, {"message": CANONICAL.format(secret, "e3b0c442")}))


def test_an_error_that_repeats_nothing_is_kept_as_it_came() -> None:
    response = HttpResponse(403, b'{"message": "Basic authentication is not allowed"}')
    assert error_for(response).response is response
