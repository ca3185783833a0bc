"""Servers that misbehave below the level of HTTP, one function each."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import attrs

Deed: TypeAlias = Callable[[StreamReader, StreamWriter], Awaitable[None]]


async def never_answers(reader: StreamReader, writer: StreamWriter) -> None:
    """Never respond, until the client closes the connection."""
    await reader.read()


async def closes_at_once(reader: StreamReader, writer: StreamWriter) -> None:
    """Close the connection as soon as the request has arrived."""
    await _head(reader)


async def half_an_answer(reader: StreamReader, writer: StreamWriter) -> None:
    """Announce a thousand bytes and send ten."""
    await _head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n" + b"{" * 10)
    await writer.drain()


async def cut_chunked(reader: StreamReader, writer: StreamWriter) -> None:
    """Close the connection in the middle of a chunk."""
    await _head(reader)
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{"a":')
    await writer.drain()


async def garbage(reader: StreamReader, writer: StreamWriter) -> None:
    """Respond in another protocol."""
    await _head(reader)
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    await writer.drain()


async def html(reader: StreamReader, writer: StreamWriter) -> None:
    """Respond with an HTML page."""
    await _whole(reader, writer, b"200 OK", b"text/html", b"<html><body>It works!</body></html>")


async def unauthorized(reader: StreamReader, writer: StreamWriter) -> None:
    """Respond as the security plugin does to a wrong password."""
    await _whole(reader, writer, b"401 Unauthorized", b"text/plain; charset=UTF-8", b"Unauthorized")


async def drips(reader: StreamReader, writer: StreamWriter) -> None:
    """Send a byte at a time, forever."""
    await _head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in itertools.count():
        writer.write(b"1\r\n \r\n")
        await writer.drain()
        await asyncio.sleep(0.001)  # between two bytes


async def _head(reader: StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def _whole(reader: StreamReader, writer: StreamWriter, status: bytes, kind: bytes, body: bytes) -> None:
    await _head(reader)
    head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (status, kind, len(body))
    writer.write(head + body)
    await writer.drain()


@attrs.define
class BadServer:
    """A server on a loopback port; ``calls`` counts its connections, ``gone`` is set as each one ends."""

    deed: Deed
    url: str = ""
    calls: int = 0
    called: asyncio.Event = attrs.field(factory=asyncio.Event)
    gone: asyncio.Event = attrs.field(factory=asyncio.Event)
    _running: dict[asyncio.Task[None] | None, StreamWriter] = attrs.field(factory=dict)

    async def handle(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._running[asyncio.current_task()] = writer
        self.calls += 1
        self.called.set()
        # A client may disconnect at any time.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self.deed(reader, writer)
        writer.close()
        self.gone.set()

    async def close(self) -> None:
        for writer in self._running.values():
            writer.transport.abort()
        await asyncio.gather(*(task for task in self._running if task is not None))


@asynccontextmanager
async def misbehave(deed: Deed) -> AsyncIterator[BadServer]:
    """Serve one kind of misbehaviour while the context is open."""
    bad = BadServer(deed)
    server = await asyncio.start_server(bad.handle, "127.0.0.1", 0)
    bad.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield bad
    finally:
        server.close()
        await bad.close()
