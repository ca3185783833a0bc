"""The emulator as a server of Amazon: what it lacks and refuses, in the words that are public."""

from __future__ import annotations

import re

import pytest

from aiomlcommons import ENDPOINTS, BadRequest, Forbidden, NotFound, Session, Unavailable
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.wire.codec import to_http
from aiomlcommons.wire.flavors import SERVERLESS, flavor_in
from tests.sentences import example, said

pytestmark = pytest.mark.asyncio
URL_SETTING = "plugins.ml_commons.allow_registering_model_via_url"
NO_IDS = "Document ID is not supported in create/index operation request"


async def test_what_serverless_lacks_is_404_without_a_body_from_a_server_that_names_itself() -> None:
    lacking = [endpoint for endpoint in ENDPOINTS if said(SERVERLESS, example(endpoint))]
    async with Emulator(flavor="aoss").serve() as url, Session(url, flavor="opensearch", retries=0) as ml:
        for endpoint in lacking:
            if endpoint.__name__ == "RegisterModel":
                continue
            route = endpoint.endpoint.route
            with pytest.raises(NotFound) as caught:
                await ml.request(
                    route.method, re.sub(r"{\w+}", "x", route.path), body={} if route.method != "GET" else None
                )
            assert (caught.value.response.body, flavor_in(caught.value.response.headers)) == (b"", SERVERLESS)


async def test_a_local_model_is_refused_by_serverless() -> None:
    async with Emulator(flavor="aoss").serve() as url, Session(url, flavor="opensearch") as ml:
        with pytest.raises(Exception, match="Local Model is currently disabled"):
            await ml.models.register("all-MiniLM-L6-v2", version="1.0.1", model_format="TORCH_SCRIPT")


@pytest.mark.parametrize("path", ["/docs/_refresh", "/_refresh", "/_cat/plugins", "/_cluster/settings"])
async def test_routes_of_indices_that_serverless_lacks_are_404(path: str) -> None:
    async with Emulator(flavor="aoss").serve() as url, Session(url, flavor="opensearch") as ml:
        await ml.request("PUT", "/docs")
        with pytest.raises(NotFound):
            await ml.request("GET", path)
        with pytest.raises(BadRequest, match=re.escape("true refresh policy is not supported.")):
            await ml.request("POST", "/docs/_doc", query={"refresh": "true"}, body={"a": 1})


async def test_a_collection_for_vectors_takes_no_ids() -> None:
    async with Emulator(flavor="aoss").serve() as url, Session(url, flavor="opensearch") as ml:
        lines = b'{"index":{"_id":"a"}}\n{"x":1}\n{"create":{"_id":"b"}}\n{"x":1}\n{"index":{}}\n{"x":1}\n'
        headers = {"content-type": "application/x-ndjson"}
        items = (await ml.request("POST", "/docs/_bulk", body=lines, headers=headers)).json()["items"]
        first, second, third = (next(iter(item.values())) for item in items)
        assert first["status"] == second["status"] == 400
        assert first["error"] == {"type": "illegal_argument_exception", "reason": NO_IDS}
        assert third["status"] == 201
        await ml.request("DELETE", f"/docs/_doc/{third['_id']}")
        with pytest.raises(BadRequest, match=NO_IDS):
            await ml.request("PUT", "/docs/_doc/a", body={"x": 1})


async def test_a_collection_for_search_takes_ids() -> None:
    emulator = Emulator(Cluster(flavor="aoss", collection="SEARCH"))
    async with emulator.serve() as url, Session(url, flavor="opensearch") as ml:
        assert (await ml.request("PUT", "/docs/_doc/a", body={"x": 1})).status == 201


async def test_a_cold_start_refuses_the_first_requests_and_passes() -> None:
    emulator = Emulator(flavor="aoss")
    emulator.faults.cold_start(times=2, seconds=0.001)
    async with emulator.serve() as url, Session(url, flavor="opensearch", retries=0) as ml:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await ml.models.search({})
        await ml.models.search({})


@pytest.mark.parametrize(
    "persistent", [{URL_SETTING: True}, {"plugins": {"ml_commons": {"only_run_on_ml_node": False}}}]
)
async def test_a_managed_domain_refuses_settings_in_the_words_of_amazon(persistent: dict[str, object]) -> None:
    async with Emulator(flavor="managed").serve() as url, Session(url, flavor="opensearch") as ml:
        refused = r"Your request: '/_cluster/settings' payload is not allowed; Amazon OpenSearch Service does not allow"
        with pytest.raises(Forbidden, match=refused) as caught:
            await ml.settings.put(persistent=persistent)
        assert (caught.value.status, caught.value.transient) == (401, False)
        await ml.settings.ml_on_all_nodes()


async def test_a_managed_domain_has_its_root() -> None:
    async with Emulator(flavor="managed").serve() as url:
        ml = await Session.connect(url, flavor="managed")
        assert await ml.version() is not None
        await ml.close()


@pytest.mark.parametrize("make", [lambda: Emulator(flavor="x"), lambda: Cluster(flavor="x")])
async def test_another_flavor_is_refused(make: object) -> None:
    with pytest.raises(ValueError, match="flavor must be one of"):
        make()  # type: ignore[operator]
    with pytest.raises(ValueError, match="collection"):
        Cluster(collection="x")


async def test_every_example_is_a_request() -> None:
    # What the tables of sentences are made of.
    assert all(to_http(example(endpoint)).path for endpoint in ENDPOINTS if endpoint.__name__ == "GetModel")
