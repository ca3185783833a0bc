"""``ping``: whether the cluster responds, for readiness probes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from aiomlcommons import BearerAuth, NoCredentials, Session, SessionClosed, Timeout, Unauthorized
from aiomlcommons.net import health, nodes
from tests.support.bad_server import closes_at_once, misbehave, never_answers
from tests.support.recording_server import Answer, reply, serve

pytestmark = pytest.mark.asyncio

FINE = reply()
BRIEF = Timeout(read=0.02)
WRONG = reply("Unauthorized", status=401)


@pytest.mark.parametrize(
    ("answer", "responds"),
    [
        (FINE, True),
        (reply({"status": 404}, status=404), True),  # Amazon OpenSearch Serverless
        (reply({"error": "no permissions for [cluster:monitor/main]"}, status=403), True),
        (reply({"error": "too many requests"}, status=429), True),
        (reply({"error": "boom"}, status=500), True),
        (reply({"error": "starting"}, status=503), False),
        (reply({"error": "bad gateway"}, status=502), False),
        (reply({}, status=302, location="http://elsewhere/"), False),
    ],
)
async def test_any_response_of_a_node_that_can_work_counts(answer: Answer, responds: bool) -> None:
    async with serve(answer) as server, Session(server.url) as ml:
        assert await ml.ping() is responds
        assert len(server.heard) == 1, "it is not repeated"


async def test_one_node_is_enough_and_all_states_are_up_to_date() -> None:
    async with AsyncExitStack() as stack:
        fine = await stack.enter_async_context(serve())
        broken = await stack.enter_async_context(serve(reply({}, status=503)))
        bad = [await stack.enter_async_context(misbehave(deed)) for deed in (closes_at_once, never_answers)]
        urls = [broken.url, bad[0].url, bad[1].url, fine.url]
        ml = await stack.enter_async_context(Session(urls, timeout=BRIEF))
        assert await ml.ping()
        assert [node.is_live for node in ml.nodes] == [False, False, False, True]
        broken.answers = [FINE]
        assert await ml.ping()
        assert [node.is_live for node in ml.nodes] == [True, False, False, True]


async def test_a_hanging_node_has_less_time_once_another_one_responds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "GRACE", 0.02)
    monkeypatch.setattr(nodes, "SILENT", 0.0)
    async with misbehave(never_answers) as bad, serve() as fine, Session([bad.url, fine.url]) as ml:
        with anyio.fail_after(health.PATIENCE - 1):
            assert await ml.ping()
        assert [node.is_live for node in ml.nodes] == [False, True]


async def test_without_any_response_it_is_false() -> None:
    async with misbehave(never_answers) as bad, Session(bad.url, timeout=BRIEF) as ml:
        assert await ml.ping() is False


@pytest.mark.parametrize("others", [[], [WRONG]])
async def test_wrong_credentials_are_an_error(others: list[Answer]) -> None:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serve(answer)) for answer in (WRONG, *others)]
        ml = await stack.enter_async_context(Session([server.url for server in servers], auth=("admin", "x")))
        with pytest.raises(Unauthorized, match="check the user name and password"):
            await ml.ping()


async def test_a_node_that_accepts_the_credentials_is_enough() -> None:
    async with serve(WRONG) as wrong, serve() as fine, Session([wrong.url, fine.url]) as ml:
        assert await ml.ping()


@pytest.mark.parametrize("kind", [LookupError, NoCredentials])
async def test_what_an_auth_raises_is_raised(kind: type[Exception]) -> None:
    class Vault:
        async def headers(self, request: Any) -> Any:
            raise kind("the vault is sealed")

    async with serve() as server, Session([server.url, f"{server.url}/b"], auth=Vault()) as ml:
        with pytest.raises(kind, match="sealed"):
            await ml.ping()


async def test_an_auth_that_hangs_is_an_error_in_time() -> None:
    async def token() -> str:
        await anyio.sleep_forever()
        return "never"

    async with serve() as server, Session(server.url, auth=BearerAuth(token), timeout=0.02, retries=0) as ml:
        for call in (ml.ping(), ml.info()):
            with pytest.raises(NoCredentials, match=r"auth gave no credentials within 0\.02 s, so nothing was sent"):
                await call
        assert not server.heard


async def test_a_session_that_is_not_open_cannot_ping() -> None:
    with pytest.raises(SessionClosed):
        await Session("http://a:1").ping()
