"""Authentication: the headers that prove to the server who sends a request."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias

import attrs

from aiomlcommons.http import HttpRequest
from aiomlcommons.net.rules import HEADER, Rule
from aiomlcommons.net.secret import Secret, reveal


class Auth(Protocol):
    """The interface of an authentication scheme. It is called for every attempt, so credentials may be renewed.

    A scheme may have ``async def rejected(self, request, response) -> bool``, too: it is called once for a call whose
    credentials the cluster refuses (401 or 403), and returns whether there are other ones now to send it again with.
    """

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:
        """Return the headers to add to a request, which is finished: its ``url`` and ``body`` are sent as they are."""
        ...


# RFC 7617: the colon ends the user name.
_USERNAME = Rule((str,), "a text without a colon", lambda name: ":" not in name)
_PASSWORD = Rule((Secret,), "a text or a Secret", secret=True)


def _is_token(token: Any) -> Any:
    return callable(token) or HEADER.holds(reveal(token))


_FUNCTION: Any = Callable  # isinstance takes it, though it is no type
_TOKEN = Rule(
    (str, Secret, _FUNCTION), "a printable text without line breaks, not empty, or a function", _is_token, secret=True
)


def _secret(password: str | Secret) -> Secret:
    return Secret(password) if isinstance(password, str) else password  # the rule refuses all others by name


@attrs.frozen
class BasicAuth:
    """HTTP basic authentication: user name and password.

    https://docs.opensearch.org/latest/security/authentication-backends/basic-authc/
    """

    username: str = attrs.field(validator=_USERNAME)
    password: Secret = attrs.field(converter=_secret, validator=_PASSWORD)

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:  # noqa: ARG002
        """Return the ``authorization`` header."""
        pair = f"{self.username}:{self.password.reveal()}".encode()
        return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}


TokenSource: TypeAlias = "str | Secret | Callable[[], str | Awaitable[str]]"


@attrs.frozen
class BearerAuth:
    """Bearer authentication: a token (JWT, OIDC), or a function, sync or async, that is called for each attempt.

    https://docs.opensearch.org/latest/security/authentication-backends/jwt/
    """

    token: TokenSource = attrs.field(repr=lambda _: "'***'", validator=_TOKEN)

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:  # noqa: ARG002
        """Return the ``authorization`` header."""
        token = self.token
        if callable(token):
            result = token()
            token = await result if inspect.isawaitable(result) else result
        return {"authorization": f"Bearer {reveal(token)}"}


def as_auth(auth: Auth | tuple[str, str] | None) -> Auth | None:
    """Return an Auth as it is, and a pair (user name, password) as a BasicAuth. Raises TypeError for other types."""
    if isinstance(auth, tuple) and len(auth) == 2:
        return BasicAuth(*auth)
    if auth is None or (not isinstance(auth, type) and callable(getattr(auth, "headers", None))):
        return auth
    found = f"the class {auth.__name__} itself" if isinstance(auth, type) else type(auth).__name__
    found += f" of {len(auth)}" if isinstance(auth, tuple) else ""
    raise TypeError(f"auth must be a pair (user name, password), BasicAuth, BearerAuth or AwsAuth, not {found}")
