"""Answers that are hostile in HTTP: their sizes, their headers, their framing, their pace."""

from __future__ import annotations

import gzip
import itertools
from asyncio import StreamWriter
from random import Random

from tests.reliability.hostile.writing import (
    CBOR,
    JSON,
    MB,
    Answer,
    chunk,
    drip,
    endless,
    head,
    raw,
    send,
    zeros,
)

_BITS = {"gzip": 31, "deflate": 15}


def prepare() -> None:
    """Make what takes a while, before somebody waits for it."""
    for bits in _BITS.values():
        zeros(bits)


def bomb(encoding: str, status: int = 200) -> Answer:
    """Return an answer of little that unpacks to a lot."""

    async def answer(random: Random, writer: StreamWriter) -> None:
        data = zeros(_BITS[encoding])
        if random.random() < 0.5:
            await send(writer, head(status, content_encoding=encoding, content_length=len(data)), data)
        else:
            await send(writer, head(status, content_encoding=encoding, transfer_encoding="chunked"), chunk(data))

    return answer


async def members(random: Random, writer: StreamWriter) -> None:
    data = gzip.compress(bytes(random.randint(1_000, 100_000))) * random.randint(2_000, 5_000)
    await send(writer, head(content_encoding="gzip", content_length=len(data)), data)


async def chunks(random: Random, writer: StreamWriter) -> None:
    await send(writer, head(random.choice([200, 201]), transfer_encoding="chunked"))
    await endless(writer, chunk(b" " * random.choice([4_096, 65_536, MB])))


async def tiny_chunks(random: Random, writer: StreamWriter) -> None:
    await send(writer, head(transfer_encoding="chunked"))
    await endless(writer, chunk(b" ") * 10_000)


async def error_chunks(random: Random, writer: StreamWriter) -> None:
    await send(writer, head(random.choice([400, 404, 500]), transfer_encoding="chunked"))
    await endless(writer, chunk(b"x" * 65_536))


async def until_end(random: Random, writer: StreamWriter) -> None:
    await send(writer, head(kind=random.choice([JSON, CBOR])))
    await endless(writer, b"[" * 65_536)


async def announced(random: Random, writer: StreamWriter) -> None:
    await send(writer, head(content_length=10**10), b"{")


async def short(random: Random, writer: StreamWriter) -> None:
    await send(writer, head(content_length=random.randint(3, 9_999)), b"{}")


async def long(random: Random, writer: StreamWriter) -> None:
    await send(writer, head(content_length=2), b"{}" + random.randbytes(random.randint(1, 10_000)))


async def drips(random: Random, writer: StreamWriter) -> None:
    await send(writer, head(random.choice([200, 500]), transfer_encoding="chunked"))
    await drip(writer, itertools.repeat(chunk(b" ")))


async def head_drips(random: Random, writer: StreamWriter) -> None:
    await drip(writer, itertools.chain([b"HTTP/1.1 200 OK\r\nx-a: "], itertools.repeat(b"a")))


async def huge_header(random: Random, writer: StreamWriter) -> None:
    name = random.choice([b"content-type", b"x-a", b"set-cookie", b"warning"])
    await send(writer, b"HTTP/1.1 200 OK\r\n" + name + b": " + b"a" * MB + b"\r\n\r\n{}")


async def many_headers(random: Random, writer: StreamWriter) -> None:
    await send(writer, b"HTTP/1.1 200 OK\r\n")
    await send(writer, *(b"x-%d: a\r\n" % number for number in range(100_000)), b"\r\n{}")


async def continues(random: Random, writer: StreamWriter) -> None:
    await endless(writer, random.choice([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nlink: a\r\n\r\n"]))


@raw
def garbage(random: Random) -> bytes:
    """Another protocol, or none."""
    lines = (
        b"SSH-2.0-x\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 -1 OK\r\n\r\n",
        b"\x16\x03\x01",
    )
    return random.choice(lines) if random.random() < 0.5 else b"\x00" + random.randbytes(random.randint(1, 5_000))


@raw
def injection(random: Random) -> bytes:
    """Headers that hold what ends headers."""
    odd = random.choice([b"\r", b"\n", b"\0", b"\r\n ", b"\x7f", b"\xff", b"\r\r\n", b"\n\n", b"\r\nx-b : "])
    return (
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\nx-a: b"
        + odd
        + b"c\r\ncontent-length: 2\r\n\r\n{}"
    )


@raw
def two_lengths(random: Random) -> bytes:
    """Contradictory framing, as request smuggling uses it."""
    more = random.choice(
        [b"content-length: 5", b"transfer-encoding: chunked", b"transfer-encoding: x, chunked", b"content-length: +2"]
    )
    return b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n" + more + b"\r\n\r\n{}"


@raw
def bad_chunks(random: Random) -> bytes:
    """Sizes of chunks that are none."""
    size = random.choice([b"zz", b"-1", b"0x2", b"f" * 20, b"", b"2;" + b"a" * 100_000, b"2 2"])
    return head(transfer_encoding="chunked") + size + b"\r\n{}\r\n"


async def bad_gzip(random: Random, writer: StreamWriter) -> None:
    data = bytearray(gzip.compress(b'{"a": "' + b"b" * 1_000 + b'"}'))
    if random.random() < 0.5:
        data[random.randrange(len(data))] ^= 255
    else:
        del data[random.randrange(1, len(data)) :]
    await send(writer, head(content_encoding="gzip", content_length=len(data)), bytes(data))


@raw
def upgrade(random: Random) -> bytes:
    """Switch the protocol, which no request asks for."""
    return b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n" + random.randbytes(100)


@raw
def redirects(random: Random) -> bytes:
    """Send the client elsewhere."""
    place = random.choice(["file:///etc/passwd", "http://169.254.169.254/", "//evil", "javascript:0", "a\x1b[2J" * 500])
    return head(random.choice([301, 302, 307, 308]), location=place, content_length=0)


@raw
def retry_after(random: Random) -> bytes:
    """Ask for a pause of ages."""
    value = random.choice(
        ["9" * 5_000, "-1", "1e999", "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 99999 0:0:0 GMT", "\u0663"]
    )
    return head(random.choice([429, 503]), retry_after=value, content_length=2) + b"{}"


async def wrong_kind(random: Random, writer: StreamWriter) -> None:
    kind = random.choice(
        [CBOR, "text/html", "application/octet-stream", "", "application/json; charset=utf-7", ";;;", "a" * 5_000]
    )
    data = random.choice([b"{}", b"[]", b"\xa0", b"<html></html>", b"null", b"0"])
    await send(writer, head(kind=kind, content_length=len(data)), data)
