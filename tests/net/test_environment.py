"""What environment variables say of a session, and what of it counts beside the options of the program."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from aiomlcommons import AwsAuth, BasicAuth, InsecureWarning, Session
from aiomlcommons.net.environment import options_from, urls_from
from tests.support.recording_server import serve

HUSH = "h0sh-h0sh"


@pytest.mark.parametrize(
    ("text", "verify"),
    [("true", True), ("1", True), ("Yes", True), ("TRUE ", True), ("false", False), ("0", False), ("NO", False)],
)
def test_whether_certificates_are_verified_is_a_word(text: str, verify: bool) -> None:
    assert options_from({"OPENSEARCH_VERIFY_CERTS": text}, {}) == {"verify": verify}


@pytest.mark.parametrize("text", ["maybe", "on", "2", "truee", "-"])
def test_another_word_is_refused_with_those_that_are_accepted(text: str) -> None:
    with pytest.raises(ValueError, match=f"OPENSEARCH_VERIFY_CERTS must be true, false, 1, 0, yes or no, not '{text}'"):
        options_from({"OPENSEARCH_VERIFY_CERTS": text}, {})


@pytest.mark.parametrize("name", ["USERNAME", "CA_CERTS", "VERIFY_CERTS", "TENANT_ID"])
def test_an_empty_variable_counts_as_unset(name: str) -> None:
    assert options_from({f"OPENSEARCH_{name}": ""}, {}) == {}


def test_each_variable_is_an_option_and_a_given_option_counts_before_it() -> None:
    environ = {
        "OPENSEARCH_USERNAME": "admin",
        "OPENSEARCH_PASSWORD": HUSH,
        "OPENSEARCH_CA_CERTS": "ca.pem",
        "OPENSEARCH_TENANT_ID": "acme",
    }
    found = {"auth": BasicAuth("admin", HUSH), "ca_certs": "ca.pem", "tenant_id": "acme"}
    assert options_from(environ, {"retries": 0}) == {**found, "retries": 0}
    given: dict[str, Any] = {"auth": ("bob", "x"), "ca_certs": "other.pem", "tenant_id": "umbrella"}
    assert options_from(environ, given) == given


@pytest.mark.parametrize(
    ("environ", "region", "service"),
    [
        ({"OPENSEARCH_AWS_REGION": "eu-west-1"}, "eu-west-1", "es"),
        ({"OPENSEARCH_AWS_REGION": "eu-west-1", "OPENSEARCH_AWS_SERVICE": "aoss"}, "eu-west-1", "aoss"),
        ({"OPENSEARCH_AWS_SERVICE": "es", "OPENSEARCH_AWS_REGION": ""}, None, "es"),
    ],
)
def test_signatures_of_aws_are_switched_on_by_their_own_variables(
    environ: dict[str, str], region: str | None, service: str
) -> None:
    auth = options_from(environ, {})["auth"]
    assert isinstance(auth, AwsAuth)
    assert (auth.region, auth.service) == (region, service)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"OPENSEARCH_AWS_SERVICE": "s3"}, "OPENSEARCH_AWS_SERVICE must be es or aoss, not 's3'"),
        ({"OPENSEARCH_AWS_REGION": "here!"}, "region must be like 'eu-west-1'"),
        ({"OPENSEARCH_AWS_SERVICE": "es", "OPENSEARCH_USERNAME": "admin"}, "are set: keep one"),
    ],
)
def test_wrong_variables_of_aws_are_refused(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        options_from(environ, {})


@pytest.mark.parametrize(
    "given",
    [{"ca_certs": "ca.pem"}, {"fingerprint": "ab" * 32}, {"ssl_context": ssl.create_default_context()}],
    ids=["ca_certs", "fingerprint", "ssl_context"],
)
def test_no_variable_weakens_what_the_program_trusts(given: dict[str, Any]) -> None:
    environ = {"OPENSEARCH_VERIFY_CERTS": "false", "OPENSEARCH_CA_CERTS": "their.pem"}
    assert options_from(environ, given) == given
    Session.from_env({"OPENSEARCH_URL": "https://node:9200", **environ}, **given)  # and they do not exclude each other


def test_a_session_of_the_environment_that_verifies_nothing_warns() -> None:
    with pytest.warns(InsecureWarning, match="the certificate of https://node:9200 is not verified"):
        Session.from_env({"OPENSEARCH_URL": "https://node:9200", "OPENSEARCH_VERIFY_CERTS": "0"})


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("https://a:9200", "https://a:9200"),
        ("https://a:9200,https://b:9200", ["https://a:9200", "https://b:9200"]),
        (" https://a:9200 , https://b:9200, ", ["https://a:9200", "https://b:9200"]),
        (f"https://me:{HUSH},x@a:9200,https://me:{HUSH},x@b:9200", [f"https://me:{HUSH},x@{n}:9200" for n in "ab"]),
    ],
)
def test_commas_before_a_scheme_divide_urls(text: str, urls: str | list[str]) -> None:
    assert urls_from({"OPENSEARCH_URL": text}) == urls


def test_a_session_of_the_environment_has_all_of_its_nodes() -> None:
    ml = Session.from_env({"OPENSEARCH_URL": "https://a:9200,https://b:9200"})
    assert [node.url for node in ml.nodes] == ["https://a:9200", "https://b:9200"]


def test_urls_without_a_scheme_are_refused() -> None:
    with pytest.raises(ValueError, match="url must be like 'https://host:9200'"):
        Session.from_env({"OPENSEARCH_URL": "https://a:9200,b:9200"})


# ---- tenants ---------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_tenant_that_is_named_nearest_to_the_call_counts() -> None:
    async with serve() as server:
        async with Session.from_env({"OPENSEARCH_URL": server.url, "OPENSEARCH_TENANT_ID": "acme"}) as ml:
            await ml.info()
            await ml.options(tenant_id="umbrella").info()
            await ml.options(headers={"X-Tenant-Id": "initech"}).info()
            await ml.options(tenant_id="umbrella").request("GET", "/", headers={"X-Tenant-Id": "hooli"})
            await ml.options(retries=0).info()
        async with Session(server.url) as ml:
            await ml.info()
    tenants = [heard.headers.get("x-tenant-id") for heard in server.heard]
    assert tenants == ["acme", "umbrella", "initech", "hooli", "acme", None]


def test_a_tenant_is_named_once() -> None:
    with pytest.raises(ValueError, match="tenant_id and an x-tenant-id header are both given: give one of them"):
        Session("https://node:9200").options(tenant_id="a", headers={"X-TENANT-ID": "a"})
