"""Requests that are written whole, headers and body at once, without a task for the body.

From Python 3.12 on aiohttp begins that task eagerly, so that it ends at once; before, it takes two turns of the event
loop and a tenth of what a prediction costs.
"""

from __future__ import annotations

import sys
from typing import Any

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_writer import StreamWriter
from aiohttp.payload import BytesPayload

# A longer body waits until the socket has taken some of it, which is what the task is for.
SHORT = 2**16
# How a request and its response know each other is no public interface of aiohttp: what was not tested is left to it.
IS_KNOWN = sys.version_info < (3, 12) and aiohttp.__version__.startswith("3.14.")


class WholeRequest(aiohttp.ClientRequest):
    """A request of aiohttp that writes a short body by itself."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the request, and return what will be its response."""
        body, protocol = self._body, conn.protocol
        is_short = type(body) is BytesPayload and len(body._value) <= SHORT
        if not is_short or protocol is None or protocol.writing_paused or self.proxy is not None:
            return await super().send(conn)
        content: Any = body
        writer = StreamWriter(protocol, self.loop)
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        await writer.write_eof(content._value)
        protocol.start_timeout()
        made: Any = self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=self._traces,
            loop=self.loop,
            session=self._session,
            stream_writer=writer,
        )
        self.response = made
        return made  # type: ignore[no-any-return]


REQUEST: type[aiohttp.ClientRequest] = WholeRequest if IS_KNOWN else aiohttp.ClientRequest
"""The class of requests that the transport sends."""
