"""A request that is written whole is byte for byte the one that aiohttp writes, whatever its length."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from aiomlcommons.net._whole_request import IS_KNOWN, SHORT, WholeRequest

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(not IS_KNOWN, reason="aiohttp writes its requests by itself"),
]
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
HEADERS = {"content-type": "application/json", "accept": "application/cbor", "x-opaque-id": "ä1"}


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve an answer to each request, and list the bytes of the requests."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            requests.append(head + await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0))
            writer.write(ANSWER)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


async def sent(kind: type[aiohttp.ClientRequest], method: str, bodies: list[Any]) -> list[bytes]:
    """Return the bytes of some requests over one connection."""
    async with echoing() as (url, requests), aiohttp.ClientSession(request_class=kind) as client:
        for body in bodies:
            async with client.request(method, f"{url}/a%20b?c=%C3%A4", data=body, headers=HEADERS) as answer:
                assert await answer.read() == b"ok"
        found = [request.replace(url.removeprefix("http://").encode(), b"host") for request in requests]
    assert len(found) == len(bodies)
    return found


@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE"])
async def test_it_is_the_request_that_aiohttp_writes(method: str) -> None:
    bodies = [b"{}", None, b"x" * SHORT, b"y" * (SHORT + 1), b"", b"z" * 1000]
    assert await sent(WholeRequest, method, bodies) == await sent(aiohttp.ClientRequest, method, bodies)


async def test_it_takes_no_task() -> None:
    async with echoing() as (url, _), aiohttp.ClientSession(request_class=WholeRequest) as client:
        async with client.post(url, data=b"{}") as answer:
            await answer.read()
        loop, made = asyncio.get_running_loop(), []

        def make(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
            made.append(work)
            return asyncio.Task(work, loop=loop, **more)

        loop.set_task_factory(make)
        async with client.post(url, data=b"{}") as answer:
            await answer.read()
        loop.set_task_factory(None)
    assert made == []
