"""What crosses the seam to the network: two plain values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import attrs
import cbor2
import orjson

JSON = "application/json"
CBOR = "application/cbor"


def _size(body: bytes | None) -> str:
    return "None" if body is None else f"<{len(body)} bytes>"


def _names(headers: Mapping[str, str]) -> str:
    return f"<{', '.join(headers)}>"


@attrs.frozen(slots=False)
class HttpRequest:
    """A request as bytes: ``path`` is encoded and relative to the cluster's URL, ``body`` is ready to send.

    Its ``repr`` shows neither body nor header values: both may hold credentials.
    """

    method: str
    path: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes | None = attrs.field(default=None, repr=_size)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=_names)

    def with_headers(self, *more: Mapping[str, str]) -> HttpRequest:
        """The same request with further headers, names in lower case; a later one wins."""
        merged = {name.lower(): value for headers in (self.headers, *more) for name, value in headers.items()}
        return HttpRequest(self.method, self.path, self.query, self.body, merged)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def is_success(status: int) -> bool:
    """Whether an answer of this status is one: redirects are not followed, and so are none."""
    return status < 300


@attrs.frozen(slots=False)
class HttpResponse:
    """An answer as bytes, with its status and headers (names in lower case), and the request that it answers."""

    status: int
    body: bytes = attrs.field(repr=_size)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    request: HttpRequest = attrs.field(default=HttpRequest("", ""), repr=str)

    @property
    def content_type(self) -> str:
        """The media type without parameters, such as ``application/json``; empty when the server sent none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The decoded body, from JSON or from CBOR as the content type says.

        Raises ValueError where the body is neither.
        """
        if self.content_type == CBOR:
            try:
                return cbor2.loads(self.body)
            except (cbor2.CBORDecodeError, EOFError) as error:
                raise ValueError(f"not CBOR: {error}") from error
        return orjson.loads(self.body)
