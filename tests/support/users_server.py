"""Nodes of a cluster that know who each credential belongs to, and note whether each request carried its own user's.

``GET /_user/NAME/...`` is a request of NAME. A node fails now and then: it refuses (429, 503), drops the connection,
dies, or refuses a token that was good before, until its owner sends another one.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
from aiohttp import web

from tests.support.serving import serving

BUSY = (429, 503)
# Uses of a token before it may expire: a call that is sent again with a new one must not find it expired, too.
USES = 8


@attrs.define
class Users:
    """Who owns which ``authorization`` header, and what the nodes saw.

    Counted are requests with their ``own`` credential, with that of ``another`` user, and with one of ``nobody`` or
    none. ``deaths`` says from which request on which nodes are dead.
    """

    chance: float = 0.0
    owners: dict[str, str] = attrs.field(factory=dict)
    deaths: list[tuple[float, set[str]]] = attrs.field(factory=list)
    accepted: Counter[str] = attrs.field(factory=Counter)
    expired: set[str] = attrs.field(factory=set)
    issued: Counter[str] = attrs.field(factory=Counter)
    seen: Counter[str] = attrs.field(factory=Counter)
    dead: set[str] = attrs.field(factory=set)
    by_node: Counter[str] = attrs.field(factory=Counter)
    draw: random.Random = attrs.field(factory=lambda: random.Random(7))  # noqa: S311 - not for cryptography
    _number: itertools.count[int] = attrs.field(factory=itertools.count)

    def register(self, name: str, authorization: str) -> None:
        """Note the owner of a credential."""
        self.owners[authorization] = name

    def issue(self, name: str) -> str:
        """Return a new token of a user."""
        self.issued[name] += 1
        token = f"token-of-{name}-{next(self._number)}"
        self.register(name, f"Bearer {token}")
        return token

    async def handle(self, node: str, request: web.Request) -> web.StreamResponse:
        """Note whose credential a request carries, and answer with that user's name, or fail."""
        given = request.headers.get("authorization", "")
        owner = self.owners.get(given)
        name = request.match_info["name"]
        self.seen["own" if owner == name else "another" if owner else "nobody"] += 1
        self.by_node[node] += 1
        if self.deaths and sum(self.by_node.values()) >= self.deaths[0][0]:
            _, self.dead = self.deaths.pop(0)
        if node in self.dead or self._happens():
            self.seen["dropped"] += 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self._happens():
            self.seen["busy"] += 1
            return web.Response(status=self.draw.choice(BUSY), headers={"retry-after": "0"})
        if given.startswith("Bearer token-of-") and self.accepted[given] >= USES and self._happens(times=5):
            self.expired.add(given)
        if given in self.expired or owner is None:
            self.seen["401"] += 1
            return web.Response(status=401, text="Unauthorized")
        self.accepted[given] += 1
        return web.json_response({"user_name": owner})

    def _happens(self, times: int = 1) -> bool:
        return self.draw.random() < self.chance * times


@asynccontextmanager
async def nodes_of(users: Users, count: int) -> AsyncGenerator[list[str]]:
    """Serve some nodes, and yield their URLs."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_node(users, f"node-{number}")) for number in range(count)]


@asynccontextmanager
async def _node(users: Users, name: str) -> AsyncGenerator[str]:
    app = web.Application()

    async def handle(request: web.Request) -> web.StreamResponse:
        return await users.handle(name, request)

    app.router.add_route("*", "/_user/{name}/{rest:.*}", handle)
    async with serving(app) as url:
        yield url
