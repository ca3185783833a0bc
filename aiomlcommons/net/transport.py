"""The seam to the network: what a transport is, and a bare function as one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeAlias

import attrs

from aiomlcommons.endpoint import Pieces
from aiomlcommons.http import HttpRequest, HttpResponse

SendFunction: TypeAlias = Callable[[HttpRequest, "Timeout"], Awaitable[HttpResponse]]
"""A function from request to answer, which raises ConnectError where no answer came."""


@attrs.frozen
class Timeout:
    """Limits in seconds for one attempt; None is no limit.

    ``connect`` covers waiting for a free connection, DNS, TCP and TLS; ``read`` the silence between two pieces of an
    answer; ``total`` all of it.
    """

    connect: float | None = 10.0
    read: float | None = 60.0
    total: float | None = 300.0


@attrs.frozen
class Streamed:
    """An answer whose body is still coming: each call of ``pieces`` gives some of it, ``b""`` at the end."""

    status: int
    headers: Mapping[str, str]
    pieces: Pieces


class Transport(Protocol):
    """Takes requests to a server and brings the answers. ``send`` and ``stream`` raise ConnectError for none."""

    async def open(self) -> None:
        """Get ready, on the event loop that will use it."""
        ...

    async def close(self) -> None:
        """Close every connection. Closing twice is closing once."""
        ...

    async def send(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        """Send a request and read its answer whole."""
        ...

    def stream(self, request: HttpRequest, timeout: Timeout) -> AbstractAsyncContextManager[Streamed]:
        """Send a request and give the answer's body as it comes, for as long as the context is open."""
        ...


@attrs.frozen
class FunctionTransport:
    """A function as a transport: nothing to open or to close, and each stream comes in one piece."""

    function: SendFunction

    async def open(self) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def send(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        """Call the function."""
        return await self.function(request, timeout)

    @asynccontextmanager
    async def stream(self, request: HttpRequest, timeout: Timeout) -> AsyncGenerator[Streamed]:
        """Call the function, and give its answer as one piece."""
        got = await self.function(request, timeout)
        rest = iter([got.body])

        async def pieces() -> bytes:
            return next(rest, b"")

        yield Streamed(got.status, got.headers, pieces)


def as_transport(given: Transport | SendFunction) -> Transport:
    """A transport as it is, or a bare function wrapped."""
    return FunctionTransport(given) if callable(given) else given


def as_timeout(value: Timeout | float | None) -> Timeout:
    """A number is the limit for a whole attempt; None is no limit at all."""
    if isinstance(value, Timeout):
        return value
    return Timeout(connect=value, read=value, total=value)
