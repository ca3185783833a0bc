"""A proxy before a cluster that kills a client at the n-th of its requests of a kind, before or after passing it on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import attrs
from aiohttp import web
from aiohttp.test_utils import RawTestServer

_PER_HOP = {"connection", "content-length", "transfer-encoding", "content-encoding", "host", "accept-encoding"}


@attrs.frozen
class Moment:
    """A moment of a client's life: its ``nth`` request that begins with ``method`` and whose path ends with ``end``."""

    method: str
    end: str
    nth: int
    passed_on: bool

    def __str__(self) -> str:
        when = "after" if self.passed_on else "before"
        return f"{when} {self.method} {self.end} no. {self.nth}"


@attrs.define
class KillingProxy:
    """Passes requests on, and kills ``process`` at the ``moment``; ``heard`` are the request lines so far."""

    backend: str
    client: aiohttp.ClientSession
    url: str = ""
    process: asyncio.subprocess.Process | None = None
    moment: Moment | None = None
    heard: list[str] = attrs.field(factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.heard.append(f"{request.method} {request.path}")
        is_now = self._is_now(request)
        if is_now and self.moment is not None and not self.moment.passed_on:
            return await self._kill()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _PER_HOP}
        async with self.client.request(
            request.method, f"{self.backend}{request.raw_path}", data=body or None, headers=headers
        ) as got:
            answer = await got.read()
            if is_now:
                return await self._kill()
            kept = {name: value for name, value in got.headers.items() if name.lower() not in _PER_HOP}
            return web.Response(status=got.status, body=answer, headers=kept)

    def _is_now(self, request: web.BaseRequest) -> bool:
        moment = self.moment
        if moment is None or request.method != moment.method or not request.path.endswith(moment.end):
            return False
        return (
            sum(line.startswith(f"{moment.method} ") and line.endswith(moment.end) for line in self.heard) == moment.nth
        )

    async def _kill(self) -> web.Response:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()
        return web.Response(status=503)


@asynccontextmanager
async def killing_proxy(backend: str) -> AsyncIterator[KillingProxy]:
    async with aiohttp.ClientSession(auto_decompress=True) as client:
        proxy = KillingProxy(backend.rstrip("/"), client)
        running = RawTestServer(proxy.handle)
        await running.start_server()
        proxy.url = str(running.make_url("/")).rstrip("/")
        try:
            yield proxy
        finally:
            await running.close()
