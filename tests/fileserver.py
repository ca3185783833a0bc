"""Model files over HTTP from this machine, for models that are registered by URL."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web


@asynccontextmanager
async def served_file(file: Path, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[str]:
    """The URL of a file; any other path is 404."""

    async def send(_: web.Request) -> web.FileResponse:
        return web.FileResponse(file)

    app = web.Application()
    app.router.add_get(f"/{file.name}", send)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}/{file.name}"
    finally:
        await runner.cleanup()
