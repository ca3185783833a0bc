"""Writers of answers: the pieces of HTTP that hostile answers are made of."""

from __future__ import annotations

import asyncio
import itertools
import zlib
from asyncio import StreamWriter
from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from random import Random
from typing import TypeAlias

Answer: TypeAlias = Callable[[Random, StreamWriter], Awaitable[None]]
Body: TypeAlias = Callable[[Random], bytes]

JSON, CBOR, SSE = "application/json", "application/cbor", "text/event-stream"
MB = 2**20
# Seconds between two bytes of who wants to keep a client waiting.
PAUSE = 0.02


def head(status: int = 200, kind: str = JSON, **headers: object) -> bytes:
    """Return the head of an answer; ``content_length`` and the like are headers."""
    lines = [f"HTTP/1.1 {status} Reason", f"content-type: {kind}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    """Return data as a chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


async def send(writer: StreamWriter, *pieces: bytes) -> None:
    """Write pieces as fast as the client takes them."""
    await send_all(writer, pieces)


async def send_all(writer: StreamWriter, pieces: Iterable[bytes]) -> None:
    """Write pieces, of which there may be no end, as fast as the client takes them."""
    for piece in pieces:
        writer.write(piece)
        await writer.drain()


async def endless(writer: StreamWriter, piece: bytes) -> None:
    """Write a piece again and again, until the client has enough."""
    await send_all(writer, itertools.repeat(piece))


async def drip(writer: StreamWriter, pieces: Iterable[bytes]) -> None:
    """Write pieces so slowly that no read limit notices."""
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(PAUSE)  # the fault itself


def whole(body: Body, kind: str = JSON, status: int = 200, **headers: object) -> Answer:
    """Return an answer with a body, well formed in HTTP."""

    async def answer(random: Random, writer: StreamWriter) -> None:
        data = body(random)
        await send(writer, head(status, kind, content_length=len(data), **headers), data)

    return answer


def raw(make: Body) -> Answer:
    """Return an answer of these very bytes, after which the connection is closed."""

    async def answer(random: Random, writer: StreamWriter) -> None:
        await send(writer, make(random))

    return answer


@cache
def zeros(wbits: int) -> bytes:
    """Return 200 MB of zeros, compressed."""
    packer = zlib.compressobj(6, zlib.DEFLATED, wbits)
    return b"".join([*(packer.compress(bytes(MB)) for _ in range(200)), packer.flush()])


def repeated(piece: bytes, low: int, high: int) -> Callable[[Random], bytes]:
    """Return what makes a piece so many times that it has between so many bytes."""
    return lambda random: piece * (random.randint(low, high) // len(piece))
