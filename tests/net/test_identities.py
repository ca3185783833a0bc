"""Credentials go to the cluster with the calls that they were given for, and nowhere else."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from aiomlcommons import BearerAuth, Redirected, Session
from aiomlcommons.api.server import GetInfo
from tests.net.hundred_users import run
from tests.support.recording_server import reply, serve
from tests.support.users_server import Users, nodes_of

pytestmark = pytest.mark.asyncio

HEADERS = {"x-api-key": "h0sh-key", "cookie": "session=h0sh"}


async def test_each_request_of_many_users_carries_the_credential_of_its_own() -> None:
    result = await run(20, users=30)
    seen, calls = result.users.seen, result.calls
    assert (seen["another"], seen["nobody"], calls["wrong"], calls["failed"]) == (0, 0, 0, 0)
    assert sum(calls.values()) == 31 * 20
    # And it was not quiet: there were refusals, lost connections, expired tokens, cancellations, and three nodes.
    assert min(seen["busy"], seen["dropped"], seen["401"], calls["cancelled"]) > 0
    assert len(result.users.by_node) == 3


async def test_requests_without_a_credential_of_their_own_would_be_noticed() -> None:
    users = Users()
    users.register("bob", "Bearer of-bob")
    async with nodes_of(users, 1) as urls, Session(urls, auth=BearerAuth("of-bob"), retries=0) as ml:
        await ml.request("GET", "/_user/alice/1")
        await ml.request("GET", "/_user/bob/1")
    assert (users.seen["own"], users.seen["another"]) == (1, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("auth", [("admin", "h0sh"), BearerAuth("h0sh")])
async def test_a_redirect_takes_no_credentials_to_another_host(status: int, auth: Any) -> None:
    async with serve() as elsewhere:
        redirecting = reply(status=status, location=f"{elsewhere.url}/_plugins/_ml/models/m")
        async with serve(redirecting) as server, Session(server.url, auth=auth, headers=HEADERS) as ml:
            calls: list[Any] = [ml.info(), ml.raw(GetInfo()), ml.request("POST", "/_bulk", body=b"{}")]
            for call in [*calls, ml.models.get("m")]:
                with pytest.raises(Redirected, match="the server redirects to http://"):
                    await call
            with pytest.raises(Redirected):
                async with ml.pieces(GetInfo()):
                    pass
        assert len(server.heard) == 5
        assert elsewhere.heard == []


async def test_a_redirect_from_https_to_http_is_not_followed(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with serve() as plain:
        redirecting = reply(status=308, location=plain.url)
        async with serve(redirecting, tls=context) as server:
            authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
            async with Session(server.url, auth=("admin", "h0sh"), ca_certs=tmp_path / "ca.pem") as ml:
                with pytest.raises(Redirected, match="open the session with the URL of the cluster itself"):
                    await ml.info()
        assert (len(server.heard), plain.heard) == (1, [])


async def test_cookies_are_not_stored() -> None:
    async with serve(reply(set_cookie="session=h0sh; Path=/")) as server, Session(server.url) as ml:
        for _ in range(2):
            await ml.info()
    assert [heard.headers.get("cookie") for heard in server.heard] == [None, None]
