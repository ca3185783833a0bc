"""Discovery: the cluster is asked for its nodes now and then, by one of the calls; off unless it is wanted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import attrs
from yarl import URL

from aiomlcommons.errors import DecodeError
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.net.attempts import Attempts
from aiomlcommons.net.health import PATIENCE, ping
from aiomlcommons.net.nodes import Node, NodePool
from aiomlcommons.net.options import Options
from aiomlcommons.net.urls import base_of
from aiomlcommons.tracing.calls import aside
from aiomlcommons.trouble.aws import service_of

EVERY = 300.0
# Seconds after which a failure of a node leads to another look.
AGAIN = 10.0
ASK = HttpRequest("GET", "/_nodes/http", {"filter_path": "nodes.*.roles,nodes.*.http.publish_address"})
# A node with these roles only manages the cluster, and must not get calls.
MANAGER = {"cluster_manager", "master", "remote_cluster_client"}


@attrs.define
class Discovery:
    """Keeps the pool of a session up to date, at most every so many seconds, and soon after a node has failed.

    One call looks while the others go on, for ``PATIENCE`` seconds at most; what fails is logged. It uses ``options``,
    those of the session, whatever view the call is of.
    """

    every: float
    options: Options
    _asked: float = -math.inf
    _running: bool = False

    @classmethod
    def of(cls, discover: bool | float, urls: Sequence[URL], options: Options) -> Discovery | None:
        """Return the discovery of a session with these URLs, None if it is not wanted.

        Raises ValueError where it cannot work.
        """
        if discover is False:
            return None
        for url in urls:
            if url.path.strip("/"):
                raise ValueError(f"discover needs the URL of a node, not of a proxy with a path such as {url.path}")
            if service_of(url.host or "") is not None:
                raise ValueError("discover cannot work with Amazon's services, which have one address and hide nodes")
        return cls(EVERY if discover is True else float(discover), options)

    async def refresh(self, attempts: Attempts) -> None:
        """Look for nodes if it is time to, and no other call does. Raises no Exception."""
        if self._running or not self._is_due(attempts.nodes):
            return
        self._running = True
        self._asked = attempts.nodes.clock()
        try:
            with anyio.move_on_after(PATIENCE) as scope, aside():
                await self._look(attrs.evolve(attempts, options=self.options))
            if scope.cancelled_caught:
                attempts.state.events.undiscovered(f"no response within {PATIENCE:.0f} s")
        except Exception as error:
            attempts.state.events.undiscovered(error)
        finally:
            self._running = False

    def _is_due(self, pool: NodePool) -> bool:
        last_failure = max(node.failed_at for node in pool.nodes)
        wait = AGAIN if last_failure > self._asked else self.every
        return pool.clock() >= self._asked + wait

    async def _look(self, attempts: Attempts) -> None:
        with attempts.nodes.turn(trial=False) as node:
            urls = nodes_in(await attempts.once(attempts.prepared(ASK), node), node.url)
        known = {node.url for node in attempts.nodes.nodes}
        new = [Node(url, is_seed=False) for url in urls if url not in known]
        live = await ping(attempts, attempts.prepared(HttpRequest("GET", "/")), new)
        for node in new:
            if node not in live:
                attempts.state.events.mute(node.url)
        update(attempts.nodes, urls, live)


def update(pool: NodePool, urls: Sequence[str], new: Sequence[Node]) -> None:
    """Add nodes to a pool, and drop those that are not at the URLs any more.

    The URLs that the session was opened with stay. Those that no node names, such as that of a load balancer, are a
    reserve while others are known: else a node with two names would get twice the calls.
    """
    kept = [node for node in pool.nodes if node.is_seed or node.url in urls]
    for node in pool.nodes:
        if node not in kept:
            pool.events.left(node.url)
    for node in new:
        pool.events.joined(node.url)
    pool.nodes = [*kept, *new]
    named = any(node.url in urls for node in pool.nodes)
    for node in pool.nodes:
        node.reserve = named and node.url not in urls


def nodes_in(got: HttpResponse, base: str) -> list[str]:
    """Return the URLs of the nodes in a response of ``GET _nodes/http``, without dedicated cluster managers.

    They have the scheme of ``base``. Raises DecodeError for a response without nodes.
    """
    try:
        nodes: Sequence[Mapping[str, Any]] = list(got.json()["nodes"].values())
        found = [url_of(node["http"]["publish_address"], URL(base).scheme) for node in nodes if not _is_manager(node)]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DecodeError(f"the nodes of the cluster are not in its response: {error!r}", got) from None
    if not found:
        raise DecodeError("the cluster names no node that takes calls", got)
    return found


def url_of(address: str, scheme: str) -> str:
    """Return the URL of a ``publish_address``: ``ip:port`` or ``host/ip:port``, where the ip may be ``[IPv6]``.

    With TLS it has the host, which is what the certificate names.
    """
    host, _, rest = address.rpartition("/")
    numeric, _, port = rest.rpartition(":")
    name = host if host and scheme == "https" else numeric.strip("[]")
    return base_of(URL.build(scheme=scheme, host=name, port=int(port)))


def _is_manager(node: Mapping[str, Any]) -> bool:
    roles = set(node.get("roles", ()))
    return bool(roles & {"cluster_manager", "master"}) and roles <= MANAGER
