"""Signatures that the emulator refuses: the words of AWS, what the client makes of them, and no credential in both."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from aiomlcommons import AwsAuth, BadRequest, BasicAuth, BearerAuth, Forbidden, HttpRequest, Session
from aiomlcommons.emulator import AwsVerifier, Emulator
from aiomlcommons.emulator.aws import Received
from aiomlcommons.emulator.errors import Refused
from tests.support.aws_machine import fixed

KEY, SECRET, TOKEN = "ASIAEXAMPLE", "s3cr3t/of+a+test", "t0ken/of+a+test=="


async def refusal(auth: Any, verifier: AwsVerifier | None = None) -> Forbidden:
    """Return the error of a call to a domain that knows one key."""
    verifier = verifier or AwsVerifier("eu-west-1")
    verifier.allow(KEY, SECRET, TOKEN)
    async with Emulator(aws=verifier).serve() as url, Session(url, auth=auth, retries=0) as ml:
        with pytest.raises(Forbidden) as caught:
            assert [hit async for hit in ml.models.search()] == []
    return caught.value


def in_basic(user: str) -> str:
    return base64.b64encode(f"{user}:{SECRET}".encode()).decode().rstrip("=")


def right(**options: str) -> AwsAuth:
    return fixed(KEY, SECRET, TOKEN, **options)


@pytest.mark.parametrize(
    ("auth", "said", "remedy"),
    [
        (None, "User: anonymous is not authorized to perform: es:ESHttpPost", "signed by AWS: give auth=AwsAuth("),
        (BasicAuth("admin", SECRET), "Authorization header requires 'Credential' parameter.", "signed by AWS"),
        (BasicAuth("adminss", SECRET), "'***' not a valid key=value pair (missing equal-sign)", "signed by AWS"),
        (BearerAuth(TOKEN), "Authorization header requires 'Credential' parameter.", "signed by AWS"),
        (fixed(KEY, "another", TOKEN), "The request signature we calculated does not match", "secret access key is"),
        (fixed("AKIAOTHER", SECRET), "The security token included in the request is invalid", "access key is wrong"),
        (fixed(KEY, SECRET), "The security token included in the request is invalid", "lack their session token"),
        (right(region="us-east-1"), "scoped to a valid region, not 'us-east-1'", "own region and service: AwsAuth("),
        (right(service="aoss"), "scoped to correct service: 'es'", "'aoss' for a Serverless collection"),
    ],
)
@pytest.mark.asyncio
async def test_what_is_signed_wrongly_is_refused_in_the_words_of_aws(auth: Any, said: str, remedy: str) -> None:
    error = await refusal(auth)
    assert error.status == 403
    assert said in str(error)
    assert f"; {remedy}" in str(error) or remedy in str(error).partition(said)[2]
    for shown in (str(error), error.response.text, str(pickle.dumps(error)), str(error.body)):
        for secret in (SECRET, TOKEN, *map(in_basic, ("admin", "adminss"))):
            assert secret not in shown


@pytest.mark.parametrize(("minutes", "said", "how"), [(6, "Signature expired", "behind"), (-6, "not yet", "ahead of")])
@pytest.mark.asyncio
async def test_a_wrong_clock_is_told_with_the_difference(minutes: int, said: str, how: str) -> None:
    error = await refusal(
        right(), AwsVerifier("eu-west-1", clock=lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    )
    assert said in str(error)
    assert any(f"the clock of this machine is {seconds} s {how}" in str(error) for seconds in range(355, 366))


@pytest.mark.parametrize("minutes", [-4.9, 4.9])
@pytest.mark.asyncio
async def test_five_minutes_are_tolerated(minutes: float) -> None:
    verifier = AwsVerifier("eu-west-1", clock=lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    verifier.allow(KEY, SECRET, TOKEN)
    async with Emulator(aws=verifier).serve() as url, Session(url, auth=right()) as ml:
        assert (await ml.info()).version.number


@pytest.mark.asyncio
async def test_expired_credentials_are_told_from_unknown_ones() -> None:
    verifier = AwsVerifier("eu-west-1")
    verifier.allow(KEY, SECRET, TOKEN)
    verifier.expire(KEY)
    async with Emulator(aws=verifier).serve() as url, Session(url, auth=right()) as ml:
        with pytest.raises(Forbidden, match="is expired; renew the AWS credentials, as by `aws sso login`"):
            await ml.info()


@pytest.mark.asyncio
async def test_serverless_says_nothing_but_forbidden() -> None:
    error = await refusal(right(), AwsVerifier("eu-west-1", "aoss"))
    assert error.response.json()["error"] == {"reason": "403 Forbidden", "type": "Forbidden"}
    assert error.response.headers["x-aoss-response-hint"] == "X01:gw-helper-deny"
    assert "The signature must be for 'aoss'" in str(error)
    assert "aoss:ExecuteMLResource" in str(error)


@pytest.mark.asyncio
async def test_a_query_that_is_not_strictly_encoded_is_refused() -> None:
    auth = right()
    verifier = AwsVerifier("eu-west-1")
    verifier.allow(KEY, SECRET, TOKEN)
    async with Emulator(aws=verifier).serve() as url, aiohttp.ClientSession() as client, Session(url, auth=auth) as ml:
        query = {"a b,c*": "/:"}
        with pytest.raises(BadRequest, match="unrecognized parameter"):  # asked of the cluster, behind the signature
            await ml.request("GET", "/_cluster/settings", query=query)
        signed = await auth.headers(HttpRequest("GET", "/_cluster/settings", query, base=url))
        # As yarl encodes it, with a bare comma and a plus.
        async with client.get(f"{url}/_cluster/settings", headers=signed, params=query) as answer:
            assert answer.status == 403


SCOPE = "Credential=K/20260301/eu-west-1/es/aws4_request"
VALID = {
    "Host": "h",
    "X-Amz-Date": "20260301T123015Z",
    "Authorization": f"AWS4-HMAC-SHA256 {SCOPE}, SignedHeaders=host, Signature=0",
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Authorization": "AWS4-HMAC-SHA256 Credential=K"}, "requires 'Signature' parameter. .*'SignedHeaders'"),
        ({"X-Amz-Date": ""}, "Date must be in ISO-8601 'basic format'. Got ''"),
        ({"X-Amz-Date": "now"}, "Got 'now'"),
        ({"X-Amz-Date": None}, "requires existence of either a 'X-Amz-Date' or a 'Date' header"),
        ({"Authorization": VALID["Authorization"].replace("=host", "=x-amz-date")}, "'Host' must be a 'SignedHeader'"),
        ({"Authorization": VALID["Authorization"].replace("256 ", "1 ")}, "Unsupported AWS 'algorithm'"),
        ({"Authorization": VALID["Authorization"].replace("K/", "")}, "exactly 5 slash-delimited elements"),
        ({"Authorization": VALID["Authorization"].replace("_request", "")}, "valid terminator: 'aws4_request'"),
        (
            {"Authorization": VALID["Authorization"].replace("0301/", "0302/")},
            "Date in Credential scope does not match",
        ),
        ({}, "security token included in the request is invalid"),
    ],
)
def test_a_malformed_signature_is_told_as_aws_does(changes: Mapping[str, str | None], said: str) -> None:
    given = {**VALID, **changes}
    headers = [(name, value) for name, value in given.items() if value is not None]
    now = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    with pytest.raises(Refused, match=said):
        AwsVerifier("eu-west-1", clock=lambda: now).check(Received("GET", "/", headers, b""))


def test_the_example_of_the_specification_is_accepted() -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html is of S3; this one is of the suite
    # aws-sig-v4-test-suite, "get-vanilla-query-order-key-case".
    verifier = AwsVerifier("us-east-1", "service", clock=lambda: datetime(2015, 8, 30, 12, 36, tzinfo=UTC))
    verifier.allow("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
    scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    headers = [
        ("Host", "example.amazonaws.com"),
        ("X-Amz-Date", "20150830T123600Z"),
        ("Authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={signature}"),
    ]
    verifier.check(Received("GET", "/?Param2=value2&Param1=value1", headers, b""))


def test_no_repr_shows_a_secret() -> None:
    verifier = AwsVerifier()
    verifier.allow(KEY, SECRET, TOKEN)
    assert repr(verifier) == "AwsVerifier(region='us-east-1', service='es')"
    assert SECRET not in repr(Emulator(aws=verifier))
