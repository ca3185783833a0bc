"""Who is asking: what a session adds to each request so that the server knows."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

import attrs

from aiomlcommons.http import HttpRequest
from aiomlcommons.net.secret import Secret, as_secret, reveal


class Auth(Protocol):
    """Anything that gives the headers which prove who sends a request. It is asked for every attempt."""

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:
        """Headers to add to this request."""
        ...


@attrs.frozen
class BasicAuth:
    """User name and password.

    https://docs.opensearch.org/latest/security/authentication-backends/basic-authc/
    """

    username: str
    password: Secret = attrs.field(converter=as_secret)

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:  # noqa: ARG002
        """The ``authorization`` header."""
        pair = f"{self.username}:{self.password.reveal()}".encode()
        return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}


TokenSource: TypeAlias = "str | Secret | Callable[[], str | Awaitable[str]]"


@attrs.frozen
class BearerAuth:
    """A token (JWT, OIDC), or a function that gives one: it is called for every attempt, so a token may be renewed.

    https://docs.opensearch.org/latest/security/authentication-backends/jwt/
    """

    token: TokenSource = attrs.field(repr=lambda _: "'***'")

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:  # noqa: ARG002
        """The ``authorization`` header."""
        token = self.token
        if callable(token):
            given = token()
            token = await given if inspect.isawaitable(given) else given
        return {"authorization": f"Bearer {reveal(token)}"}


def as_auth(auth: Auth | tuple[str, str] | None) -> Auth | None:
    """A pair is a user name and a password.

    Raises TypeError for anything else that cannot give headers.
    """
    if isinstance(auth, tuple) and len(auth) == 2:
        return BasicAuth(*auth)
    if auth is None or hasattr(auth, "headers"):
        return auth
    raise TypeError(f"auth is a pair (user name, password), BasicAuth or BearerAuth, not {type(auth).__name__}")
