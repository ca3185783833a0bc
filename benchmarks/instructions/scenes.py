"""What is counted: calls and documents, each with a reference that does the bare work on the same bytes.

A scene does its work so many times. A program that runs under callgrind does it N times and then 2N times, so that what
it costs to begin cancels out in the difference. The transport is a function in the process: no socket whose packets
come as they like.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import cbor2
import numpy as np
import orjson

from aiomlcommons import HttpRequest, HttpResponse, Session
from aiomlcommons.ingest import IndexSink
from benchmarks.parts import LINE
from benchmarks.replay.limit import TEXT
from benchmarks.replay.server import Replies

DIMENSION, BATCH = 384, 64
TEXTS = [TEXT.format(i) for i in range(BATCH)]
Times: TypeAlias = Callable[[int], Awaitable[object]]
"""Does something so many times."""


@attrs.frozen
class Scene:
    """Something that is counted, its reference, and how many times it is done first; then twice as many."""

    ours: Times
    reference: Times
    times: int


async def respond(request: HttpRequest, _: object) -> HttpResponse:
    """Answer as the replay server does."""
    body = bytearray(request.body if isinstance(request.body, bytes) else b"")
    handler, _delay = _REPLIES.to(f"{request.method} {request.path} HTTP/1.1".encode())
    head, _, content = handler(body, 0, len(body)).partition(b"\r\n\r\n")
    kind = head.partition(b"content-type: ")[2].partition(b"\r\n")[0].partition(b";")[0]
    return HttpResponse(200, content, {"content-type": kind.decode()})


_REPLIES = Replies("3.8.0", 0.0)


def answer(model: str) -> bytes:
    """Return the body of a response to the texts."""
    body = bytearray(orjson.dumps({"text_docs": TEXTS}))
    handler, _ = _REPLIES.to(f"POST /_plugins/_ml/_predict/text_embedding/{model} HTTP/1.1".encode())
    return handler(body, 0, len(body)).partition(b"\r\n\r\n")[2]


def repeated(call: Callable[[], Awaitable[object]]) -> Times:
    """Make a call so many times."""

    async def times(count: int) -> None:
        for _ in range(count):
            await call()

    return times


def parsed(read: Callable[[], object]) -> Times:
    """Read something so many times."""

    async def times(count: int) -> None:
        for _ in range(count):
            read()

    return times


def numbers(answered: Mapping[str, Any]) -> object:
    """Make an array of the numbers in an answer."""
    tensors = [tensor["data"] for result in answered["inference_results"] for tensor in result["output"]]
    return np.array(tensors, np.float32)


def raw_bytes(answered: Mapping[str, Any]) -> object:
    """Make an array of the bytes in an answer."""
    tensors = [
        tensor["byte_buffer"]["array"] for result in answered["inference_results"] for tensor in result["output"]
    ]
    return np.frombuffer(b"".join(tensors), np.float32).reshape(len(tensors), -1)


def calls(ml: Session) -> dict[str, Scene]:
    """Return the scenes of calls."""
    task = json.dumps({f"field_{i}": "a value" for i in range(10)})
    local, remote, as_json = (answer(f"{kind}-{DIMENSION}") for kind in ("local", "remote", "json"))

    def embed(kind: str) -> Times:
        return repeated(lambda: ml.embed_many(f"{kind}-{DIMENSION}", TEXTS))

    return {
        "a small call": Scene(repeated(lambda: ml.tasks.get("t1")), parsed(lambda: json.loads(task)), 40),
        "a batch of bytes": Scene(embed("local"), parsed(lambda: raw_bytes(cbor2.loads(local))), 10),
        "a batch of numbers, CBOR": Scene(embed("remote"), parsed(lambda: numbers(cbor2.loads(remote))), 2),
        "a batch of numbers, JSON": Scene(embed("json"), parsed(lambda: numbers(orjson.loads(as_json))), 2),
    }


def jobs(ml: Session, folder: Path) -> dict[str, Scene]:
    """Return the scenes of documents in jobs; they come from JSON Lines."""

    def lines(count: int) -> Path:
        path = folder / f"{count}.jsonl"
        if not path.exists():
            rows = ({"id": f"d{i}", "text": TEXT.format(i)} for i in range(count))
            path.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
        return path

    def job(sink: Callable[[], Any]) -> Times:
        async def ingest(count: int) -> None:
            options: dict[str, Any] = {"concurrency": 2}
            await ml.ingest(lines(count), model=f"local-{DIMENSION}", sink=sink(), **options)

        return ingest

    async def read(count: int) -> None:
        with lines(count).open("rb") as file:
            for line in file:
                json.loads(line)

    async def encode(count: int) -> None:
        vector = np.linspace(-1, 1, DIMENSION, dtype="f4")
        with lines(count).open("rb") as file:
            for line in file:
                orjson.dumps({**orjson.loads(line), "embedding": vector}, option=LINE)

    index = f"documents-{DIMENSION}"
    return {
        "a document into a function": Scene(job(lambda: lambda _: None), read, 640),
        "a document into an index": Scene(job(lambda: IndexSink(ml, index, base64=False)), encode, 640),
    }


async def scenes(stack: AsyncExitStack) -> dict[str, Scene]:
    """Return all scenes; the stack ends what they need."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    ml = await stack.enter_async_context(Session("http://replay", transport=respond))
    return {**calls(ml), **jobs(ml, Path(folder))}
