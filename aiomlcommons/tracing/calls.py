"""The span of a call: one logical request, with all of its attempts, by the conventions for clients of databases.

https://opentelemetry.io/docs/specs/semconv/db/database-spans/
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from aiomlcommons.http import HttpRequest
from aiomlcommons.tracing.spans import Attributes, Span, Value, detail_of, kind_of
from aiomlcommons.tracing.telemetry import Telemetry

SYSTEM = "opensearch"
# After these the next segment of a path is a word of the API, after others it may be an id.
NAMESPACES = frozenset({"_cat", "_cluster", "_ingest", "_ml", "_search"})
PREFIXES = frozenset({"_plugins", "_opendistro"})
ON_INDICES = {"PUT": "indices.create", "GET": "indices.get", "DELETE": "indices.delete", "HEAD": "indices.exists"}
PORTS = {"http": 80, "https": 443}


class CallSpan(Span):
    """The span of a call. ``sends`` counts how often it was sent to a node, ``status`` is that of its last response."""

    def __init__(self, found: Telemetry | None, operation: str = "", collection: str = "") -> None:
        name = f"{operation} {collection}" if collection else operation
        seconds = None if found is None else found.call_seconds
        super().__init__(found, name, _known(operation, collection), is_client=True, seconds=seconds)
        self.sends = 0
        self.status: int | None = None
        self._sent: HttpRequest | None = None
        self._previous: Token[CallSpan | None] | None = None

    def sending(self, request: HttpRequest) -> None:
        """Note that it is sent to a node, whose URL the request has."""
        self.sends += 1
        self._sent, self.status = request, None

    def answered(self, request: HttpRequest, status: int) -> None:
        """Note the status that a node responded with, which may be an earlier one than it was sent to last."""
        self._sent, self.status = request, status

    def happened(
        self, name: str, node: str, error: BaseException | None = None, attributes: Attributes | None = None
    ) -> None:
        """Add an event about a node, whose URL is given, and about the error that it sent or caused."""
        if self.is_recording:
            failure: Attributes = {} if error is None else {"error.type": kind_of(error)}
            self.event(name, {**_server(node), **failure, **(attributes or {})})

    def _attach(self) -> None:
        super()._attach()
        if self._found is not None:
            self._previous = _CURRENT.set(self)

    def _detach(self) -> None:
        if self._previous is not None:
            _CURRENT.reset(self._previous)
            self._previous = None
        super()._detach()

    def _last_words(self, error: BaseException | None) -> None:
        server = {} if self._sent is None else _server(self._sent.base)
        self.put({**server, "db.response.status_code": None if self.status is None else str(self.status)})
        if self._sent is not None:
            sent = self._sent
            self.put(
                {
                    "http.request.method": sent.method,
                    # Without its query, in which a caller may put what is nobody else's business.
                    "url.full": sent.base + sent.path.partition("?")[0],
                    "aiomlcommons.opaque_id": sent.headers.get("x-opaque-id"),
                    "http.request.resend_count": self.sends - 1 if self.sends > 1 else None,
                }
            )
        if error is not None:
            cls, detail = type(error), detail_of(error)
            told = {"exception.type": f"{cls.__module__}.{cls.__qualname__}"}
            self.event("exception", {**told, "exception.message": detail} if detail else told)

    def _measured(self, error: BaseException | None) -> Attributes:
        server = {} if self._sent is None else _server(self._sent.base)
        status = {} if error is None or self.status is None else {"db.response.status_code": str(self.status)}
        return {**super()._measured(error), **server, **status}


_CURRENT: ContextVar[CallSpan | None] = ContextVar("call", default=None)


def current_call() -> CallSpan | None:
    """Return the call on whose behalf this code runs; None if nobody would see what is told of it."""
    return _CURRENT.get()


@contextmanager
def aside() -> Generator[None]:
    """Send requests on nobody's behalf meanwhile: a call may look after the nodes before it sends its own."""
    before = _CURRENT.set(None)
    try:
        yield
    finally:
        _CURRENT.reset(before)


@lru_cache(maxsize=1024)
def _known(operation: str, collection: str) -> Mapping[str, Value]:
    found: dict[str, Value] = {"db.system.name": SYSTEM}
    if operation:
        found["db.operation.name"] = operation
    if collection:
        found["db.collection.name"] = collection
    return found


@lru_cache(maxsize=1024)
def _server(url: str) -> Mapping[str, Value]:
    """Return the attributes of a node."""
    parts = urlsplit(url)
    return {"server.address": parts.hostname or "", "server.port": parts.port or PORTS.get(parts.scheme, 0)}


def named_by_path(method: str, path: str) -> tuple[str, str]:
    """Return the operation of a request that is no endpoint of the package, and the indices that it is about.

    It is made of the words of the API in its path, without ids: ``/books/_search`` is ``search`` of ``books``,
    ``/_cat/nodes`` is ``cat.nodes``.
    """
    segments = [one for one in path.partition("?")[0].split("/") if one]
    collection = unquote(segments.pop(0)) if segments and not segments[0].startswith("_") else ""
    words = [
        one.removeprefix("_")
        for before, one in zip(["", *segments], segments, strict=False)
        if (one.startswith("_") and one not in PREFIXES) or before in NAMESPACES
    ]
    if words:
        return ".".join(words), collection
    return (ON_INDICES.get(method, f"indices.{method.lower()}") if collection else "info"), collection


NO_CALL = CallSpan(None)
