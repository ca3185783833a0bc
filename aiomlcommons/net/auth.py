"""Authentication: the headers that prove to the server who sends a request."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Protocol

import attrs

from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.net.rules import Rule
from aiomlcommons.net.secret import Secret
from aiomlcommons.net.tokens import TOKEN, TokenFunction, Tokens


class Auth(Protocol):
    """The interface of an authentication scheme. It is called for every attempt, so credentials may be renewed.

    A scheme may have ``async def rejected(self, request, response) -> bool``, too: it is called once for a call whose
    credentials the cluster refuses (401 or 403), and returns whether there are other ones now to send it again with.
    """

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:
        """Return the headers to add to a request, which is finished: its ``url`` and ``body`` are sent as they are."""
        ...


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _is_username(name: str) -> bool:
    # RFC 7617: the colon ends the user name.
    return ":" not in name and not _CONTROL.search(name)


# Not shown, because who gives both as one text gives the password here.
_USERNAME = Rule((str,), "a text without a colon or control characters", _is_username, secret=True)
_PASSWORD = Rule(
    (Secret,),
    "a text or a Secret without control characters, such as the line end of a file",
    lambda password: not _CONTROL.search(password.reveal()),
    secret=True,
)
_FUNCTION: Any = Callable  # isinstance takes it, though it is no type
_TOKEN = Rule(
    (*TOKEN.kinds, _FUNCTION),
    f"{TOKEN.accepted}, or a function",
    lambda token: callable(token) or TOKEN.holds(token),
    secret=True,
)


# The rules refuse all others by name.
def _password(text: str | Secret) -> Secret:
    return Secret(text) if isinstance(text, str) else text


def _token(given: str | Secret | TokenFunction) -> Secret | TokenFunction:
    return Secret(given) if isinstance(given, str) else given


@attrs.frozen
class BasicAuth:
    """HTTP basic authentication: user name and password.

    Raises TypeError for what is no text, ValueError for a colon in the user name, which RFC 7617 has no way to write,
    and for control characters, such as the line end of the file that a password was read from.

    https://docs.opensearch.org/latest/security/authentication-backends/basic-authc/
    """

    username: str = attrs.field(validator=_USERNAME)
    password: Secret = attrs.field(converter=_password, validator=_PASSWORD)

    @cached_property
    def _header(self) -> Secret:
        pair = f"{self.username}:{self.password.reveal()}".encode()
        return Secret(f"Basic {base64.b64encode(pair).decode()}")

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:  # noqa: ARG002
        """Return the ``authorization`` header."""
        return {"authorization": self._header.reveal()}


def _tokens_of(auth: BearerAuth) -> Tokens:
    return Tokens(auth.token)


@attrs.frozen
class BearerAuth:
    """Bearer authentication: a token (JWT, OIDC), or a function, sync or async, that returns the current one.

    A function is called when the first token is needed, 30 s before a JWT expires (its ``exp``), and once for a call
    that the cluster answers with 401, which is then sent again with the new token. All calls that need a token at
    that time wait for one call of the function. What it raises goes to them, and the next call asks it again. It runs
    on the event loop: one that blocks belongs in a thread, ``BearerAuth(lambda: asyncio.to_thread(read_token))``.

    These credentials stand for one identity. A service that acts for its users gives each their own:
    ``ml.options(auth=BearerAuth(token_of_user))``.

    Raises TypeError or ValueError for a token that is no text, empty, or not valid in a header.

    https://docs.opensearch.org/latest/security/authentication-backends/jwt/
    """

    token: Secret | TokenFunction = attrs.field(converter=_token, validator=_TOKEN, repr=lambda _: "'***'")
    _tokens: Tokens = attrs.field(init=False, eq=False, repr=False, default=attrs.Factory(_tokens_of, takes_self=True))

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:  # noqa: ARG002
        """Return the ``authorization`` header. Raises what the token function raises."""
        token = await self._tokens.get()
        return {"authorization": f"Bearer {token.reveal()}"}

    async def rejected(self, request: HttpRequest, response: HttpResponse) -> bool:
        """Return whether there is another token than that of a request that was answered with 401."""
        refused = request.headers.get("authorization", "").removeprefix("Bearer ")
        return response.status == 401 and await self._tokens.other_than(refused)


def as_auth(auth: Auth | tuple[str, str] | None) -> Auth | None:
    """Return an Auth as it is, and a pair (user name, password) as a BasicAuth. Raises TypeError for other types."""
    if isinstance(auth, tuple) and len(auth) == 2:
        return BasicAuth(*auth)
    if auth is None or (not isinstance(auth, type) and callable(getattr(auth, "headers", None))):
        return auth
    found = f"the class {auth.__name__} itself" if isinstance(auth, type) else type(auth).__name__
    found += f" of {len(auth)}" if isinstance(auth, tuple) else ""
    raise TypeError(f"auth must be a pair (user name, password), BasicAuth, BearerAuth or AwsAuth, not {found}")
