"""Credentials become headers, and are masked everywhere else."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from aiomlcommons import BasicAuth, BearerAuth, HttpRequest, Secret
from aiomlcommons.net.auth import as_auth
from tests.support.copies import copies

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


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BasicAuth("ad:min", HUSH), "BasicAuth.username must be a text without a colon"),
        (lambda: BasicAuth("admin\n", HUSH), "BasicAuth.username must be a text without a colon or control"),
        (
            lambda: BasicAuth("admin", HUSH + "\n"),
            "BasicAuth.password must be .* without control characters, such as the line end",
        ),
        (lambda: BearerAuth(""), "BearerAuth.token must be a text or a Secret of visible"),
        (lambda: BearerAuth(HUSH + "\n"), "BearerAuth.token must be .* visible ASCII characters: no line end"),
        (lambda: BearerAuth(Secret(f"Bearer {HUSH}")), "and no 'Bearer '"),
        (lambda: BearerAuth(HUSH + "é"), "BearerAuth.token must be .* visible ASCII"),
    ],
)
def test_what_no_header_can_hold_is_refused_without_being_shown(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        make()
    assert HUSH not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        (BasicAuth, (b"admin", HUSH), "BasicAuth.username must be a text .*, not bytes"),
        (BasicAuth, ("admin", HUSH.encode()), "BasicAuth.password must be a text or a Secret .*, not bytes"),
        (BasicAuth, ("admin", None), "BasicAuth.password must be a text .*, not None"),
        (BearerAuth, (HUSH.encode(),), "BearerAuth.token must be .* or a function, not bytes"),
        (BearerAuth, (None,), "BearerAuth.token must be .*, not None"),
    ],
)
def test_what_is_no_text_is_refused_by_its_type(kind: Any, given: tuple[Any, ...], words: str) -> None:
    with pytest.raises(TypeError, match=words) as caught:
        kind(*given)
    assert HUSH not in str(caught.value)


def a_token() -> str:
    return HUSH


@pytest.mark.parametrize("auth", [BasicAuth("admin", HUSH), BearerAuth(HUSH), BearerAuth(a_token)])
def test_credentials_can_be_copied_and_pickled(auth: Any) -> None:
    assert copies(auth) == [auth] * 3
