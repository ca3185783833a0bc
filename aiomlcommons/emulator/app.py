"""The HTTP server of the emulator: authentication, routing, faults, handlers and encoding of responses."""

from __future__ import annotations

import base64
import hmac
import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable
from functools import partial
from typing import Any

import attrs
from aiohttp import web
from yarl import URL

from aiomlcommons.emulator import decoding, flavors, legacy, privileges, rate_limits, restart, routes
from aiomlcommons.emulator.aws import AwsVerifier, Received
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.encoding import to_cbor, to_json, wants_cbor
from aiomlcommons.emulator.errors import Refused, refused
from aiomlcommons.emulator.faults import REQUEST, Action, Faults
from aiomlcommons.emulator.filter_path import filtered
from aiomlcommons.emulator.index import Refresh
from aiomlcommons.emulator.pool import CallNext
from aiomlcommons.emulator.registry import HANDLERS, Bare, Plain, answered, load_handlers
from aiomlcommons.endpoint import Request
from aiomlcommons.http import CBOR, HttpRequest
from aiomlcommons.typed import typed, typed_fields
from aiomlcommons.usage import context
from aiomlcommons.wire import convert
from aiomlcommons.wire.flavors import SERVERLESS, flavor_named
from aiomlcommons.wire.routes import Match, Router

load_handlers()
log = logging.getLogger(__name__)
LARGEST_BODY = 100 * 1024 * 1024


@attrs.define(field_transformer=typed_fields)
class Emulator:
    """An emulated ML Commons: ``cluster`` is its state, ``faults`` injects faults.

    The state is kept when the emulator is served again. Changes that are delayed on a real cluster are delayed here,
    for two reads unless ``refresh`` says otherwise: ``Emulator(refresh=AT_ONCE)``,
    ``Emulator(refresh=Refresh(seconds=1))``. With ``aws``, requests must be signed as for Amazon's clusters:
    ``Emulator(aws=AwsVerifier("eu-west-1"))``. ``flavor`` is the kind of server, as for a Session:
    ``Emulator(flavor="aoss")`` lacks what Amazon OpenSearch Serverless lacks.
    """

    cluster: Cluster = attrs.field(factory=Cluster)
    refresh: Refresh | None = attrs.field(default=None, kw_only=True, repr=False)
    aws: AwsVerifier | None = attrs.field(default=None, kw_only=True)
    flavor: str | None = attrs.field(default=None, kw_only=True, repr=False)
    _router: Router = attrs.field(factory=lambda: Router(answered()), repr=False)

    def __attrs_post_init__(self) -> None:
        if self.refresh is not None:
            self.cluster.lag(self.refresh)
        if self.flavor is not None:
            self.cluster.flavor = flavor_named(self.flavor)

    @property
    def faults(self) -> Faults:
        """Fault injection: ``emulator.faults.throttle(times=3)``."""
        return self.cluster.faults

    def restart(self, *, recovering: int = 0) -> None:
        """Simulate a restart of the node: running jobs and loaded models are lost.

        Records stay as they are: a model stays DEPLOYED although no node has loaded it, a task stays RUNNING forever.
        The next ``recovering`` requests that need a shard are refused, as during shard recovery.
        """
        restart.restart(self.cluster, recovering)

    @context("serve(...)", "`async with emulator.serve() as url:`")
    @typed
    async def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        username: str | None = None,
        password: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> AsyncGenerator[str]:
        """Serve over HTTP while the context is open, and yield the URL. Port 0 is any free port.

        With ``username`` and ``password`` a request without these credentials (HTTP basic authentication) gets 401;
        with ``ssl_context`` the URL is https. Raises OSError where the port is in use.
        """
        expected = None if username is None else _basic(username, password or "")
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", partial(self._handle, expected, username))
        # Requests that hang must not delay the shutdown.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, ssl_context=ssl_context).start()
            bound = runner.addresses[0][1]
            yield str(URL.build(scheme="https" if ssl_context else "http", host=host, port=bound))
        finally:
            await runner.cleanup()
            await self.cluster.close()

    async def _handle(self, expected: str | None, user: str | None, request: web.Request) -> web.StreamResponse:
        given = request.headers.get("authorization", "")
        if expected is not None and not hmac.compare_digest(given.encode(), expected.encode()):
            return web.Response(
                status=401, text="Unauthorized", headers={"www-authenticate": 'Basic realm="OpenSearch"'}
            )
        if self.aws is not None:
            try:
                self.aws.check(await _received(request))
            except Refused as error:
                return await _refusal(error, as_cbor=False)
        # Each request is handled in its own asyncio task, so these are set for this request only.
        rate_limits.CALLER.set(user)
        REQUEST.set(request)
        http = await _read(request)
        as_cbor = wants_cbor(request.headers.get("accept", ""))
        endpoint, call_next = self._resolved(http, as_cbor=as_cbor)
        for action in reversed(self.faults.actions_for(endpoint, http)):
            call_next = partial(_call_action, action, request, call_next)
        try:
            response = await call_next()
        except Refused as error:
            response = await _refusal(error, as_cbor=as_cbor)
        if self.cluster.flavor is SERVERLESS and not response.prepared:
            response.headers.update(flavors.SERVER)
        return response

    def _resolved(self, http: HttpRequest, *, as_cbor: bool) -> tuple[type[Request[Any]] | None, CallNext]:
        """Return the endpoint of a request, if it is one of ML Commons, and what answers the request."""
        try:
            match = decoding.find(self._router, http, self.cluster.version)
        except Refused as error:
            return None, self._beside(http, flavors.unknown_route(self.cluster, error), as_cbor=as_cbor)
        return match.request, partial(self._respond, match, http, as_cbor=as_cbor)

    def _beside(self, http: HttpRequest, unknown: Refused, *, as_cbor: bool) -> CallNext:
        """Return what answers a request beside ML Commons; ``unknown`` is the error if nothing does."""
        try:
            found = routes.find(http, self.cluster.version)
        except Refused as error:
            return partial(_refusal, error, as_cbor=as_cbor)
        if found is None:
            return partial(_refusal, unknown, as_cbor=as_cbor)
        return partial(self._respond_beside, *found, as_cbor=as_cbor)

    async def _respond_beside(self, known: routes.PlainRoute, call: routes.Call, *, as_cbor: bool) -> web.Response:
        flavors.check_route(self.cluster, None, call.http)
        if (told := privileges.check(self.cluster, None, call.http)) is not None:
            return _encoded(told, call.http, as_cbor=as_cbor)
        routes.check(known, call)
        restart.check_shards(self.cluster, known, call)
        return _encoded(await _answered(known.answer(self.cluster, call), call.http), call.http, as_cbor=as_cbor)

    async def _respond(self, match: Match, http: HttpRequest, *, as_cbor: bool) -> web.Response:
        flavors.check_route(self.cluster, match.request, http)
        if (told := privileges.check(self.cluster, match.request, http)) is not None:
            return _encoded(told, http, as_cbor=as_cbor)
        handler = HANDLERS.get(match.request)
        if handler is None:
            raise refused(501, "not_emulated", f"the emulator knows {match.route} and does not answer it")
        request: Request[Any] = decoding.read(match, http, self.cluster.version)
        flavors.check_request(self.cluster, request)
        restart.check_recovered(self.cluster, request)
        try:
            answer = await _answered(handler(self.cluster, request), http)
        except Refused as error:
            raise (legacy.refusal(request, error) if self.cluster.is_old else error) from None
        return _encoded(legacy.answer(answer) if self.cluster.is_old else answer, http, as_cbor=as_cbor)


async def _answered(answering: Awaitable[Any], http: HttpRequest) -> Any:
    """Return what a handler answers. Raises Refused, also for a request that nobody thought of."""
    try:
        return await answering
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # An unexpected search body or the like: respond with an error instead of closing the connection.
        log.exception("%s", http)
        raise refused(500, "exception", f"the emulator cannot answer this: {error!r}") from error


def _encoded(answer: Any, http: HttpRequest, *, as_cbor: bool) -> web.Response:
    if isinstance(answer, Bare):
        return web.Response(status=answer.status, body=answer.body, headers={"content-type": answer.content_type})
    pretty = http.query.get("pretty", "false") != "false"
    status, data = (answer.status, answer.data) if isinstance(answer, Plain) else (200, convert.unstructure(answer))
    if "filter_path" in http.query:
        data = filtered(data, http.query["filter_path"])
    return _response(status, data, as_cbor, pretty=pretty)


async def _call_action(action: Action, request: web.Request, call_next: CallNext) -> Any:
    return await action(request, call_next)


async def _read(request: web.Request) -> HttpRequest:
    # The raw path: an id with a quoted slash or dots must not be split.
    path = request.raw_path.partition("?")[0]
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = await request.read()
    method = "GET" if request.method == "HEAD" else request.method
    return HttpRequest(method, path, dict(request.query), body or None, headers)


async def _received(request: web.Request) -> Received:
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]
    return Received(request.method, request.raw_path, pairs, await request.read())


async def _refusal(error: Refused, *, as_cbor: bool) -> web.Response:
    response = web.Response(status=error.status) if error.body is None else _response(error.status, error.body, as_cbor)
    response.headers.update(error.headers)
    return response


def _response(status: int, data: Any, as_cbor: bool, *, pretty: bool = False) -> web.Response:
    if as_cbor:
        return web.Response(status=status, body=to_cbor(data), headers={"content-type": CBOR})
    body = to_json(data, pretty=pretty)
    return web.Response(status=status, body=body, headers={"content-type": "application/json; charset=UTF-8"})


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
