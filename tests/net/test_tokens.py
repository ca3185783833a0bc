"""A token of a function: fetched by one call at a time, kept until it expires or is refused."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import orjson
import pytest

from aiomlcommons import BearerAuth, HttpRequest, HttpResponse, Secret
from aiomlcommons.net import tokens

pytestmark = pytest.mark.asyncio

REQUEST = HttpRequest("GET", "/")
USERS = 50


class Issuer:
    """A token function: it waits for ``go`` and returns ``token-1``, ``token-2``, ... or raises what ``errors`` has."""

    def __init__(self) -> None:
        self.calls = 0
        self.cancelled = 0
        self.go = asyncio.Event()
        self.called = asyncio.Event()
        self.errors: list[Exception] = []

    async def __call__(self) -> str:
        self.calls += 1
        number = self.calls
        self.called.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.errors:
            raise self.errors.pop()
        return f"token-{number}"


def jwt(claims: Any) -> str:
    encoded = base64.urlsafe_b64encode(orjson.dumps(claims)).decode().rstrip("=")
    return f"head.{encoded}.signature"


async def sent(auth: BearerAuth) -> str:
    return (await auth.headers(REQUEST))["authorization"]


async def refused(auth: BearerAuth, token: str, status: int = 401) -> bool:
    request = REQUEST.with_headers({"authorization": f"Bearer {token}"})
    return await auth.rejected(request, HttpResponse(status, b""))


async def test_calls_at_once_share_one_call_of_the_function() -> None:
    issue = Issuer()
    auth = BearerAuth(issue)
    waiting = [asyncio.create_task(sent(auth)) for _ in range(USERS)]
    await issue.called.wait()
    issue.go.set()
    assert set(await asyncio.gather(*waiting)) == {"Bearer token-1"}
    assert await sent(auth) == "Bearer token-1"
    assert issue.calls == 1


async def test_a_cancelled_call_leaves_the_token_to_the_others() -> None:
    issue = Issuer()
    auth = BearerAuth(issue)
    first, second = (asyncio.create_task(sent(auth)) for _ in range(2))
    await issue.called.wait()
    first.cancel()
    await asyncio.wait([first])
    issue.go.set()
    assert await second == "Bearer token-1"
    assert (first.cancelled(), issue.calls, issue.cancelled) == (True, 1, 0)


async def test_the_function_is_cancelled_with_the_last_that_waits() -> None:
    issue = Issuer()
    auth = BearerAuth(issue)
    waiting = [asyncio.create_task(sent(auth)) for _ in range(2)]
    await issue.called.wait()
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await asyncio.sleep(0)
    assert issue.cancelled == 1
    issue.go.set()
    assert await sent(auth) == "Bearer token-2"


async def test_an_error_goes_to_all_that_waited_and_the_next_call_asks_again() -> None:
    issue = Issuer()
    issue.errors = [OSError("no issuer")]
    auth = BearerAuth(issue)
    waiting = [asyncio.create_task(sent(auth)) for _ in range(3)]
    await issue.called.wait()
    issue.go.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(error) for error in found] == ["no issuer"] * 3
    assert await sent(auth) == "Bearer token-2"
    assert issue.calls == 2


async def test_calls_refused_at_once_cause_one_refresh() -> None:
    issue = Issuer()
    issue.go.set()
    auth = BearerAuth(issue)
    await sent(auth)
    assert await asyncio.gather(*(refused(auth, "token-1") for _ in range(USERS))) == [True] * USERS
    assert await refused(auth, "token-1")  # which was on its way while the others were refused
    assert (issue.calls, await sent(auth)) == (2, "Bearer token-2")


async def test_the_same_token_again_is_no_other_one() -> None:
    calls: list[str] = []

    def same() -> str:
        calls.append("same")
        return "same"

    auth = BearerAuth(same)
    await sent(auth)
    assert not await refused(auth, "same")
    assert len(calls) == 2


async def test_only_401_is_about_the_token() -> None:
    issue = Issuer()
    issue.go.set()
    auth = BearerAuth(issue)
    await sent(auth)
    assert not await refused(auth, "token-1", status=403)
    assert issue.calls == 1


async def test_a_fixed_token_has_no_other() -> None:
    assert not await refused(BearerAuth("fixed"), "fixed")


async def test_a_jwt_is_fetched_anew_half_a_minute_before_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    issued: list[str] = []

    def issue() -> str:
        issued.append(jwt({"exp": 1000 + 500 * len(issued)}))
        return issued[-1]

    auth, now = BearerAuth(issue), 0.0
    monkeypatch.setattr(time, "time", lambda: now)
    for now, count in [(0.0, 1), (969.9, 1), (970.0, 2), (1469.9, 2), (1500.0, 3)]:
        assert await sent(auth) == f"Bearer {issued[-1]}"
        assert len(issued) == count, now


@pytest.mark.parametrize(
    "token", ["opaque", "a.b.c", jwt({}), jwt({"exp": "soon"}), jwt({"exp": None}), jwt([]), jwt("exp"), "..", "a.ä.c"]
)
async def test_what_does_not_say_when_it_expires_is_kept(token: str) -> None:
    assert tokens._end_of(token) == float("inf")


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (b"bytes", "the token that the function returns must be a text or a Secret .*, not bytes"),
        (None, "the token that the function returns must be .*, not None"),
        ("", "the token that the function returns must be a text"),
        ("t0ken\n", "the token that the function returns must be .* visible ASCII characters"),
    ],
)
async def test_a_wrong_result_is_an_error_that_does_not_show_it(result: Any, error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error) as caught:
        await sent(BearerAuth(lambda: result))
    assert "t0ken" not in str(caught.value)


async def later(token: str | Secret) -> str | Secret:
    await asyncio.sleep(0)
    return token


@pytest.mark.parametrize(
    "function", [lambda: "now", lambda: Secret("now"), lambda: later("now"), lambda: later(Secret("now"))]
)
async def test_a_function_may_be_sync_or_async(function: Callable[[], str | Secret | Awaitable[str | Secret]]) -> None:
    assert await sent(BearerAuth(function)) == "Bearer now"


async def test_threads_with_loops_of_their_own_may_share_the_credentials() -> None:
    issue = Issuer()
    auth = BearerAuth(issue)
    here = asyncio.create_task(sent(auth))
    await issue.called.wait()

    auth._tokens._source = lambda: "elsewhere"
    assert await anyio.to_thread.run_sync(asyncio.run, sent(auth)) == "Bearer elsewhere"
    issue.go.set()
    assert await here == "Bearer token-1"
