"""A real HTTP server for tests, which records requests and responds from a list."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import attrs
import orjson
from aiohttp import web
from aiohttp.test_utils import RawTestServer

INFO = {
    "name": "node-1",
    "cluster_name": "test",
    "cluster_uuid": "uuid",
    "version": {"number": "3.4.0", "distribution": "opensearch"},
    "tagline": "The OpenSearch Project: https://opensearch.org/",
}

Answer: TypeAlias = "web.Response | Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]"


@attrs.frozen
class Heard:
    """A request as received; ``path`` is raw and includes the query string."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


@attrs.define
class Server:
    """Responds in order; the last response is repeated."""

    answers: list[Answer]
    url: str = ""
    heard: list[Heard] = attrs.field(factory=list)
    connections: set[Any] = attrs.field(factory=set)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.heard.append(Heard(request.method, request.raw_path, headers, await request.read()))
        self.connections.add(request.transport)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, web.Response):
            # A response can be sent only once, so each request gets a copy.
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        return await answer(request)


def reply(body: Any = INFO, status: int = 200, **headers: str) -> web.Response:
    """Return a JSON response; ``retry_after="0"`` is the header ``retry-after: 0``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=status, body=orjson.dumps(body), headers={"content-type": "application/json", **named})


@asynccontextmanager
async def serve(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve on a loopback port at ``.url``; the default response is INFO."""
    server = Server(list(answers) or [reply()])
    running = RawTestServer(server.handle)
    await running.start_server(ssl=tls)
    server.url = str(running.make_url("/")).rstrip("/")
    try:
        yield server
    finally:
        await running.close()
