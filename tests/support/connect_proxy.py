"""A real HTTP proxy on a loopback port: it tunnels by CONNECT, forwards plain requests, and may refuse both."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import attrs


@attrs.define
class ConnectProxy:
    """``heads`` are the requests to it, as received; ``tunnelled`` is all that clients sent through its tunnels.

    With ``authorization`` it asks for that ``proxy-authorization``; ``refusal`` is a status line to answer instead.
    """

    authorization: str = ""
    refusal: str = ""
    url: str = ""
    heads: list[str] = attrs.field(factory=list)
    tunnelled: bytearray = attrs.field(factory=bytearray)
    _running: dict[asyncio.Task[None] | None, StreamWriter] = attrs.field(factory=dict)

    async def handle(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._running[asyncio.current_task()] = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        method, target, _ = head.partition("\r\n")[0].split(" ")
        if refusal := self.refusal or self._unauthorized(head):
            writer.write(f"HTTP/1.1 {refusal}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
            return
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        theirs, ours = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                ours.write(head.encode())  # a server takes a whole URL as the target as well
            await asyncio.gather(self._copy(reader, ours, keep=True), self._copy(theirs, writer, keep=False))
        finally:
            ours.close()

    def _unauthorized(self, head: str) -> str:
        given = f"proxy-authorization: {self.authorization}".lower() in head.lower()
        return "" if given or not self.authorization else "407 Proxy Authentication Required"

    async def _copy(self, source: StreamReader, target: StreamWriter, *, keep: bool) -> None:
        while piece := await source.read(65_536):
            self.tunnelled.extend(piece if keep else b"")
            target.write(piece)
            await target.drain()
        target.close()

    async def close(self) -> None:
        for writer in self._running.values():
            writer.transport.abort()
        await asyncio.gather(*(task for task in self._running if task is not None))


@asynccontextmanager
async def proxying(*, authorization: str = "", refusal: str = "") -> AsyncIterator[ConnectProxy]:
    """Serve a proxy at ``.url`` while the context is open."""
    proxy = ConnectProxy(authorization, refusal)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
