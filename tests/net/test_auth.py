"""Credentials become headers, and are masked everywhere else."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from aiomlcommons import BasicAuth, BearerAuth, HttpRequest, Secret
from aiomlcommons.net.auth import as_auth

HUSH = "h0sh-h0sh"
REQUEST = HttpRequest("GET", "/")


def basic(pair: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        (BasicAuth("admin", Secret(HUSH)), basic(f"admin:{HUSH}")),
        (BasicAuth("admin", HUSH), basic(f"admin:{HUSH}")),
        (BasicAuth("jürgen", "päß: wörd"), basic("jürgen:päß: wörd")),
        (BasicAuth("", ""), basic(":")),
        (BearerAuth(HUSH), {"authorization": f"Bearer {HUSH}"}),
        (BearerAuth(Secret(HUSH)), {"authorization": f"Bearer {HUSH}"}),
        (BearerAuth(lambda: HUSH), {"authorization": f"Bearer {HUSH}"}),
    ],
    ids=repr,
)
@pytest.mark.asyncio
async def test_credentials_become_the_authorization_header(auth: Any, headers: dict[str, str]) -> None:
    assert await auth.headers(REQUEST) == headers


@pytest.mark.asyncio
async def test_a_token_may_be_awaited_and_is_asked_for_each_time() -> None:
    tokens = iter(["one", "two"])

    async def renewed() -> str:
        return next(tokens)

    auth = BearerAuth(renewed)
    assert await auth.headers(REQUEST) == {"authorization": "Bearer one"}
    assert await auth.headers(REQUEST) == {"authorization": "Bearer two"}


@pytest.mark.parametrize(
    "auth", [BasicAuth("admin", HUSH), BearerAuth(HUSH), BearerAuth(Secret(HUSH)), BearerAuth(lambda: HUSH)]
)
def test_no_repr_shows_a_credential(auth: Any) -> None:
    for shown in (repr(auth), str(auth), f"{auth}", repr([auth])):
        assert HUSH not in shown
        assert base64.b64encode(HUSH.encode()).decode() not in shown


def test_a_repr_still_says_who() -> None:
    assert repr(BasicAuth("admin", HUSH)) == "BasicAuth(username='admin', password=Secret('***'))"


def test_a_pair_is_a_name_and_a_password() -> None:
    assert as_auth(("admin", HUSH)) == BasicAuth("admin", Secret(HUSH))


def test_what_gives_headers_is_taken_as_it_is() -> None:
    bearer = BearerAuth(HUSH)
    assert as_auth(bearer) is bearer
    assert as_auth(None) is None


@pytest.mark.parametrize("wrong", ["admin:pw", ("a", "b", "c"), ["admin", "pw"], 5, {"user": "admin"}])
def test_what_gives_no_headers_is_refused_without_being_shown(wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"not {type(wrong).__name__}( of 3)?$"):
        as_auth(wrong)
