"""The HTTP messages that transport adapters exchange: an immutable request and response. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote

import attrs

from aiomlcommons.decoding.bounded import LARGEST_RESPONSE, decode_cbor, decode_json
from aiomlcommons.masking import (
    HARMLESS_HEADERS,
    MASK,
    Veil,
    is_secret,
    shown,
    without_credentials,
    without_parameters,
)

JSON = "application/json"
CBOR = "application/cbor"


def _size(body: bytes | None) -> str:
    return "None" if body is None else f"<{len(body)} bytes>"


def _names(headers: Mapping[str, str]) -> str:
    return f"<{', '.join(headers)}>"


# Of another one not even the first word is shown: it may be the credential itself.
_SCHEMES = frozenset({"basic", "bearer", "aws4-hmac-sha256"})
NO_CREDENTIALS = "none"


def _scheme(authorization: str) -> str:
    found = authorization.partition(" ")[0].lower()
    return found if found in _SCHEMES else ""


@attrs.frozen(slots=False)
class HttpRequest:
    """A serialized request: ``path`` is percent-encoded and relative to ``base``, the URL of the node that gets it.

    ``repr`` masks the body, the header values and parameters that are named like credentials, and ``str`` the latter.
    ``veil`` takes the credentials out of what a server says about the request, and ``hidden``, those of a proxy.
    ``scheme`` is that of the credentials that ``bare`` took out, if it is a known one. ``most`` is the limit of its
    response: ``Session(max_response_bytes=...)``.
    """

    method: str
    path: str = attrs.field(repr=shown)
    query: Mapping[str, str] = attrs.field(factory=dict, repr=shown)
    body: bytes | None = attrs.field(default=None, repr=_size)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=_names)
    base: str = ""
    veil: Veil | None = attrs.field(default=None, repr=False, eq=False)
    hidden: tuple[str, ...] = attrs.field(default=(), repr=False, eq=False)
    most: int = attrs.field(default=LARGEST_RESPONSE, repr=False, eq=False)
    scheme: str = attrs.field(default="", repr=False, eq=False)

    @property
    def url(self) -> str:
        """The URL that is sent, byte for byte, as signatures need it.

        Its query is strictly percent-encoded (RFC 3986): all but letters, digits and ``-._~`` is quoted.
        """
        if not self.query and "?" not in self.path:
            return self.base + self.path
        path, _, own = self.path.partition("?")
        pairs = [*parse_qsl(own, keep_blank_values=True), *self.query.items()]
        query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
        return f"{self.base}{path}?{query}" if query else f"{self.base}{path}"

    @property
    def opaque_id(self) -> str | None:
        """The ``x-opaque-id``, by which the server's logs name the request; None before it is sent."""
        return self.headers.get("x-opaque-id")

    @cached_property
    def bare(self) -> HttpRequest:
        """The request without credentials, for errors and responses: these are printed, logged and pickled.

        It has only harmless headers, and no value of a parameter that is named like a credential.
        """
        if self.veil is not None:
            return self
        headers: dict[str, str] = {}
        scheme, taken = NO_CREDENTIALS, [*self.hidden]
        for name, value in self.headers.items():
            if name in HARMLESS_HEADERS or name.lower() in HARMLESS_HEADERS:
                headers[name] = value
                continue
            taken.append(value)
            if scheme is NO_CREDENTIALS and name.lower() == "authorization":
                scheme = _scheme(value)
        query = self.query
        if query:
            query = {name: MASK if is_secret(name) else value for name, value in self.query.items()}
            taken += [value for name, value in self.query.items() if is_secret(name)]
        if "?" in self.path:
            taken += [value for name, value in parse_qsl(self.path.partition("?")[2]) if is_secret(name)]
        path, veil = without_parameters(self.path), Veil(tuple(taken), self.body)
        return HttpRequest(self.method, path, query, self.body, headers, self.base, veil, (), self.most, scheme)

    def hidden_in(self, text: str) -> str:
        """Return a server's text without the credentials of the request."""
        return (self.bare.veil or Veil()).over(text)

    def at(self, base: str) -> HttpRequest:
        """Return a copy for the node at a URL without a slash at its end."""
        if base == self.base:
            return self
        # Not by evolve, here and above, which takes several times as long: each call makes some copies.
        return HttpRequest(
            self.method, self.path, self.query, self.body, self.headers, base, self.veil, self.hidden, self.most
        )

    def with_headers(self, *more: Mapping[str, str]) -> HttpRequest:
        """Return a copy with further headers, names in lower case; later ones override earlier ones."""
        merged = {name.lower(): value for headers in (self.headers, *more) for name, value in headers.items()}
        return HttpRequest(
            self.method, self.path, self.query, self.body, merged, self.base, self.veil, self.hidden, self.most
        )

    def __str__(self) -> str:
        return f"{self.method} {without_parameters(self.path)}"


def is_success(status: int) -> bool:
    """Return whether a status is a success: below 300, because redirects are not followed."""
    return status < 300


@lru_cache(maxsize=64)
def _media_type(header: str) -> str:
    # Kept, since a server sends the same few with all its responses.
    return header.partition(";")[0].strip().lower()


class _Sent:
    """The request of a response, as it was sent: no ``attrs.asdict``, ``repr``, copy or pickle has its credentials."""

    __slots__ = ("request",)

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def __repr__(self) -> str:
        return repr(self.request.bare)

    def __reduce__(self) -> tuple[type[_Sent], tuple[HttpRequest]]:
        return _Sent, (attrs.evolve(self.request.bare, body=None),)


def _sent(request: HttpRequest | _Sent) -> _Sent:
    return request if type(request) is _Sent else _Sent(request)  # type: ignore[arg-type]


def _bare(sent: _Sent) -> HttpRequest:
    return sent.request.bare


@attrs.frozen(slots=False, repr=False)
class HttpResponse:
    """A response with its undecoded body, its headers (names in lower case), and the request that it belongs to.

    A pickled or copied response has the request without its body.
    """

    status: int
    body: bytes = attrs.field(repr=_size)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=_names)
    _sent: _Sent = attrs.field(default=_Sent(HttpRequest("", "")), alias="request", converter=_sent, eq=_bare)

    @property
    def request(self) -> HttpRequest:
        """The request without credentials. It is made only when it is asked for, which of few responses it is."""
        return self._sent.request.bare

    @property
    def content_type(self) -> str:
        """The media type without parameters, such as ``application/json``; empty if the server sent none."""
        return _media_type(self.headers.get("content-type", ""))

    @cached_property
    def text(self) -> str:
        """The body decoded as UTF-8; invalid bytes are replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def veiled(self) -> HttpResponse:
        """The response without the credentials of its request, which some servers and proxies repeat in errors."""
        request = self.request.bare
        body = (request.veil or Veil()).over_bytes(self.body)
        headers = {
            name: MASK if is_secret(name) else request.hidden_in(without_credentials(value))
            for name, value in self.headers.items()
        }
        made = HttpResponse(self.status, body, headers, request)
        return self if made == self else made

    def __repr__(self) -> str:  # not by attrs, which would write _sent
        shown = f"status={self.status}, body={_size(self.body)}, headers={_names(self.headers)}"
        return f"HttpResponse({shown}, request={self._sent.request})"

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_sent": _Sent(attrs.evolve(self.request, body=None))}

    def json(self) -> Any:
        """Decode the body from JSON, or from CBOR if the content type says so.

        Raises ValueError if it is invalid, or its values would take several times ``max_response_bytes`` of memory.
        """
        most = self._sent.request.most
        return decode_cbor(self.body, most) if self.content_type == CBOR else decode_json(self.body, most)
