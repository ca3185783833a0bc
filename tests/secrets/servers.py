"""Servers that fail in every way, among them those that quote the request, with its credentials, in their answer."""

from __future__ import annotations

import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import orjson
import trustme
from aiohttp import web

from tests.support import bad_server
from tests.support.bad_server import misbehave
from tests.support.recording_server import INFO, reply, serve

QUOTED: list[str] = []
"""What was quoted: a search that finds nothing there has looked for nothing."""

Server: TypeAlias = Callable[[], AbstractAsyncContextManager[str]]
"""What serves while its context is open, and says at which URL."""


def _answering(*answers: Any) -> Server:
    @asynccontextmanager
    async def server() -> AsyncGenerator[str]:
        async with serve(*answers) as running:
            yield running.url

    return server


def _misbehaving(deed: bad_server.Deed) -> Server:
    @asynccontextmanager
    async def server() -> AsyncGenerator[str]:
        async with misbehave(deed) as bad:
            yield bad.url

    return server


@asynccontextmanager
async def _refusing() -> AsyncGenerator[str]:
    async with misbehave(bad_server.html) as bad:
        gone = bad.url
    yield gone


@asynccontextmanager
async def _silent_in_tls() -> AsyncGenerator[str]:
    async with misbehave(bad_server.never_answers) as bad:
        yield bad.url.replace("http:", "https:")


@asynccontextmanager
async def _untrusted() -> AsyncGenerator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with serve(tls=context) as running:
        yield running.url


async def _told(request: web.BaseRequest) -> dict[str, Any]:
    """Return all that a server knows of a request."""
    body = (await request.read()).decode("utf-8", "replace")
    headers = {str(name): value for name, value in request.headers.items()}
    return {"headers": headers, "path": request.raw_path, "body": body}


@asynccontextmanager
async def proxy_that_quotes(status: int, kind: str) -> AsyncGenerator[str]:
    """Serve what takes itself for the cluster, or for a proxy: it quotes ``proxy-authorization`` too."""
    async with serve(quoting(status, kind)) as running:
        yield running.url


def quoting(status: int, kind: str = "json") -> Callable[[web.BaseRequest], Awaitable[web.Response]]:
    """Answer with an error, or a success, that quotes the request in several places."""

    async def answer(request: web.BaseRequest) -> web.Response:
        told = await _told(request)
        words = orjson.dumps(told).decode()
        QUOTED.append(words)
        if kind == "text":
            return web.Response(status=status, text=words)
        error = {"type": "security_exception", "reason": f"no: {words}", "root_cause": [told], "caused_by": told}
        place = f"https://elsewhere/?as={told['headers'].get('Authorization', '')}"
        return reply({"error": error, **told}, status, location=place, www_authenticate=words[:500])

    return answer


async def _echo(reader: StreamReader, writer: StreamWriter) -> None:
    """Send back the bytes that come in, as port 7 does."""
    writer.write(await reader.readuntil(b"\r\n\r\n"))
    await writer.drain()


async def _quotes_in_the_status_line(reader: StreamReader, writer: StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).replace(b"\r\n", b" ")
    writer.write(b"HTTP/1.1 400 " + head + b"\r\ncontent-length: 0\r\n\r\n")
    await writer.drain()


async def _quotes_in_no_http(reader: StreamReader, writer: StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).replace(b"\r\n", b" ")
    writer.write(b"ERROR cannot serve " + head + b"\r\n\r\n")
    await writer.drain()


SERVERS: Mapping[str, Server] = {
    "401": _answering(reply({"error": "no"}, 401)),
    "403": _answering(reply({"error": {"type": "security_exception", "reason": "no permissions"}}, 403)),
    "404": _answering(reply({"error": {"type": "x", "reason": "no such index"}}, 404)),
    "429": _answering(reply({"error": "slow down"}, 429)),
    "500": _answering(reply({"error": "boom"}, 500)),
    "503, then 200": _answering(reply({"error": "busy"}, 503), reply(INFO)),
    "redirect": _answering(reply({}, 302, location="https://elsewhere/")),
    "200": _answering(reply(INFO)),
    "200, another type": _answering(reply({"hello": "world"})),
    "200, no JSON": _misbehaving(bad_server.html),
    "refused": _refusing,
    "untrusted": _untrusted,
    "silent": _misbehaving(bad_server.never_answers),
    "silent in TLS": _silent_in_tls,
    "closes": _misbehaving(bad_server.closes_at_once),
    "truncates": _misbehaving(bad_server.half_an_answer),
    "no HTTP": _misbehaving(bad_server.garbage),
    "echo": _misbehaving(_echo),
    "quotes in the status line": _misbehaving(_quotes_in_the_status_line),
    "quotes in no HTTP": _misbehaving(_quotes_in_no_http),
    **{f"quotes in a {status}": _answering(quoting(status)) for status in (302, 400, 401, 403, 404, 429, 500)},
    **{f"quotes in a text {status}": _answering(quoting(status, "text")) for status in (400, 401, 500)},
    "quotes in a 200": _answering(quoting(200)),
    "quotes in a text 200": _answering(quoting(200, "text")),
}
