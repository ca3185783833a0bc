"""What the doctor says when there is no connection, and that the command which it names makes one."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
import pytest
from aiohttp import web

from aiomlcommons import Session, cli
from aiomlcommons.diagnosis import Finding
from aiomlcommons.emulator import Emulator
from tests.support.authority import Authority
from tests.support.bad_server import misbehave
from tests.support.silent_tls import with_alert


async def finding(url: str, **options: object) -> Finding:
    """Return the only finding of a diagnosis that ends with the connection."""
    async with Session(url, **options) as ml:  # type: ignore[arg-type]
        report = await ml.diagnose()
    assert [checked.name for checked in report.checks] == ["connection"]
    (found,) = report.findings
    return found


async def run(command: str, **words: str) -> int:
    """Run the command of a finding, with what only the user knows in place of words."""
    program, *typed = shlex.split(command)
    assert program == "aiomlcommons"
    return await anyio.to_thread.run_sync(cli.main, [words.get(word, word) for word in typed])


@asynccontextmanager
async def well(**options: object) -> AsyncGenerator[str]:
    """Serve an emulator that has nothing but a connection to be mended."""
    emulated = Emulator()
    key = "plugins.ml_commons.only_run_on_ml_node"
    emulated.cluster.settings.put({key: "false"}, {})
    async with emulated.serve(**options) as url:  # type: ignore[arg-type]
        yield url


@pytest.mark.asyncio
async def test_an_unknown_authority_is_named_by_ca_certs(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with well(ssl_context=authority.server()) as url:
        found = await finding(url)
        assert found.what == "the authority of the cluster's certificate is not trusted"
        assert found.command == f"aiomlcommons doctor --url {url} --ca-certs ca.pem"
        assert await run(found.command, **{"ca.pem": str(authority.ca_certs)}) == 0


@pytest.mark.asyncio
async def test_a_certificate_of_another_host_is_said_to_be_that(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with well(ssl_context=authority.server("node.example.org")) as url:
        found = await finding(url, ca_certs=str(authority.ca_certs))
    assert found.what == "the certificate of the cluster is for another host"


@pytest.mark.asyncio
async def test_a_certificate_that_has_expired_is_said_to_have(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    issued = authority.ca.issue_cert("127.0.0.1", not_before=past, not_after=past + dt.timedelta(days=1))
    async with well(ssl_context=authority.context(issued)) as url:
        found = await finding(url, ca_certs=str(authority.ca_certs))
    assert found.what == "the certificate of the cluster is out of date"


@pytest.mark.asyncio
async def test_a_client_certificate_that_the_cluster_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    ours, foreign = Authority(tmp_path), Authority(tmp_path / "foreign")
    async with misbehave(with_alert(ours.server(client=True))) as bad:
        url = bad.url.replace("http:", "https:")
        found = await finding(url, ca_certs=ours.ca_certs, client_cert=foreign.client(), retries=0)
    assert found.what == "the cluster refuses the client certificate"
    assert found.command == "openssl x509 -in client.pem -noout -issuer -dates"


@pytest.mark.asyncio
async def test_plain_text_to_a_port_that_speaks_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with well(ssl_context=authority.server()) as url:
        found = await finding(url.replace("https", "http"))
        assert found.what == "the port most likely speaks TLS, and the URL says plain text"
        assert found.command == f"aiomlcommons doctor --url {url}"


@pytest.mark.asyncio
async def test_tls_to_a_port_that_speaks_plain_text() -> None:
    async with well() as url:
        found = await finding(url.replace("http", "https"))
        assert found.what == "the port speaks plain text, and the URL says TLS"
        assert await run(found.command) == 0


@pytest.mark.asyncio
async def test_credentials_that_are_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with well(username="ann", password="right") as url:
        for auth in (None, ("ann", "wrong-password")):
            found = await finding(url, auth=auth)
            assert found.what == "the cluster does not accept the credentials"
            assert "wrong-password" not in str(found)
        monkeypatch.setenv("OPENSEARCH_PASSWORD", "right")
        assert await run(found.command, NAME="ann") == 0


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://127.0.0.1:1", "nothing accepts a connection at this URL"),
        ("http://nobody.invalid:9200", "the host of the URL is not known"),
    ],
)
async def test_nobody_there(url: str, what: str) -> None:
    assert (await finding(url)).what == what


@asynccontextmanager
async def answering(handler: Callable[[web.BaseRequest], object]) -> AsyncGenerator[str]:
    runner = web.ServerRunner(web.Server(handler))  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def a_web_site(_: web.BaseRequest) -> web.Response:
    return web.Response(text="<html>welcome</html>", content_type="text/html")


async def elsewhere(_: web.BaseRequest) -> web.Response:
    return web.Response(status=302, headers={"location": "https://login.example.org/"})


async def broken(_: web.BaseRequest) -> web.Response:
    return web.Response(status=500, text="oops")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("handler", "what"),
    [
        (a_web_site, "another program than OpenSearch responds at this URL"),
        (elsewhere, "another program than OpenSearch responds at this URL"),
        (broken, "the cluster responds with an error"),
    ],
)
async def test_something_else_there(handler: Callable[[web.BaseRequest], object], what: str) -> None:
    async with answering(handler) as url:
        assert (await finding(url)).what == what


@pytest.mark.asyncio
async def test_a_server_that_is_silent_is_said_to_be() -> None:
    emulated = Emulator()
    emulated.faults.slow(60, on=lambda _: True)
    async with emulated.serve() as url:
        assert (await finding(url, timeout=0.1)).what == "the cluster does not respond in time"
