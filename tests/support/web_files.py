"""Files of memory over HTTP, by a server that may serve ranges or not, and may want a signature in the URL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import attrs
from aiohttp import web

from tests.support.serving import serving


@attrs.define
class WebFiles:
    """Files by name; ``sent`` counts the bytes of all responses."""

    files: Mapping[str, bytes]
    ranges: bool = True
    signature: str | None = None
    url: str = ""
    sent: int = 0

    async def send(self, request: web.Request) -> web.Response:
        # As it was sent: a signature that is quoted anew is another one.
        if self.signature is not None and request.raw_path.partition("?")[2] != f"sig={self.signature}":
            return web.Response(status=403)
        content = self.files.get(request.match_info["name"])
        if content is None:
            return web.Response(status=404)
        headers = {"accept-ranges": "bytes" if self.ranges else "none"}
        part = request.http_range if self.ranges else slice(None)
        if part.start is None:
            self.sent += len(content) * (request.method == "GET")
            return web.Response(body=content, headers=headers)
        some = content[part.start : part.stop]
        self.sent += len(some)
        headers["content-range"] = f"bytes {part.start}-{part.start + len(some) - 1}/{len(content)}"
        return web.Response(status=206, body=some, headers=headers)


@asynccontextmanager
async def web_files(
    files: Mapping[str, bytes], *, ranges: bool = True, signature: str | None = None
) -> AsyncGenerator[WebFiles]:
    """Serve files under ``url``."""
    served = WebFiles(files, ranges, signature)
    app = web.Application()
    app.router.add_get("/{name}", served.send)
    async with serving(app) as served.url:
        yield served
