"""Kinds of servers: each endpoint has its place in the table, and a kind is told by name, host, signer or headers."""

from __future__ import annotations

import re
from typing import Any

import pytest

import aiomlcommons.api  # noqa: F401 - fills ENDPOINTS
from aiomlcommons import ENDPOINTS, HttpRequest, HttpResponse, NotSupported, Session, Timeout
from aiomlcommons.api.model_registration import RegisterModel
from aiomlcommons.api.settings import PutClusterSettings
from aiomlcommons.endpoint import Request
from aiomlcommons.wire.features import feature_of
from aiomlcommons.wire.flavors import (
    FLAVORS,
    MANAGED,
    OPENSEARCH,
    SERVERLESS,
    Flavor,
    flavor_in,
    flavor_named,
    flavor_of,
)
from tests.sentences import BY_VALUE, requests, said

# What Serverless has: of the routes of ML Commons, what AWS does not list as unsupported; of others, what it lists.
HAS = re.compile(
    r"/_plugins/_ml/(models/(_register|_search|_undeploy|{model_id}(/_(deploy|undeploy|predict|predict/stream))?)|"
    r"model_groups/.*|connectors/(_create|_search|{connector_id})|tasks/(_search|{task_id})|config/.*|_batch_ingestion)|"
    r"/_(ingest|search)/pipeline.*|/_bulk|/_aliases|/{index}(/_(mapping|settings|alias|count|search|doc/{id}))?"
)
PUBLIC = "a-b.us-east-1"


def _needs(request: Request[Any]) -> str:
    return request.endpoint.route.path


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.__name__)
def test_each_endpoint_is_placed(endpoint: type[Request[Any]]) -> None:
    assert feature_of(endpoint) is not None, f"{endpoint.endpoint.route} needs a row in wire/features.py"


@pytest.mark.parametrize("request_", [*requests()][: len(ENDPOINTS)], ids=lambda request: type(request).__name__)
def test_serverless_has_what_amazon_does_not_list_as_unsupported(request_: Request[Any]) -> None:
    if isinstance(request_, RegisterModel):
        request_ = RegisterModel("m", function_name="remote", connector_id="c")
    sentence = said(SERVERLESS, request_)
    assert (sentence == "") == bool(HAS.fullmatch(_needs(request_)))
    if sentence:
        name = type(request_).__name__
        assert re.fullmatch(rf"Amazon OpenSearch Serverless has no [^()]+ \({name}\): .+ \(https://\S+\)", sentence)
        assert "\n" not in sentence


def test_a_server_of_ones_own_has_everything() -> None:
    assert not any(said(OPENSEARCH, request) for request in requests())


def test_a_managed_domain_lacks_models_from_files_and_urls_and_their_settings() -> None:
    lacking = {type(request).__name__ for request in requests() if said(MANAGED, request)}
    assert lacking == {"RegisterModel", "RegisterModelMeta", "UploadModelChunk", "PutClusterSettings"}
    assert not said(MANAGED, RegisterModel("all-MiniLM-L6-v2"))
    assert not said(MANAGED, PutClusterSettings(persistent={"plugins.ml_commons.only_run_on_ml_node": False}))
    by_setting = said(MANAGED, BY_VALUE[2])
    assert "plugins.ml_commons.allow_registering_model_via_url" in by_setting
    assert "RemoteModel" in by_setting


@pytest.mark.parametrize(
    ("host", "flavor"),
    [
        (f"{PUBLIC}.aoss.amazonaws.com", SERVERLESS),
        ("1tg2xudton46knx2a95g.aoss.us-east-1.on.aws", SERVERLESS),
        (f"{PUBLIC}.aoss-fips.amazonaws.com", SERVERLESS),
        ("x.cn-north-1.aoss.amazonaws.com.cn", SERVERLESS),
        ("search-a.us-east-1.es.amazonaws.com", MANAGED),
        ("vpc-a.us-east-1.ES.amazonaws.com.", MANAGED),
        ("search-a.aos.us-east-1.on.aws", MANAGED),
        ("aoss.example.com", None),
        ("es.amazonaws.com.example.com", None),
        ("aoss.us-east-1.elb.amazonaws.com", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_the_host_tells_the_kind_of_server(host: str, flavor: Flavor | None) -> None:
    assert flavor_of([host]) is flavor


def test_a_signer_tells_the_kind_of_server_unless_the_host_does() -> None:
    class Signer:
        service = "aoss"

    assert flavor_of(["collection.example.com"], Signer()) is SERVERLESS
    assert flavor_of(["search-a.us-east-1.es.amazonaws.com"], Signer()) is MANAGED
    assert flavor_of(["collection.example.com"], object()) is None


def test_the_headers_of_a_response_tell_serverless() -> None:
    assert flavor_in({"server": "aoss-amazon"}) is SERVERLESS
    assert flavor_in({"x-amzn-aoss-account-id": "1"}) is SERVERLESS
    assert flavor_in({"server": "nginx", "x-request-id": "1"}) is None


@pytest.mark.parametrize("flavor", ["serverless", "AOSS", "", 3, SERVERLESS])
def test_another_flavor_is_refused_with_the_list(flavor: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"flavor must be 'opensearch', 'managed' .* or 'aoss' .*, not "):
        Session(flavor=flavor)
    with pytest.raises(ValueError, match=r"flavor must be one of 'opensearch' .*, 'managed' .*, 'aoss' .*, not "):
        flavor_named(flavor)


@pytest.mark.parametrize("name", FLAVORS)
def test_a_session_takes_each_flavor(name: str) -> None:
    assert Session(flavor=name).flavor is FLAVORS[name]


def test_what_is_said_of_the_kind_counts_more_than_the_host() -> None:
    host = f"https://{PUBLIC}.aoss.amazonaws.com"
    assert Session(host).flavor is SERVERLESS
    assert Session(host, flavor="opensearch").flavor is OPENSEARCH
    assert Session().flavor is OPENSEARCH


@pytest.mark.asyncio
@pytest.mark.parametrize("flavor", ["aoss", "managed"])
async def test_what_a_server_lacks_is_said_before_anything_is_sent(flavor: str) -> None:
    sent: list[HttpRequest] = []

    async def transport(request: HttpRequest, _: Timeout) -> HttpResponse:
        sent.append(request)
        return HttpResponse(500, b"{}")

    async with Session("http://localhost", flavor=flavor, transport=transport) as ml:
        lacking = [request for request in requests() if said(FLAVORS[flavor], request)]
        assert lacking
        for request in lacking:
            with pytest.raises(NotSupported, match=FLAVORS[flavor].title):
                await ml.send(request)
            with pytest.raises(NotSupported):
                async with ml.pieces(request):
                    pass
    assert sent == []
