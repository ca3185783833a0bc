"""The session: everything a program says to a cluster goes through here."""

from __future__ import annotations

import copy
import itertools
import logging
import os
import re
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import attrs
import orjson

from aiomlcommons import __version__
from aiomlcommons.api import Api
from aiomlcommons.auth import Auth, BasicAuth, as_auth
from aiomlcommons.backoff import Backoff
from aiomlcommons.endpoint import Request
from aiomlcommons.errors import ConnectError, DecodeError, Forbidden, MLCommonsError, SessionClosed, error_for
from aiomlcommons.http import JSON, HttpRequest, HttpResponse
from aiomlcommons.inference import Inference
from aiomlcommons.secret import Secret
from aiomlcommons.task import Waits
from aiomlcommons.transport import TLS, AiohttpTransport, Timeout, Transport, as_timeout, check_url
from aiomlcommons.wire import TYPED_JSON, from_http, to_http

R = TypeVar("R")
log = logging.getLogger("aiomlcommons")

# A server that asks for a longer pause gets it from the caller, who knows whether the work can wait.
LONGEST_RETRY_AFTER = 60.0

# Visible ASCII but '#', which would begin a fragment that no server sees.
_PATH = re.compile(r"/[!-\"$-~]*")


@attrs.frozen(kw_only=True)
class Options:
    """How calls are made; ``session.options(...)`` changes them for some calls."""

    timeout: Timeout = Timeout()
    retries: int = attrs.field(default=3, validator=attrs.validators.ge(0))
    backoff: Backoff = Backoff()
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=lambda headers: f"<{', '.join(headers)}>")
    opaque_id: str | None = None


class Session(Api, Inference, Waits):
    """A connection to an OpenSearch cluster with ML Commons.

    ``async with Session("https://host:9200", auth=("admin", "...")) as ml:``, or in a notebook
    ``ml = await Session.connect(...)`` and ``await ml.close()``.

    ``url`` may hold a user name and password; they are taken out of it. ``auth`` is a pair, BasicAuth or BearerAuth.
    TLS is verified unless ``verify=False``; ``ca_certs`` trusts another authority; ``client_cert`` and ``client_key``
    prove the client. ``timeout`` is seconds for a whole attempt, or a Timeout (default: connect 10, read 60,
    total 300). A call that may be repeated is sent up to ``retries`` times more (default 3), with ``backoff`` between.
    ``pool_size`` (default 100) is the most connections at once. ``gzip`` asks for compressed answers, which pays on
    slow networks only. ``transport`` replaces the network by a function.

    Make one session for each event loop; any number may be open at once.
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
        backoff: Backoff = Backoff(),
        headers: Mapping[str, str] | None = None,
        user_agent: str = f"aiomlcommons/{__version__}",
        pool_size: int = 100,
        gzip: bool = False,
        transport: Transport | None = None,
    ) -> None:
        parsed = check_url(url)
        if parsed.user is not None and auth is None:
            auth = BasicAuth(parsed.user, Secret(parsed.password or ""))
        self.url = str(parsed.with_user(None))
        self._auth = as_auth(auth)
        tls = TLS(
            verify=verify,
            ca_certs=_path(ca_certs),
            client_cert=_path(client_cert),
            client_key=_path(client_key),
            client_key_password=client_key_password,
        )
        self._transport = transport or AiohttpTransport(self.url, tls=tls, pool_size=pool_size, gzip=gzip)
        self._options = Options(
            timeout=as_timeout(timeout),
            retries=retries,
            backoff=backoff,
            headers={"user-agent": user_agent, **(headers or {})},
        )
        self._state = _State()

    # ---- life ------------------------------------------------------------------------------------------------------

    @classmethod
    async def connect(cls, url: str = "https://localhost:9200", **options: Any) -> Self:
        """Open a session and see that an OpenSearch answers; close it with ``await session.close()``.

        Takes what ``Session`` takes. Raises ConnectError, Unauthorized, or DecodeError where something else answers.
        """
        session = cls(url, **options)
        await session._open()
        try:
            await session._greet()
        except BaseException:
            await session.close()
            raise
        return session

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, **options: Any) -> Self:
        """A session from ``OPENSEARCH_URL``, ``OPENSEARCH_USERNAME``, ``OPENSEARCH_PASSWORD``, ``OPENSEARCH_CA_CERTS``.

        Other options are Session's own. Raises ValueError where OPENSEARCH_URL is not set.
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
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. A closed session stays closed; closing twice is fine."""
        self._state.name = "closed"
        if isinstance(self._transport, AiohttpTransport):
            await self._transport.close()

    async def _open(self) -> None:
        if self._state.name != "not open":
            raise SessionClosed(f"this session is {self._state.name}; make a new one with Session(...)")
        if isinstance(self._transport, AiohttpTransport):
            await self._transport.open()
        self._state.name = "open"

    async def _greet(self) -> None:
        try:
            info = await self.info()
        except Forbidden:
            return  # A user without cluster:monitor/main may still do everything else.
        except DecodeError as error:
            raise DecodeError(f"{self.url} is not an OpenSearch: {error.message}", error.response) from None
        if info.version.distribution != "opensearch":
            found = info.version.distribution or info.tagline or "something else"
            raise MLCommonsError(f"{self.url} is not an OpenSearch: it says {found!r}; is it the right URL?")

    @property
    def _session(self) -> Self:
        return self

    def __repr__(self) -> str:
        return f"<Session {self.url} {self._state.name}>"

    # ---- calls -----------------------------------------------------------------------------------------------------

    def options(
        self,
        *,
        timeout: Timeout | float | None = None,
        retries: int | None = None,
        backoff: Backoff | None = None,
        headers: Mapping[str, str] | None = None,
        opaque_id: str | None = None,
    ) -> Self:
        """The same session with other options for the calls made on what it returns.

        ``await ml.options(timeout=5, retries=0).models.get(model_id)``. ``timeout`` is seconds for a whole attempt or
        a Timeout; ``headers`` are added; ``opaque_id`` is sent as ``x-opaque-id`` in place of a new one for each call.
        """
        changes: dict[str, Any] = {"retries": retries, "backoff": backoff, "opaque_id": opaque_id}
        changes["timeout"] = None if timeout is None else as_timeout(timeout)
        changes["headers"] = {**self._options.headers, **headers} if headers else None
        view = copy.copy(self)
        view._options = attrs.evolve(self._options, **{k: v for k, v in changes.items() if v is not None})
        return view

    async def send(self, request: Request[R], /) -> R:
        """Send a typed request and read its typed answer: every call of the package goes through here.

        Raises InvalidRequest before the network, ApiError for an answer of 300 or above, ConnectError where no answer
        came, DecodeError for one that cannot be read.
        """
        return from_http(request, await self._exchange(to_http(request), repeatable=request.endpoint.repeatable))

    async def raw(self, request: Request[Any], /, *, accept: str = JSON) -> HttpResponse:
        """Send a typed request and hand out the answer as it came: status, headers, bytes, ``json()``.

        ``accept="application/cbor"`` asks for CBOR. Raises as ``send`` does.
        """
        sent = to_http(request).with_headers({"accept": accept})
        return await self._exchange(sent, repeatable=request.endpoint.repeatable)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """Send anything to any route: ``await ml.request("GET", "/_cat/nodes", query={"format": "json"})``.

        ``path`` is taken as it is, so quote what needs it; ``body`` is bytes, text, or anything JSON can hold. Only
        GET, HEAD, PUT and DELETE are repeated. Raises as ``send`` does.
        """
        if not _PATH.fullmatch(path):
            raise ValueError(f"path must begin with '/' and be quoted (see urllib.parse.quote), not {path!r}")
        raw = body.encode() if isinstance(body, str) else body
        data = raw if raw is None or isinstance(raw, bytes) else orjson.dumps(raw)
        sent = HttpRequest(method.upper(), path, query or {}, data, {} if data is None else TYPED_JSON)
        repeatable = sent.method in {"GET", "HEAD", "PUT", "DELETE"}
        return await self._exchange(sent.with_headers(headers or {}), repeatable=repeatable)

    async def _exchange(self, sent: HttpRequest, *, repeatable: bool) -> HttpResponse:
        """Send, and send again where that may help and does no harm. The only place that decides so."""
        if self._state.name != "open":
            remedy = "use `async with Session(...) as ml:` or `await Session.connect(...)`"
            raise SessionClosed(f"the session is {self._state.name}: {remedy}")
        options = self._options
        opaque_id = options.opaque_id or f"aiomlcommons-{uuid.uuid4().hex}"
        sent = sent.with_headers(options.headers, {"x-opaque-id": opaque_id}, sent.headers)
        pauses = itertools.islice(options.backoff, options.retries if repeatable else 0)
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._once(sent)
            except MLCommonsError as error:
                pause = next(pauses, None)
                asked = error.retry_after or 0.0
                if not error.transient or pause is None or asked > LONGEST_RETRY_AFTER:
                    if attempt > 1:
                        error.add_note(f"sent {attempt} times, x-opaque-id {opaque_id}")
                    raise
                log.debug("%s: %s; trying again", sent, error)
                await anyio.sleep(max(pause, asked))

    async def _once(self, sent: HttpRequest) -> HttpResponse:
        signed = sent if self._auth is None else sent.with_headers(await self._auth.headers(sent))
        started = anyio.current_time()
        try:
            got = await self._transport(signed, self._options.timeout)
        except ConnectError as error:
            error.request = sent  # without credentials: errors are printed, logged and pickled
            raise
        log.debug("%s: %d, %d bytes in %.3f s", sent, got.status, len(got.body), anyio.current_time() - started)
        got = attrs.evolve(got, request=sent)
        if got.status >= 300:
            raise error_for(got)
        return got


@attrs.define
class _State:
    """Shared by a session and its views, so that closing one closes all."""

    name: str = "not open"


def _path(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)
