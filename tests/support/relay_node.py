"""A node of a cluster within this process: it relays connections to a backend, and can be killed, paused, started."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

import attrs


@attrs.define(eq=False)
class RelayNode:
    """A node at a port of its own. Its connections are open sockets; one that is paused relays nothing."""

    backend: int
    port: int = 0
    state: str = "down"
    _server: asyncio.Server | None = None
    _flows: asyncio.Event = attrs.field(factory=asyncio.Event)
    _relays: set[asyncio.Task[None]] = attrs.field(factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections clients have to it."""
        return len(self._relays)

    async def start(self) -> None:
        """Let it work, whatever it did before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]
        self._flows.set()
        self.state = "up"

    def pause(self) -> None:
        """Have it hang: it accepts connections, and nothing comes through."""
        if self.state == "up":
            self._flows.clear()
            self.state = "paused"

    async def kill(self) -> None:
        """End it, with its connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        while self._relays:  # a connection that was being accepted may come meanwhile
            for relay in self._relays:
                relay.cancel()
            await asyncio.wait(list(self._relays))
        self.state = "down"

    async def _relay(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        back: StreamWriter | None = None
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.backend)
            ways = [asyncio.create_task(self._copy(reader, back)), asyncio.create_task(self._copy(there, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.wait(ways)
        except (OSError, asyncio.CancelledError):
            pass  # killed, which is the end of this task
        finally:
            for one in (writer, back):
                if one is not None:
                    one.transport.abort()
            self._relays.discard(task)

    async def _copy(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(2**16):
                await self._flows.wait()
                writer.write(piece)
                await writer.drain()
