"""The low-level client: one connection pool to a cluster, and every call made over it. ``Session`` builds on it."""

from __future__ import annotations

import copy
import logging
import os
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

import attrs
import orjson

from aiomlcommons.__about__ import __version__
from aiomlcommons.api import Api
from aiomlcommons.api.server import GetInfo
from aiomlcommons.endpoint import Pieces, Request, Route
from aiomlcommons.errors import ApiError, DecodeError, Forbidden, MLCommonsError, NotSupported
from aiomlcommons.http import JSON, HttpRequest, HttpResponse
from aiomlcommons.inference.methods import Inference
from aiomlcommons.net.aiohttp_transport import AiohttpTransport, check_url
from aiomlcommons.net.auth import Auth, BasicAuth, as_auth
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.net.exchange import Exchange, Options
from aiomlcommons.net.secret import Secret
from aiomlcommons.net.tls import TLS
from aiomlcommons.net.transport import SendFunction, Timeout, Transport, as_timeout, as_transport
from aiomlcommons.waiting.task import Waits
from aiomlcommons.wire.codec import TYPED_JSON, from_http, to_http
from aiomlcommons.wire.version import Server, Version, is_unknown_route, needs_version, route_at

log = logging.getLogger("aiomlcommons")
R = TypeVar("R")
# Visible ASCII but '#', which would begin a fragment that no server sees.
_PATH = re.compile(r"/[!-\"$-~]*")


class Client(Api, Inference, Waits):
    """A client of one cluster: every endpoint, polling of tasks, and the typed helpers over predict.

    The package's own modules are written against this class; programs open a ``Session``, which documents the options.
    """

    def __init__(
        self,
        url: str = "https://localhost:9200",
        *,
        auth: Auth | tuple[str, str] | None = None,
        verify: bool = True,
        ca_certs: str | os.PathLike[str] | None = None,
        client_cert: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        client_key_password: str | Secret | None = None,
        timeout: Timeout | float | None = Timeout(),
        retries: int = 3,
        wait: float = 0.0,
        backoff: Backoff = Backoff(),
        headers: Mapping[str, str] | None = None,
        user_agent: str = f"aiomlcommons/{__version__}",
        pool_size: int = 100,
        gzip: bool = False,
        compat: str | None = None,
        transport: Transport | SendFunction | None = None,
    ) -> None:
        parsed = check_url(url)
        if parsed.user is not None and auth is None:
            auth = BasicAuth(parsed.user, Secret(parsed.password or ""))
        self.url = str(parsed.with_user(None))
        tls = TLS(
            verify=verify,
            ca_certs=_path(ca_certs),
            client_cert=_path(client_cert),
            client_key=_path(client_key),
            client_key_password=client_key_password,
        )
        self._exchange = Exchange(
            transport=as_transport(transport or AiohttpTransport(self.url, tls=tls, pool_size=pool_size, gzip=gzip)),
            auth=as_auth(auth),
            options=Options(
                timeout=as_timeout(timeout),
                retries=retries,
                wait=wait,
                backoff=backoff,
                headers={"user-agent": user_agent, **(headers or {})},
            ),
        )
        self._server = Server(None if compat is None else Version.parse(compat))

    # ---- lifecycle -------------------------------------------------------------------------------------------------

    @classmethod
    async def connect(cls, url: str = "https://localhost:9200", **options: Any) -> Self:
        """Open a session and verify that an OpenSearch cluster responds; close it with ``await session.close()``.

        Takes the arguments of ``Session``.

        Raises:
            ConnectError: No response.
            Unauthorized: The credentials are not accepted.
            DecodeError, MLCommonsError: Something other than OpenSearch responds at this URL.
        """
        session = cls(url, **options)
        await session._exchange.open()
        try:
            await session._greet()
        except BaseException:
            await session.close()
            raise
        return session

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, **options: Any) -> Self:
        """Create a session from environment variables; ``options`` are those of ``Session``.

        Reads ``OPENSEARCH_URL``, ``OPENSEARCH_USERNAME``, ``OPENSEARCH_PASSWORD`` and ``OPENSEARCH_CA_CERTS``. Raises
        ValueError if OPENSEARCH_URL is not set.
        """
        url = environ.get("OPENSEARCH_URL")
        if not url:
            raise ValueError("OPENSEARCH_URL is not set; it must be like 'https://host:9200'")
        if username := environ.get("OPENSEARCH_USERNAME"):
            options.setdefault("auth", BasicAuth(username, Secret(environ.get("OPENSEARCH_PASSWORD", ""))))
        if ca_certs := environ.get("OPENSEARCH_CA_CERTS"):
            options.setdefault("ca_certs", ca_certs)
        return cls(url, **options)

    async def __aenter__(self) -> Self:
        await self._exchange.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection pool. A closed session cannot be reopened; closing it twice is allowed."""
        await self._exchange.close()

    async def _greet(self) -> None:
        try:
            info = await self.info()
        except Forbidden:
            return  # A user without the cluster:monitor/main permission may still be allowed everything else.
        except DecodeError as error:
            raise DecodeError(f"{self.url} is not an OpenSearch: {error.message}", error.response) from None
        if info.version.distribution != "opensearch":
            found = info.version.distribution or info.tagline or "something else"
            raise MLCommonsError(f"{self.url} is not an OpenSearch: it says {found!r}; is it the right URL?")

    @property
    def _session(self) -> Self:
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url} {self._exchange.state.name}>"

    # ---- calls -----------------------------------------------------------------------------------------------------

    def options(
        self,
        *,
        timeout: Timeout | float | None = None,
        retries: int | None = None,
        wait: float | None = None,
        backoff: Backoff | None = None,
        headers: Mapping[str, str] | None = None,
        opaque_id: str | None = None,
    ) -> Self:
        """Return a view of this session with other request options; it shares the connection pool.

        ``await ml.options(timeout=5, retries=0).models.get(model_id)``. None keeps the session's own value.

        Args:
            timeout: Seconds for one whole attempt, or a Timeout.
            retries: How often an idempotent request is retried.
            wait: Seconds to keep retrying beyond ``retries`` while the cluster is unavailable.
            backoff: The delays between attempts.
            headers: Headers to add to those of the session.
            opaque_id: Sent as ``x-opaque-id``. Default: a new random id for each call.
        """
        changed = self._exchange.options.changed(
            headers, timeout, retries=retries, wait=wait, backoff=backoff, opaque_id=opaque_id
        )
        view = copy.copy(self)
        view._exchange = attrs.evolve(self._exchange, options=changed)
        return view

    async def send(self, request: Request[R], /) -> R:
        """Send a typed request and return its typed response; every JSON call of the package goes through here.

        Raises:
            InvalidRequest: A field is invalid; nothing was sent.
            NotSupported: The server's version does not have the endpoint, a field or a value.
            ConnectError: No response.
            ApiError: A response with a status of 300 or above.
            DecodeError: A response that does not match the declared type.
        """
        return from_http(request, await self._get(request))

    async def raw(self, request: Request[Any], /, *, accept: str = JSON) -> HttpResponse:
        """Send a typed request and return the undecoded response: status, headers, bytes, ``json()``.

        ``accept="application/cbor"`` requests CBOR. Raises as ``send`` does.
        """
        return await self._get(request, {"accept": accept})

    @asynccontextmanager
    async def pieces(self, request: Request[Any], /) -> AsyncGenerator[Pieces]:
        """Send a typed request and stream the undecoded body of the response. Raises as ``send`` does."""
        async with self._exchange.pieces(to_http(request, await self._route(request))) as pieces:
            yield pieces

    async def version(self) -> Version | None:
        """Return the server's version, fetched once and then cached.

        Falls back to ``compat`` (or None) if the server cannot be reached, does not say, or the user may not ask. A
        transient failure is not cached: the next call asks again.
        """
        if not self._server.asked:
            async with self._server.lock:
                await self._ask_version()
        return self._server.version

    async def _ask_version(self) -> None:
        if self._server.asked:
            return
        try:
            info = from_http(GetInfo(), await self._try(GetInfo(), None))
            self._server.reported = Version.parse(info.version.number)
            self._server.asked = True
        except (MLCommonsError, ValueError) as error:
            # The user may lack the permission, and a proxy may let only ML Commons routes through.
            log.debug("the server's version is unknown: %s", error)
            self._server.asked = not getattr(error, "transient", False)

    async def _get(self, request: Request[Any], headers: Mapping[str, str] | None = None) -> HttpResponse:
        """Send to the route that the server's version knows; retry once with the old route if the first is unknown."""
        route = await self._route(request)
        try:
            return await self._try(request, route, headers)
        except ApiError as error:
            if not is_unknown_route(error):
                raise
            other = route_at(request, await self.version(), error)
            if other == route:
                raise
        return await self._try(request, other, headers)

    async def _route(self, request: Request[Any]) -> Route | None:
        if not needs_version(request):
            with suppress(NotSupported):  # compat may be wrong: only the version that the server reports refuses
                return route_at(request, self._server.version)
        return route_at(request, await self.version())

    async def _try(
        self, request: Request[Any], route: Route | None, headers: Mapping[str, str] | None = None
    ) -> HttpResponse:
        sent = to_http(request, route).with_headers(headers or {})
        return await self._exchange(sent, repeatable=request.endpoint.repeatable)

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

        Raises as ``send`` does.
        """
        if not _PATH.fullmatch(path):
            raise ValueError(f"path must begin with '/' and be quoted (see urllib.parse.quote), not {path!r}")
        raw = body.encode() if isinstance(body, str) else body
        data = raw if raw is None or isinstance(raw, bytes) else orjson.dumps(raw)
        sent = HttpRequest(method.upper(), path, query or {}, data, {} if data is None else TYPED_JSON)
        if repeatable is None:
            repeatable = sent.method in {"GET", "HEAD", "PUT", "DELETE"}
        return await self._exchange(sent.with_headers(headers or {}), repeatable=repeatable)


def _path(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)
