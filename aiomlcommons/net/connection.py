"""The connection of a session: its transport, its nodes, and what protects them, from the options."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from yarl import URL

from aiomlcommons.net.attempts import State
from aiomlcommons.net.discovery import Discovery
from aiomlcommons.net.events import Events
from aiomlcommons.net.exchange import Exchange
from aiomlcommons.net.insecure import warn_of_insecure
from aiomlcommons.net.nodes import NodePool
from aiomlcommons.net.options import Options
from aiomlcommons.net.proxy import DIRECT, Proxies
from aiomlcommons.net.tls import TLS
from aiomlcommons.net.transport import SendFunction, Transport, as_transport
from aiomlcommons.net.urls import bases_of


@attrs.frozen(kw_only=True)
class Connection:
    """How the nodes of a cluster are reached; ``Session`` documents the fields."""

    tls: TLS
    proxy: str | None
    trust_env: bool
    pool_size: int
    gzip: bool
    discover: bool | float
    transport: Transport | SendFunction | None

    def exchange(self, urls: Sequence[URL], options: Options) -> Exchange:
        """Return what sends requests to the nodes at some URLs. Raises ValueError for options that exclude each other.

        Warns of connections that others on the network can read or pose in.
        """
        scheme, bases = urls[0].scheme, bases_of(urls)
        self.tls.check_scheme(scheme)
        proxies = Proxies.of(self.proxy, scheme, trust_env=self.trust_env)
        events = Events()
        exchange = Exchange(
            transport=self._transport(scheme, proxies),
            nodes=NodePool.of(bases, events),
            state=State(events),
            hidden=proxies.secrets,
            options=options,
            discovery=Discovery.of(self.discover, urls, options),
        )
        credentials = options.auth is not None or "authorization" in options.headers
        warn_of_insecure(bases, self.tls, credentials=credentials)
        return exchange

    def _transport(self, scheme: str, proxies: Proxies) -> Transport:
        if self.transport is None:
            # Here, because aiohttp takes a third of all time to import, which a command's --help need not wait for.
            from aiomlcommons.net.aiohttp_transport import AiohttpTransport

            tls = self.tls if scheme == "https" else None
            return AiohttpTransport(tls=tls, pool_size=self.pool_size, gzip=self.gzip, proxies=proxies)
        if proxies != DIRECT or self.tls.fingerprint or self.tls.ssl_context:
            raise ValueError("transport takes the place of what proxy, trust_env, fingerprint and ssl_context are for")
        return as_transport(self.transport)
