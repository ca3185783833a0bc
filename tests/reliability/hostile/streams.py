"""Streams that are hostile: lines and frames without an end, garbage, and errors that take their time."""

from __future__ import annotations

import itertools
from asyncio import StreamWriter
from random import Random

from tests.reliability.hostile.writing import MB, SSE, chunk, drip, endless, head, send

_OPEN = head(kind=SSE, transfer_encoding="chunked")
_FRAME = b'data: {"inference_results":[{"output":[{"name":"response","dataAsMap":{"content":"a","is_last":%b}}]}]}'


async def line(random: Random, writer: StreamWriter) -> None:
    await send(writer, _OPEN, chunk(b"data: "))
    await endless(writer, chunk(b"x" * random.choice([1_000, 65_536])))


async def frame(random: Random, writer: StreamWriter) -> None:
    end = random.choice([b"\n", b"\r\n", b"\r"])
    await send(writer, _OPEN)
    await endless(writer, chunk((b"data: " + b"x" * random.choice([0, 10, 1_000]) + end) * 1_000))


async def returns(random: Random, writer: StreamWriter) -> None:
    end = random.choice([b"\r", b"\r\n", b"\n"])
    text = (_FRAME % b"false" + end * 2) * 3 + _FRAME % b"true" + end * 2
    at = sorted(random.choices(range(len(text)), k=5))
    pieces = [text[low:high] for low, high in itertools.pairwise([0, *at, len(text)]) if low < high]
    await send(writer, _OPEN, *map(chunk, pieces), b"0\r\n\r\n")


async def noise(random: Random, writer: StreamWriter) -> None:
    data = random.choice([b"", b"data: ", b"data:{}\n\n", b"event: a\n"]) + random.randbytes(random.randint(1, 9_999))
    await send(writer, _OPEN, chunk(data + b"\n\n"), b"0\r\n\r\n")


async def comments_only(random: Random, writer: StreamWriter) -> None:
    await send(writer, _OPEN, *itertools.repeat(chunk(b": a\n" * 1_000), 500), b"0\r\n\r\n")


async def cut(random: Random, writer: StreamWriter) -> None:
    text = _OPEN + chunk(_FRAME % b"false" + b"\n\n")
    await send(writer, text[: random.randrange(20, len(text))])


async def heavy_frame(random: Random, writer: StreamWriter) -> None:
    data = b"data: [" + b"[]," * random.randint(MB // 4, MB) + b"0]\n\n"
    await send(writer, _OPEN, chunk(data), b"0\r\n\r\n")


async def late_error(random: Random, writer: StreamWriter) -> None:
    await send(writer, head(random.choice([400, 500]), transfer_encoding="chunked"))
    await drip(writer, itertools.repeat(chunk(b"x")))
