"""The low-level client: one connection pool to a cluster, and all calls over it. ``Session`` builds on it."""

from __future__ import annotations

import copy
import os
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self, TypeVar, Unpack

import attrs

from aiomlcommons.__about__ import __version__
from aiomlcommons.api import Api
from aiomlcommons.calls import Calls
from aiomlcommons.decoding.bounded import LARGEST_RESPONSE
from aiomlcommons.http import HttpRequest
from aiomlcommons.inference.inputs import KnownInputs
from aiomlcommons.inference.methods import Inference
from aiomlcommons.net import option_rules
from aiomlcommons.net.auth import Auth
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.net.connection import Connection
from aiomlcommons.net.health import ping
from aiomlcommons.net.hedge import Hedge, as_hedge
from aiomlcommons.net.node_state import NodeState
from aiomlcommons.net.options import Options, with_tenant
from aiomlcommons.net.rules import checked
from aiomlcommons.net.secret import Secret
from aiomlcommons.net.session_options import SessionOptions
from aiomlcommons.net.tls import TLS
from aiomlcommons.net.transport import SendFunction, Timeout, Transport, as_timeout
from aiomlcommons.net.urls import Urls, check_urls, credentials_in
from aiomlcommons.usage import refuses
from aiomlcommons.waiting.task import Waits
from aiomlcommons.wire.flavors import flavor_named, flavor_of
from aiomlcommons.wire.version import Server, Version

C = TypeVar("C", bound="Client")


class HasClient(Protocol):
    """What a mixin of the session, or a namespace, is put on: a client and everything that it has."""

    @property
    def _session(self) -> Client: ...


@refuses("with", "await", write="`async with Session(...) as ml:`, or `ml = await Session(...).open()`")
class Client(Calls, Api, Inference, Waits):
    """A client of one cluster: every endpoint, polling of tasks, and the typed helpers over predict.

    The package's own modules are written against this class; programs open a ``Session``, which documents the options.
    """

    @checked(option_rules.SESSION)
    def __init__(
        self,
        url: Urls = "https://localhost:9200",
        *,
        auth: Auth | tuple[str, str] | None = None,
        verify: bool = True,
        ca_certs: str | os.PathLike[str] | None = None,
        client_cert: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        client_key_password: str | Secret | None = None,
        fingerprint: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        trust_env: bool = False,
        timeout: Timeout | float | None = Timeout(),
        retries: int = 3,
        wait: float | None = None,
        backoff: Backoff = Backoff(),
        headers: Mapping[str, str] | None = None,
        user_agent: str = f"aiomlcommons/{__version__}",
        pool_size: int = 100,
        gzip: bool = False,
        compat: str | None = None,
        tenant_id: str | None = None,
        flavor: str | None = None,
        transport: Transport | SendFunction | None = None,
        discover: bool | float = False,
        hedge: Hedge | float | None = None,
        max_response_bytes: int = LARGEST_RESPONSE,
    ) -> None:
        urls = check_urls(url)
        if (found := credentials_in(urls)) is not None:
            if auth is not None:
                raise ValueError("credentials are both in url and in auth (or OPENSEARCH_USERNAME): give them once")
            auth = found
        kind = flavor_of((one.host or "" for one in urls), auth) if flavor is None else flavor_named(flavor)
        server = Server(None if compat is None else Version.parse(compat), kind=kind)
        connection = Connection(
            tls=TLS(
                verify=verify,
                ca_certs=ca_certs,
                client_cert=client_cert,
                client_key=client_key,
                client_key_password=client_key_password,
                fingerprint=fingerprint,
                ssl_context=ssl_context,
            ),
            proxy=proxy,
            trust_env=trust_env,
            pool_size=pool_size,
            gzip=gzip,
            discover=discover,
            transport=transport,
        )
        options = Options(
            auth=auth,
            timeout=as_timeout(timeout),
            retries=retries,
            wait=server.flavor.wait if wait is None else wait,
            backoff=backoff,
            headers={"user-agent": user_agent, **(with_tenant(headers, tenant_id) or {})},
            hedge=as_hedge(hedge),
            max_response_bytes=max_response_bytes,
        )
        exchange = connection.exchange(urls, options)
        # Last of all, so that a session whose options are refused is not left half made.
        self.url = str(urls[0].with_user(None))
        self._exchange, self._server, self._inputs = exchange, server, KnownInputs()

    # ---- connection ------------------------------------------------------------------------------------------------

    @classmethod
    async def connect(cls, url: Urls = "https://localhost:9200", **options: Unpack[SessionOptions]) -> Self:
        """Open a session and verify that an OpenSearch cluster responds; close it with ``await session.close()``.

        Takes the arguments of ``Session``; SessionOptions is their type.

        Raises:
            ConnectError: No response.
            Unauthorized: The credentials are not accepted.
            NotOpenSearch: Something other than OpenSearch responds at this URL.
        """
        return await cls(url, **options).open()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Unpack[SessionOptions]) -> Self:
        """Create a session from environment variables; ``options`` are those of ``Session``.

        ``environ`` holds the variables. Default: those of the process. Reads ``OPENSEARCH_URL`` (one, or those of
        several nodes, with commas between them), ``OPENSEARCH_USERNAME``, ``OPENSEARCH_PASSWORD``,
        ``OPENSEARCH_CA_CERTS``, ``OPENSEARCH_VERIFY_CERTS`` (true or false), ``OPENSEARCH_TENANT_ID``, and for
        signatures of AWS ``OPENSEARCH_AWS_REGION`` and ``OPENSEARCH_AWS_SERVICE`` (es or aoss). An option that is given
        counts before its variable, and one of ``verify``, ``ca_certs``, ``fingerprint`` and ``ssl_context`` before both
        variables of certificates. Raises ValueError if OPENSEARCH_URL is not set, or a variable holds what its option
        does not take.
        """
        # Here, since it brings what AWS needs, and most sessions are given their options.
        from aiomlcommons.net.environment import options_from, urls_from

        # Not the default value itself, because help() and documentation would print all of its passwords.
        environ = os.environ if environ is None else environ
        return cls(urls_from(environ), **options_from(environ, options))

    async def open(self) -> Self:
        """Open the session and verify that a cluster responds, as ``connect`` does, where ``async with`` cannot stand.

        ``ml = await Session.from_env().open()`` is for a notebook or ``python -m asyncio``; close it with
        ``await ml.close()``. Raises what ``connect`` raises, and SessionClosed if the session was opened before.
        """
        await self._exchange.open()
        try:
            await self.greet()
        except BaseException:
            await self.close()
            raise
        return self

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

    @property
    def _session(self) -> Self:
        return self

    async def ping(self) -> bool:
        """Return whether the cluster responds: ``GET /`` is sent to every node at once, without retries.

        A node has 5 s, or the session's ``timeout`` if that is less, and 2 s once another one has responded. Any
        response counts but 502, 503, 504 and redirects: the user may lack the permission, and Amazon OpenSearch
        Serverless answers 404. ``ml.nodes`` says which nodes responded. Fit for readiness probes.

        Raises:
            Unauthorized: The credentials are not accepted.
            SessionClosed: The session is not open.
        """
        request = self._exchange.prepared(HttpRequest("GET", "/"))
        return bool(await ping(self._exchange, request, self._exchange.nodes.nodes))

    @property
    def nodes(self) -> tuple[NodeState, ...]:
        """The nodes of the session, in the order of their URLs, and which of them take calls now."""
        return self._exchange.nodes.states()

    def __repr__(self) -> str:
        urls = ", ".join(node.url for node in self._exchange.nodes.nodes)
        return f"<{type(self).__name__} {urls} {self._exchange.state.name}>"

    @checked(option_rules.VIEW)
    def options(
        self,
        *,
        auth: Auth | tuple[str, str] | None = None,
        timeout: Timeout | float | None = None,
        retries: int | None = None,
        wait: float | None = None,
        backoff: Backoff | None = None,
        headers: Mapping[str, str] | None = None,
        opaque_id: str | None = None,
        tenant_id: str | None = None,
        hedge: Hedge | float | None = None,
        max_response_bytes: int | None = None,
    ) -> Self:
        """Return a view of this session with other request options; it shares the connection pool.

        ``await ml.options(timeout=5, retries=0).models.get(model_id)``. None keeps the session's own value. A service
        that acts for its users makes a view for each: ``ml.options(auth=BearerAuth(token_of_user))``.

        Args:
            auth: The credentials of these calls, in place of those of the session. Likewise an ``authorization``
                header in ``headers`` replaces them; giving both is a ValueError.
            timeout: Seconds for one whole attempt, or a Timeout.
            retries: How often an idempotent request is retried.
            wait: Seconds to keep retrying beyond ``retries`` while the cluster is unavailable.
            backoff: The delays between attempts.
            headers: Headers to add to those of the session.
            opaque_id: Sent as ``x-opaque-id``. Default: a new random id for each call.
            tenant_id: The tenant of these calls, sent as ``x-tenant-id``.
            hedge: When a prediction is sent to a second node, too; ``Hedge(after=1, cap=0)`` is never.
            max_response_bytes: The largest response, and the largest frame of a stream.
        """
        changed = self._exchange.options.changed(
            auth=auth,
            headers=with_tenant(headers, tenant_id),
            timeout=timeout,
            retries=retries,
            wait=wait,
            backoff=backoff,
            opaque_id=opaque_id,
            hedge=as_hedge(hedge),
            max_response_bytes=max_response_bytes,
        )
        return _view(self, changed)


def at_own_pace(ml: Client) -> Client:
    """Return a view for a bulk job, which repeats and spaces its requests by itself: each is sent once, at once."""
    return _view(ml, attrs.evolve(ml._exchange.options, retries=0, wait=0, paced=False))


def _view(ml: C, options: Options) -> C:
    view = copy.copy(ml)
    view._exchange = attrs.evolve(ml._exchange, options=options)
    return view
