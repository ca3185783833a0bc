"""The limit of a response: whatever it is and however it comes, no more than that is read of it."""

from __future__ import annotations

import asyncio
import gzip
from asyncio import StreamReader, StreamWriter
from typing import Any

import pytest
from aiohttp import web

from aiomlcommons import HttpRequest, HttpResponse, ResponseTooLarge, Session, Timeout
from tests.support.bad_server import misbehave
from tests.support.serving import serving

pytestmark = pytest.mark.asyncio

LIMIT = 10_000


def _padded(size: int) -> bytes:
    return b'{"name":"' + b"a" * (size - 11) + b'"}'


def _whole(body: bytes, status: int = 200, encoding: str = "identity") -> Any:
    async def handle(_: web.Request) -> web.Response:
        headers = {"content-type": "application/json", "content-encoding": encoding}
        return web.Response(status=status, body=body, headers=headers)

    return handle


def _chunked(body: bytes) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(body)
        return response

    return handle


def _app(handle: Any) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app


@pytest.mark.parametrize("size", [LIMIT, 1_000_000])
@pytest.mark.parametrize("handle", [_whole, _chunked, lambda body: _whole(gzip.compress(body), encoding="gzip")])
async def test_a_response_is_read_up_to_the_limit_and_no_further(size: int, handle: Any) -> None:
    async with serving(_app(handle(_padded(size)))) as url, Session(url, max_response_bytes=size) as ml:
        assert len((await ml.models.get("m")).name or "") == size - 11
        with pytest.raises(ResponseTooLarge, match=f"status 200 is larger than {size - 1} bytes") as caught:
            await ml.options(max_response_bytes=size - 1).models.get("m")
    assert (caught.value.limit, caught.value.status, caught.value.attempts) == (size - 1, 200, 1)
    assert not caught.value.transient
    assert "max_response_bytes=... of Session(...) or session.options(...)" in str(caught.value)


async def test_an_error_is_a_response_too() -> None:
    async with serving(_app(_whole(_padded(LIMIT + 1), 503))) as url:
        async with Session(url, max_response_bytes=LIMIT) as ml:
            with pytest.raises(ResponseTooLarge, match="of status 503"):
                await ml.models.get("m")
            with pytest.raises(ResponseTooLarge, match="of status 503"):
                async with ml.models.predict_stream("m", parameters={"inputs": "a"}):
                    pass


async def test_the_answer_of_another_transport_is_measured_as_well() -> None:
    async def answer(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        return HttpResponse(200, _padded(LIMIT + 1), {"content-type": "application/json"})

    async with Session("http://node", transport=answer, max_response_bytes=LIMIT) as ml:
        with pytest.raises(ResponseTooLarge, match="larger than 10000 bytes"):
            await ml.models.get("m")


async def test_values_that_take_several_times_as_much_memory_are_refused_before_they_are_made() -> None:
    body = b'{"a":[' + b"[]," * 3_000 + b"0]}"
    async with serving(_app(_whole(body))) as url, Session(url, max_response_bytes=LIMIT) as ml:
        with pytest.raises(ResponseTooLarge, match="holds so many values that they take more than 40000 bytes"):
            await ml.models.get("m")
        with pytest.raises(ResponseTooLarge, match="holds so many values"):
            await ml.embed_many("m", ["a"])


async def test_the_head_of_a_large_resource_is_no_large_response() -> None:
    async with serving(_app(_whole(_padded(LIMIT + 1)))) as url, Session(url, max_response_bytes=LIMIT) as ml:
        assert (await ml.request("HEAD", "/")).body == b""


async def test_an_answer_that_nobody_asked_for_is_not_that_of_the_next_call() -> None:
    sent = asyncio.Event()

    async def answers_twice(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        writer.write(head % (2, b"{}"))
        await writer.drain()
        await asked.wait()
        writer.write(head % (15, b'{"name":"evil"}'))
        await writer.drain()
        sent.set()
        await reader.read()

    asked = asyncio.Event()
    async with misbehave(answers_twice) as bad, Session(bad.url, retries=0) as ml:
        assert (await ml.models.get("m")).name is None
        asked.set()
        await sent.wait()
        connector = ml._exchange.transport._client.connector  # type: ignore[attr-defined]
        (held,) = next(iter(connector._conns.values()))
        while held[0].is_connected():  # noqa: ASYNC110 - aiohttp has no event for what comes unasked
            await asyncio.sleep(0)
        assert (await ml.models.get("m")).name is None
        assert bad.calls == 2
