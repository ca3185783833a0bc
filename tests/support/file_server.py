"""Model files over HTTP from this machine, for models that are registered by URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
from aiohttp import web

from tests.support.serving import serving


@attrs.frozen
class Held:
    """A file whose download is held until it is released."""

    url: str
    asked: asyncio.Event
    release: asyncio.Event


@asynccontextmanager
async def held_file(file: Path, host: str = "127.0.0.1") -> AsyncGenerator[Held]:
    """Serve a file that is held until it is released."""
    asked, release = asyncio.Event(), asyncio.Event()
    content = await asyncio.to_thread(file.read_bytes)

    async def send(_: web.Request) -> web.Response:
        asked.set()
        await release.wait()
        return web.Response(body=content)

    app = web.Application()
    app.router.add_get(f"/{file.name}", send)
    async with serving(app, host) as url:
        yield Held(f"{url}/{file.name}", asked, release)


@asynccontextmanager
async def served_file(file: Path, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[str]:
    """Serve a file and yield its URL; any other path is 404."""

    async def send(_: web.Request) -> web.FileResponse:
        return web.FileResponse(file)

    app = web.Application()
    app.router.add_get(f"/{file.name}", send)
    async with serving(app, host, port) as url:
        yield f"{url}/{file.name}"
