"""Calls of a client: typed requests to the route that the server's version knows, and untyped ones to any route."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache, partial
from typing import Any, TypeVar

from aiomlcommons.api.predict import Predict, PredictByModel
from aiomlcommons.api.server import GetInfo, Info
from aiomlcommons.endpoint import Encode, Pieces, Request, Route, fields_of
from aiomlcommons.errors import (
    ApiError,
    ConnectError,
    DecodeError,
    Forbidden,
    MLCommonsError,
    NotFound,
    NotOpenSearch,
    NotSupported,
    ResponseTooLarge,
    StreamCut,
    StreamFailed,
)
from aiomlcommons.http import JSON, HttpRequest, HttpResponse
from aiomlcommons.namespace import operations
from aiomlcommons.net import rules
from aiomlcommons.net.exchange import Exchange
from aiomlcommons.tracing.calls import NO_CALL, CallSpan, named_by_path
from aiomlcommons.tracing.telemetry import telemetry
from aiomlcommons.trouble.kinds import Kind
from aiomlcommons.trouble.pages import page_in
from aiomlcommons.typed import typed
from aiomlcommons.wire.codec import TYPED_JSON, from_http, json_bytes, to_http
from aiomlcommons.wire.features import Feature
from aiomlcommons.wire.flavors import Flavor
from aiomlcommons.wire.version import Server, Version, is_current, is_unknown_route, needs_version, route_at

log = logging.getLogger("aiomlcommons")
R = TypeVar("R")
# What ends a stream that has begun, of all that may leave the block that reads it.
_OF_STREAMS = (StreamFailed, StreamCut, DecodeError, ConnectError, ResponseTooLarge)
# Visible ASCII but '#', which would begin a fragment that no server sees.
_PATH = re.compile(r"/[!-\"$-~]*")
# May be hedged.
_PREDICTIONS = (Predict, PredictByModel)
# Characters that are shown of what something other than OpenSearch answers.
_SHOWN = 80


class Calls:
    """Base of the client: typed and untyped requests, and the cached version of the server."""

    _exchange: Exchange
    _server: Server

    @property
    def _most(self) -> int:
        return self._exchange.options.max_response_bytes

    async def send(self, request: Request[R], /) -> R:
        """Send a typed request and return its typed response; every JSON call of the package goes through here.

        Raises:
            InvalidRequest: A field is invalid; nothing was sent.
            NotSupported: The server's version or kind does not have the endpoint, a field or a value.
            ConnectError: No response.
            ApiError: A response with a status of 300 or above.
            DecodeError: A response that does not match the declared type.
            ResponseTooLarge: A response of more than ``max_response_bytes``.
        """
        if telemetry() is None:
            return from_http(request, await self._get(request, partial(to_http, request)))
        with self._call(request):
            return from_http(request, await self._get(request, partial(to_http, request)))

    async def raw(self, request: Request[Any], /, *, accept: str = JSON) -> HttpResponse:
        """Send a typed request and return the undecoded response: status, headers, bytes, ``json()``.

        ``accept="application/cbor"`` requests CBOR. Raises as ``send`` does.
        """
        return await self._raw(request, encode=partial(to_http, request, accept=accept))

    async def _raw(self, request: Request[Any], *, encode: Encode) -> HttpResponse:
        if telemetry() is None:
            return await self._get(request, encode)
        with self._call(request):
            return await self._get(request, encode)

    @asynccontextmanager
    async def pieces(self, request: Request[Any], /) -> AsyncGenerator[Pieces]:
        """Send a typed request and stream the undecoded body of the response. Raises as ``send`` does."""
        async with AsyncExitStack() as stack:
            call = stack.enter_context(self._call(request).ending(*_OF_STREAMS))
            with call.current():
                sent = to_http(request, await self._route(request))
                pieces = await stack.enter_async_context(self._exchange.pieces(sent))
            yield pieces

    @property
    def flavor(self) -> Flavor:
        """The kind of server, as far as it is known: see ``Session(flavor=...)``."""
        return self._server.flavor

    async def version(self) -> Version | None:
        """Return the server's version, fetched once and then cached.

        Falls back to ``compat`` (or None) if the server cannot be reached, does not say, or the user may not ask. A
        transient failure is not cached: the next call asks again. Amazon OpenSearch Serverless has no version, and is
        not asked: its routes are the current ones.
        """
        if not self._server.asked and self.flavor.has(Feature.INFO):
            async with self._server.lock:
                await self._ask_version()
        return self._server.version

    async def _ask_version(self) -> None:
        if self._server.asked:
            return
        try:
            info = await self._info()
            self._server.reported = Version.parse(info.version.number)
            self._server.asked = True
        except (MLCommonsError, ValueError) as error:
            # The user may lack the permission, and a proxy may let only ML Commons routes through.
            log.debug("the server's version is unknown: %s", error)
            if isinstance(error, ApiError):
                self._server.recognised(error.response.headers)
            self._server.asked = not getattr(error, "transient", False)

    async def _info(self) -> Info:
        with self._call(GetInfo()):
            return from_http(GetInfo(), await self._try(GetInfo(), to_http(GetInfo())))

    async def greet(self) -> None:
        """Verify that an OpenSearch responds and accepts the credentials, as ``Session.connect`` does.

        Raises:
            NotOpenSearch: Something else responds.
            ConnectError: No response.
            ApiError: The credentials are not accepted, the server redirects, or is not well.
        """
        url = self._exchange.nodes.nodes[0].url
        try:
            info = await self._info()
        except Forbidden as error:
            # A gateway of AWS will let nothing through; that of a collection says 404 to whom it accepts.
            if error.trouble.kind is Kind.CREDENTIAL or not self.flavor.has(Feature.INFO):
                raise
            return  # A user without the cluster:monitor/main permission may still be allowed everything else.
        except NotFound as error:
            self._server.recognised(error.response.headers)
            if self.flavor.has(Feature.INFO):
                raise NotOpenSearch(url, f"GET / answers 404, {error.reason or 'without a reason'}") from error
            return  # Serverless has no GET /, and its 404 shows that it accepts the credentials.
        except DecodeError as error:
            raise NotOpenSearch(url, f"GET / answers with {_shown(error)}") from error
        if info.version.distribution != "opensearch":
            raise NotOpenSearch(url, _who(info))

    async def _get(self, request: Request[Any], encode: Encode) -> HttpResponse:
        """Send to the route that the server's version knows; retry once with the old route if the first is unknown."""
        # Most requests are for any version of any server, which takes the fewest steps to find out.
        is_simple = is_current(request, self._server.version) and not self._server.flavor.lacks
        route = None if is_simple else await self._route(request)
        try:
            return await self._try(request, encode(route))
        except ApiError as error:
            if self._server.recognised(error.response.headers):
                self.flavor.check(request, error)
            if not is_unknown_route(error):
                raise
            other = route_at(request, await self.version(), error)
            if other == route:
                raise
        return await self._try(request, encode(other))

    async def _route(self, request: Request[Any]) -> Route | None:
        self.flavor.check(request)
        if not needs_version(request):
            try:
                return route_at(request, self._server.version)
            except NotSupported:
                pass  # compat may be wrong: only the version that the server reports refuses
        return route_at(request, await self.version())

    def _try(self, request: Request[Any], sent: HttpRequest) -> Awaitable[HttpResponse]:
        hedged = isinstance(request, _PREDICTIONS)
        return self._exchange(sent, repeatable=request.endpoint.repeatable, hedged=hedged)

    @typed(own="headers")
    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> HttpResponse:
        """Send an untyped request to any route: ``await ml.request("GET", "/_cat/nodes", query={"format": "json"})``.

        Args:
            method: The HTTP method.
            path: Percent-encoded path, relative to the cluster's URL; it is sent as it is.
            query: Parameters of the query string.
            body: Bytes, text, or a value to encode as JSON.
            headers: Headers to add; they override those of the session.
            repeatable: Whether the request is idempotent and may be retried. Default: GET, HEAD, PUT and DELETE are.

        Raises as ``send`` does, and ValueError or TypeError for a path or headers that cannot be sent.
        """
        if not _PATH.fullmatch(path):
            raise ValueError(f"path must begin with '/' and be quoted (see urllib.parse.quote), not {path!r}")
        rules.headers("headers", headers or {})
        raw = body.encode() if isinstance(body, str) else body
        data = raw if raw is None or isinstance(raw, bytes) else json_bytes(raw)
        sent = HttpRequest(method.upper(), path, query or {}, data, {} if data is None else TYPED_JSON)
        if repeatable is None:
            repeatable = sent.method in {"GET", "HEAD", "PUT", "DELETE"}
        found = telemetry()
        with NO_CALL if found is None else CallSpan(found, *named_by_path(sent.method, path)):
            return await self._exchange(sent.with_headers(headers or {}), repeatable=repeatable)

    def _call(self, request: Request[Any]) -> CallSpan:
        """Begin the span of a call."""
        found = telemetry()
        if found is None:
            return NO_CALL
        session: Any = type(self)
        call = CallSpan(found, _names(session).get(type(request), type(request).__name__))
        if call.is_recording:
            call.put({f"db.operation.parameter.{name}": text for name, text in _path_parameters(request)})
        return call


@cache
def _names(session: type) -> Mapping[type[Request[Any]], str]:
    """Return the name of each endpoint on a session, as users write it."""
    return {request: name for name, request in operations(session)}


def _path_parameters(request: Request[Any]) -> Iterator[tuple[str, str]]:
    given = {field.name for field in fields_of(type(request)) if getattr(request, field.name) is not None}
    for name in request.endpoint.route_for(given).names:
        # A value of another type will be refused, and may be anything.
        if isinstance(value := getattr(request, name), str | int):
            yield name, value if isinstance(value, str) else str(value)


def _shown(error: DecodeError) -> str:
    """Return what came in place of the cluster's version: a page by its title, the beginning of anything else."""
    text = error.response.text
    return page_in(text) or f"{' '.join(text.split())[:_SHOWN]!r} ({error.message.partition(';')[0]})"


def _who(info: Info) -> str:
    """Return who says that it is something other than OpenSearch."""
    if info.tagline == "You Know, for Search":
        return f"it is Elasticsearch {info.version.number}"
    return f"it says {info.version.distribution or info.tagline or 'something else'!r}; is it the right URL?"
