"""The HTTP messages that transport adapters exchange: an immutable request and response. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, quote

import attrs
import cbor2
import orjson

JSON = "application/json"
CBOR = "application/cbor"
CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "x-amz-security-token"})
"""The headers that hold credentials, in lower case."""


def _size(body: bytes | None) -> str:
    return "None" if body is None else f"<{len(body)} bytes>"


def _names(headers: Mapping[str, str]) -> str:
    return f"<{', '.join(headers)}>"


@attrs.frozen(slots=False)
class HttpRequest:
    """A serialized request: ``path`` is percent-encoded and relative to ``base``, the URL of the node that gets it.

    ``repr`` masks the body and the header values, because both may hold credentials.
    """

    method: str
    path: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes | None = attrs.field(default=None, repr=_size)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=_names)
    base: str = ""

    @cached_property
    def url(self) -> str:
        """The URL that is sent, byte for byte, as signatures need it.

        Its query is strictly percent-encoded (RFC 3986): all but letters, digits and ``-._~`` is quoted.
        """
        path, _, own = self.path.partition("?")
        pairs = [*parse_qsl(own, keep_blank_values=True), *self.query.items()]
        query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
        return f"{self.base}{path}?{query}" if query else f"{self.base}{path}"

    @cached_property
    def bare(self) -> HttpRequest:
        """The request without credentials, for errors: these are printed, logged and pickled."""
        kept = {name: value for name, value in self.headers.items() if name.lower() not in CREDENTIALS}
        return self if len(kept) == len(self.headers) else attrs.evolve(self, headers=kept)

    def at(self, base: str) -> HttpRequest:
        """Return a copy for the node at a URL without a slash at its end."""
        return attrs.evolve(self, base=base)

    def with_headers(self, *more: Mapping[str, str]) -> HttpRequest:
        """Return a copy with further headers, names in lower case; later ones override earlier ones."""
        merged = {name.lower(): value for headers in (self.headers, *more) for name, value in headers.items()}
        return attrs.evolve(self, headers=merged)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def is_success(status: int) -> bool:
    """Return whether a status is a success: below 300, because redirects are not followed."""
    return status < 300


@attrs.frozen(slots=False)
class HttpResponse:
    """A response with its undecoded body, its headers (names in lower case), and the request that it belongs to."""

    status: int
    body: bytes = attrs.field(repr=_size)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    request: HttpRequest = attrs.field(default=HttpRequest("", ""), repr=str)

    @property
    def content_type(self) -> str:
        """The media type without parameters, such as ``application/json``; empty if the server sent none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def text(self) -> str:
        """The body decoded as UTF-8; invalid bytes are replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Decode the body from JSON, or from CBOR if the content type says so. Raises ValueError if it is invalid."""
        if self.content_type == CBOR:
            try:
                return cbor2.loads(self.body)
            except (cbor2.CBORDecodeError, EOFError) as error:
                raise ValueError(f"not CBOR: {error}") from error
        return orjson.loads(self.body)
