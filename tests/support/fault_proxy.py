"""A TCP proxy before a real server that breaks the network between it and a client: ``async with fault_proxy(url)``.

It passes bytes on, and knows of HTTP only where a request begins. A fault of ``faults.py`` is armed for the next
exchanges, requests with their answers, and strikes at a byte of one of the two; with TLS, where nothing can be told
apart, a connection counts as one exchange. The port itself can refuse, and idle connections can be cut.
"""

from __future__ import annotations

import asyncio
import copy
import re
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Protocol
from urllib.parse import urlsplit

import attrs

REQUEST_LINE = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|PATCH) [^ ]+(?= HTTP/1)")
PIECE = 2**16


class Way(Enum):
    """The two ways of bytes: those of the request go to the server, those of the answer to the client."""

    REQUEST = "request"
    ANSWER = "answer"


class Fault(Protocol):
    """What happens to one exchange."""

    async def begin(self, link: Link) -> None:
        """Do what is due when the request begins, before any of it is passed on."""

    async def through(self, link: Link, way: Way, piece: bytes) -> None:
        """Pass a piece on, or do something else with it."""


@attrs.define
class Armed:
    """A fault that waits for exchanges whose request line matches ``on``: ``left`` (None is all) after ``skip``."""

    fault: Fault
    on: re.Pattern[str]
    left: int | None
    skip: int = 0

    def strikes(self, line: str) -> bool:
        """Return whether it strikes an exchange, which is counted."""
        if self.left == 0 or not self.on.search(line):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.left = None if self.left is None else self.left - 1
        return True


@attrs.define(eq=False)
class Link:
    """One connection of a client, and the one to the server behind it."""

    client: tuple[StreamReader, StreamWriter]
    server: tuple[StreamReader, StreamWriter]
    on_strike: Callable[[], None]
    fault: Fault | None = None
    is_between: bool = True
    """Whether no exchange has begun since the last answer."""
    is_freed: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def write(self, way: Way, piece: bytes) -> None:
        """Send bytes on their way."""
        writer = self.target(way)
        writer.write(piece)
        await writer.drain()

    def target(self, way: Way) -> StreamWriter:
        """Return where the bytes of a way go."""
        return (self.server if way is Way.REQUEST else self.client)[1]

    def close(self) -> None:
        """End both connections: what was written is sent, then FIN."""
        self.client[1].close()
        self.server[1].close()

    def reset(self) -> None:
        """End both connections with RST: what was not delivered is lost."""
        for _, writer in (self.client, self.server):
            reset(writer)


def reset(writer: StreamWriter) -> None:
    """End a connection with RST, as a firewall or a killed machine does."""
    sock = writer.get_extra_info("socket")
    if not writer.transport.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@attrs.define
class FaultProxy:
    """Passes connections on to a server. ``heard`` are the request lines so far, ``struck`` counts the faults."""

    host: str
    behind: int
    scheme: str = "http"
    port: int = 0
    heard: list[str] = attrs.field(factory=list)
    struck: int = 0
    links: set[Link] = attrs.field(factory=set)
    _armed: list[Armed] = attrs.field(factory=list)
    _server: asyncio.Server | None = None
    _deaf: list[socket.socket] = attrs.field(factory=list)
    _listening: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    _running: set[asyncio.Task[None]] = attrs.field(factory=set)
    _ended: asyncio.Event = attrs.field(factory=asyncio.Event)

    @property
    def url(self) -> str:
        """The URL of the server, through the proxy."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def arm(self, fault: Fault, *, on: str = "", times: int | None = 1, skip: int = 0) -> None:
        """Let a fault strike the next exchanges whose request line, such as ``POST /_bulk``, has the pattern ``on``.

        So many of them are skipped first.
        """
        self._armed.append(Armed(fault, re.compile(on), times, skip))

    def disarm(self) -> None:
        """Forget all faults; what they have done stays done."""
        self._armed.clear()
        for link in self.links:
            link.fault = None

    async def listen(self) -> None:
        """Accept connections, at the same port as before."""
        async with self._listening:
            self._hear()
            if self._server is None:
                self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
                self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse new connections; those that are open stay."""
        if self._server is not None:
            self._server.close()
        self._server = None

    def ignore(self) -> None:
        """Answer no new connection at all, as an address that nothing is at: the queue of the port is full."""
        self.refuse()
        listener = socket.create_server(("127.0.0.1", self.port), backlog=0)
        self._deaf = [listener]
        for _ in range(2):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
            self._deaf.append(one)

    def listen_in(self, seconds: float) -> None:
        """Accept connections again after so many seconds."""

        async def later() -> None:
            await asyncio.sleep(seconds)
            await self.listen()

        task = asyncio.create_task(later())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _hear(self) -> None:
        for one in self._deaf:
            one.close()
        self._deaf.clear()

    def say(self, words: bytes) -> None:
        """Send bytes that nobody asked for to every client that is connected."""
        for link in self.links:
            link.target(Way.ANSWER).write(words)

    def cut(self, *, rst: bool = False) -> None:
        """End every connection at once, idle ones too."""
        for link in list(self.links):
            link.reset() if rst else link.close()

    def free(self) -> None:
        """End the connections that a fault does not read, for which reason it does not see that the client is gone."""
        for link in self.links:
            link.is_freed.set()

    async def empty(self) -> None:
        """Wait until no connection is left."""
        while self.links:
            self._ended.clear()
            await self._ended.wait()

    async def close(self) -> None:
        """End everything."""
        self.refuse()
        self._hear()
        self.cut(rst=True)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            with suppress(OSError):  # the server may be down, and either side may go at any time
                server = await asyncio.open_connection(self.host, self.behind)
                await self._serve(Link((reader, writer), server, self._count))
        finally:
            writer.close()
            self._running.discard(task)

    async def _serve(self, link: Link) -> None:
        self.links.add(link)
        ways: set[asyncio.Task[None]] = set()
        try:
            if self.scheme == "https":
                await self._begin(link, "TLS")
            ways = {asyncio.create_task(self._pass_on(link, way)) for way in Way}
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            link.close()
            self.links.discard(link)
            self._ended.set()

    async def _begin(self, link: Link, line: str) -> None:
        """Begin an exchange, and take the fault that was armed for it."""
        self.heard.append(line)
        link.is_between = False
        found = next((one for one in self._armed if one.strikes(line)), None)
        link.fault = None if found is None else copy.copy(found.fault)
        if link.fault is not None:
            await link.fault.begin(link)

    def _count(self) -> None:
        self.struck += 1

    async def _pass_on(self, link: Link, way: Way) -> None:
        """Pass the bytes of a way on until they end, as both connections do then."""
        reader = (link.client if way is Way.REQUEST else link.server)[0]
        with suppress(OSError):
            while piece := await reader.read(PIECE):
                if way is Way.ANSWER:
                    link.is_between = self.scheme == "http"
                elif link.is_between and (begun := REQUEST_LINE.match(piece)):
                    await self._begin(link, begun[0].decode())
                await (link.write(way, piece) if link.fault is None else link.fault.through(link, way, piece))


@asynccontextmanager
async def fault_proxy(url: str) -> AsyncGenerator[FaultProxy]:
    """Serve a proxy before the server at a URL while the context is open."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    proxy = FaultProxy(parts.hostname, parts.port or 80, parts.scheme)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
