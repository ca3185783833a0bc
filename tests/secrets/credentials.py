"""The ways in which a session or a call gets credentials, each with a canary of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any
from urllib.parse import quote

import attrs

from aiomlcommons import AwsAuth, BasicAuth, BearerAuth, Secret
from tests.secrets.canaries import Canaries

HEADERS = ("authorization", "x-api-key", "cookie", "proxy-authorization", "x-amz-security-token", "x-of-my-own")
PARAMETERS = ("token", "api_key", "X-Amz-Signature", "password")


@attrs.frozen(kw_only=True)
class Way:
    """A way of giving credentials: to the session, to ``options(...)``, or to ``request(...)``."""

    name: str
    session: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    user: str = attrs.field(default="", repr=False)
    view: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    call: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    path: str = attrs.field(default="/_some/route", repr=False)

    def url(self, url: str) -> str:
        """Return the URL of the session."""
        return url.replace("://", f"://{self.user}@") if self.user else url


def ways(canaries: Canaries) -> Iterator[Way]:
    """Yield every way."""
    plant = canaries.plant
    yield Way(name="URL", user=f"admin:{plant('user and password in the URL')}")
    quoted = quote(f"p@ss/:% {plant('percent-encoded password in the URL')}", safe="")
    yield Way(name="URL, percent-encoded", user=f"%61dmin:{quoted}")
    for name, auth in _auths(canaries):
        yield Way(name=f"Session(auth={name})", session={"auth": auth(f"Session(auth={name})")})
        yield Way(name=f"options(auth={name})", view={"auth": auth(f"options(auth={name})")})
    for header in HEADERS:
        for where in ("session", "view", "call"):
            secret = plant(f"headers= of the {where}: {header}")
            yield Way(name=f"{where} {header}", **{where: {"headers": {header: _value(header, secret)}}})  # type: ignore[arg-type]
    for key in PARAMETERS:
        yield Way(name=f"query {key}", call={"query": {key: plant(f"query= of request(): {key}")}})
        yield Way(name=f"path ?{key}", path=f"/_some/route?pretty=true&{key}={plant(f'query in the path: {key}')}")
    secret = plant("body of request(): password")
    yield Way(name="body", call={"body": {"user": "a", "password": secret, "nested": [{"api_key": secret}]}})
    # Nobody is there.
    proxy = f"http://me:{plant('proxy= with user and password')}@127.0.0.1:1"
    yield Way(name="proxy", session={"proxy": proxy})


def _auths(canaries: Canaries) -> Iterator[tuple[str, Callable[[str], Any]]]:
    plant = canaries.plant
    yield "pair", lambda place: ("admin", plant(place))
    yield "BasicAuth", lambda place: BasicAuth("admin", plant(place))
    yield "BasicAuth of a Secret", lambda place: BasicAuth("größe", Secret(f"ö {plant(place)}"))
    yield "BearerAuth", lambda place: BearerAuth(plant(place))
    yield "BearerAuth of a Secret", lambda place: BearerAuth(Secret(plant(place)))
    yield "BearerAuth of a function", lambda place: BearerAuth(lambda: plant(place))
    yield "AwsAuth", lambda place: _signing(place, plant)
    yield "BearerAuth of a coroutine", lambda place: BearerAuth(_later(plant(place)))


def _signing(place: str, plant: Callable[[str], str]) -> AwsAuth:
    session = import_module("botocore.session").Session()
    session.set_credentials(*(plant(f"{place}: {name}") for name in ("access key", "secret key", "session token")))
    return AwsAuth("eu-west-1", session=session)


def _later(token: str) -> Callable[[], Any]:
    async def fetch() -> str:
        return token

    return fetch


def _value(header: str, secret: str) -> str:
    words = {"authorization": "Bearer ", "proxy-authorization": "Basic ", "cookie": "session="}
    return words.get(header, "") + secret
