"""A pooled connection that a broken network cannot poison: what is left in it never becomes part of another call.

aiohttp (3.14) parses what arrives while a connection is idle, and hands it out as the response to the next request;
and a chunked body that is no longer well-formed leaves its reader waiting though the connection is gone.
"""

from __future__ import annotations

import select
import sys
from asyncio import BaseTransport
from typing import Any

from aiohttp import ClientPayloadError
from aiohttp.client_proto import ResponseHandler


class Pooled(ResponseHandler):
    """A connection of aiohttp, whose pool asks ``is_connected`` before it takes a connection again."""

    _readable: Any = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Note the socket."""
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sys.platform != "win32" and sock is not None:
            self._readable = select.poll()
            self._readable.register(sock.fileno(), select.POLLIN)

    def is_connected(self) -> bool:
        """Return whether it may take a request: nothing came meanwhile that nobody asked for, nor the end.

        The socket is asked too, since the event loop may not have run since then: a request that is not idempotent
        would fail without need on a connection that the server has closed long ago.
        """
        transport = self.transport  # asked for every call, so not by super() and should_close
        if transport is None or transport.is_closing() or self._buffer or self._tail:
            return False
        return self._readable is None or not self._readable.poll(0)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell who waits for the rest of a body."""
        payload = self._payload
        super().connection_lost(exc)
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(ClientPayloadError("the connection ended before the body was complete"))
