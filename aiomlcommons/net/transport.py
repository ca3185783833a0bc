"""The transport adapter interface, as httpx's transports are, and an adapter for plain functions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeAlias, runtime_checkable

import attrs

from aiomlcommons.endpoint import Pieces
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.net.rules import LIMIT

SendFunction: TypeAlias = Callable[[HttpRequest, "Timeout"], Awaitable[HttpResponse]]
"""An async function from request to response, which raises ConnectError if there is no response."""


@attrs.frozen
class Timeout:
    """Timeouts of one attempt, in seconds; None is no limit.

    Args:
        connect: Waiting for a free connection of the pool, DNS, TCP and TLS. Default: 10.
        read: Between two reads from the socket. Default: 60.
        total: The whole attempt; of a stream, until its response begins. Default: 300.
    """

    connect: float | None = attrs.field(default=10.0, validator=LIMIT)
    read: float | None = attrs.field(default=60.0, validator=LIMIT)
    total: float | None = attrs.field(default=300.0, validator=LIMIT)


@attrs.frozen
class Streamed:
    """A response whose body is streamed: each call of ``pieces`` returns the next bytes, ``b""`` at the end."""

    status: int
    headers: Mapping[str, str]
    pieces: Pieces


@runtime_checkable
class Transport(Protocol):
    """The interface of a transport adapter. ``send`` and ``stream`` raise ConnectError if there is no response."""

    async def open(self) -> None:
        """Acquire resources, on the event loop that will use the transport."""
        ...

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        ...

    async def send(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        """Send a request and return its complete response."""
        ...

    def stream(self, request: HttpRequest, timeout: Timeout) -> AbstractAsyncContextManager[Streamed]:
        """Send a request and stream the body of the response while the context is open."""
        ...


@attrs.frozen
class FunctionTransport:
    """A transport adapter for an async function; a stream yields the whole body at once."""

    function: SendFunction

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def send(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        """Call the function."""
        return await self.function(request, timeout)

    @asynccontextmanager
    async def stream(self, request: HttpRequest, timeout: Timeout) -> AsyncGenerator[Streamed]:
        """Call the function, and stream its body as one chunk."""
        got = await self.function(request, timeout)
        rest = iter([got.body])

        async def pieces() -> bytes:
            return next(rest, b"")

        yield Streamed(got.status, got.headers, pieces)


def as_transport(given: Transport | SendFunction) -> Transport:
    """Return a transport as it is, and wrap a function as one. Raises TypeError for anything else."""
    if isinstance(given, Transport) and not isinstance(given, type):
        return given
    if callable(given) and not isinstance(given, type):
        return FunctionTransport(given)
    found = f"the class {given.__name__} itself" if isinstance(given, type) else type(given).__name__
    raise TypeError(f"transport must have open, close, send and stream, or be an async function, not {found}")


def as_timeout(value: Timeout | float | None) -> Timeout:
    """Return a Timeout as it is; a number is the limit of a whole attempt, None is no limit."""
    if isinstance(value, Timeout):
        return value
    return Timeout(connect=value, read=value, total=value)
