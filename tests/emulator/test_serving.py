"""The emulator as a server: authentication, TLS, unknown routes and malformed requests."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
import trustme

from aiomlcommons import ApiError, BadRequest, ConnectError, NotFound, Session, Unauthorized, emulator
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.http import CBOR

pytestmark = pytest.mark.asyncio


async def test_who_brings_no_password_or_a_wrong_one_is_not_let_in() -> None:
    async with emulator.serve(username="admin", password="right") as url:
        for auth in (None, ("admin", "wrong"), ("other", "right")):
            async with Session(url, auth=auth) as ml:
                with pytest.raises(Unauthorized, match="Unauthorized") as caught:
                    await ml.info()
                assert caught.value.response.content_type == "text/plain"
        async with Session(url, auth=("admin", "right")) as ml:
            assert (await ml.info()).version.distribution == "opensearch"


async def test_tls_is_served_with_the_certificate_it_is_given(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with emulator.serve(ssl_context=context) as url:
        assert url.startswith("https://")
        async with Session(url, ca_certs=tmp_path / "ca.pem") as ml:
            assert (await ml.info()).version.number == "3.4.0"
        async with Session(url, retries=0) as stranger:
            with pytest.raises(ConnectError, match="not trusted"):
                await stranger.info()


async def test_what_was_registered_stays_when_the_emulator_is_served_again() -> None:
    emulated = emulator.Emulator()
    async with emulated.serve() as url, Session(url) as ml:
        group = await ml.model_groups.register("kept")
    async with emulated.serve() as url, Session(url) as ml:
        assert (await ml.model_groups.get(group.model_group_id)).name == "kept"


async def test_two_emulators_know_nothing_of_each_other() -> None:
    async with emulator.serve() as one, emulator.serve() as other, Session(one) as ml, Session(other) as stranger:
        group = await ml.model_groups.register("g")
        with pytest.raises(NotFound):
            await stranger.model_groups.get(group.model_group_id)


async def test_a_port_that_is_taken_is_an_error() -> None:
    async with emulator.serve() as url:
        with pytest.raises(OSError, match="in use"):
            async with emulator.serve(port=int(url.rpartition(":")[2])):
                pass


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/_plugins/_ml/nope/nope/nope", 400, "no handler found for uri [/_plugins/_ml/nope/nope/nope]"),
        ("POST", "/_plugins/_ml/models/x", 405, "and method [POST], allowed: [GET, PUT, DELETE]"),
        ("DELETE", "/_plugins/_ml/models/x/_predict", 405, "allowed: [POST]"),
        ("GET", "/_plugins/_ml/models/x?foo=1&bar=2", 400, "contains unrecognized parameters: [foo], [bar]"),
        ("GET", "/_plugins/_ml/models/a%2Fb", 404, "model id: a/b"),
        ("GET", "/_plugins/_ml/models/%2E%2E", 404, "model id: .."),
        ("GET", "/_plugins/_ml/models/caf%C3%A9%20", 404, "model id: café "),
    ],
)
async def test_what_is_not_known_is_refused_in_the_servers_words(
    ml: Session, method: str, path: str, status: int, words: str
) -> None:
    with pytest.raises(ApiError) as caught:
        await ml.request(method, path)
    assert caught.value.status == status
    assert words in caught.value.reason


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"text_docs": [', "expected close marker for Array (start marker at [Source: REDACTED"),
        (b'{"a": "}]\\"",\n "b": {', "expected close marker for Object"),
        (b"{]", "json_parse_exception"),
        (b'["a"]', "expected an object as the body"),
        (b'{"text_docs": "a"}', "got 'a' @ $.text_docs"),
        (b'{"text_docs": [1]}', "expected a string, got 1"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused_with_the_reason(ml: Session, body: bytes, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await ml.request("POST", "/_plugins/_ml/_predict/text_embedding/x", body=body)
    assert words in caught.value.reason + caught.value.type


async def test_cbor_is_read_and_written_on_every_route(ml: Session) -> None:
    import cbor2

    headers = {"content-type": CBOR, "accept": CBOR}
    body = cbor2.dumps({"name": "by cbor"})
    got = await ml.request("POST", "/_plugins/_ml/model_groups/_register", body=body, headers=headers)
    assert got.content_type == CBOR
    assert got.json()["status"] == "CREATED"
    with pytest.raises(BadRequest, match="already being used") as caught:
        await ml.request("POST", "/_plugins/_ml/model_groups/_register", body=body, headers=headers)
    assert caught.value.response.content_type == CBOR


async def test_pretty_is_for_reading(ml: Session) -> None:
    assert b"\n  " in (await ml.request("GET", "/", query={"pretty": "true"})).body
    assert b"\n" not in (await ml.request("GET", "/")).body


async def test_a_head_request_has_no_body(ml_url: str) -> None:
    async with aiohttp.ClientSession() as client, client.head(ml_url) as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_an_endpoint_that_is_not_emulated_says_so() -> None:
    async with Emulator(Cluster(version="3.9.0")).serve() as url, Session(url) as ml:
        with pytest.raises(ApiError, match="does not answer it") as caught:
            await ml.request("POST", "/_plugins/_ml/memory_containers/_retention/_dry_run")
    assert (caught.value.status, caught.value.type) == (501, "not_emulated")


async def test_a_question_that_nobody_thought_of_is_an_answer(ml: Session) -> None:
    await ml.model_groups.register("g")
    with pytest.raises(ApiError, match="cannot answer this") as caught:
        await ml.model_groups.search({"query": {"range": {"name": {"gte": 1}}}})
    assert caught.value.status == 500


async def test_the_fixtures_serve_a_users_test(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["aiomlcommons.emulator.pytest_plugin"]\n')
    (tmp_path / "test_mine.py").write_text(
        "import pytest\n"
        "from aiomlcommons import Session, ServerError\n"
        "from aiomlcommons.api.server import GetInfo\n"
        "@pytest.mark.asyncio\n"
        "async def test_mine(ml_url, ml_emulator):\n"
        "    ml_emulator.faults.fail(on=GetInfo)\n"
        "    async with Session(ml_url) as ml:\n"
        "        with pytest.raises(ServerError):\n"
        "            await ml.info()\n"
        "        await ml.info()\n"
    )
    root = Path(emulator.__file__).parents[2]
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: ASYNC221, S603
    assert "1 passed" in run.stdout, run.stdout + run.stderr
