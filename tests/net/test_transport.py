"""The aiohttp transport over real sockets: each failure becomes one error that names the host and the remedy."""

from __future__ import annotations

import asyncio
import copy
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import AsyncMock

import anyio
import orjson
import pytest
from aiohttp import ClientOSError, web
from aioresponses import aioresponses
from anyio.lowlevel import checkpoint

from aiomlcommons import Backoff, ConnectError, DecodeError, RequestTimeout, Session, SessionClosed, Streamed, Timeout
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.net.aiohttp_transport import AiohttpTransport
from aiomlcommons.net.transport import as_timeout
from aiomlcommons.net.urls import check_url
from tests.support.bad_server import (
    Deed,
    closes_at_once,
    cut_chunked,
    drips,
    garbage,
    half_an_answer,
    html,
    misbehave,
    never_answers,
)
from tests.support.recording_server import INFO, reply, serve

pytestmark = pytest.mark.asyncio

NO_WAIT = Backoff(first=0)


async def failure(url: str, kind: type[Exception], **options: Any) -> Any:
    """Return the error of the first call on a session."""
    with pytest.raises(kind) as caught:
        async with Session(url, **{"retries": 0, **options}) as ml:
            await ml.info()
    return caught.value


# ---- bad servers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "kind", "words", "transient"),
    [
        (closes_at_once, ConnectError, "closed the connection without a response; if the cluster uses TLS", True),
        (half_an_answer, ConnectError, "was truncated: Response payload is not completed", True),
        (cut_chunked, ConnectError, "was truncated: Response payload is not completed", True),
        (garbage, ConnectError, "did not respond in HTTP: Bad status line: Expected HTTP/", False),
        (html, DecodeError, "the response is not JSON but text/html: is this an OpenSearch with ML Commons?", False),
    ],
)
async def test_a_bad_server_is_named_with_what_it_did(
    deed: Deed, kind: type[Exception], words: str, transient: bool
) -> None:
    async with misbehave(deed) as bad:
        error = await failure(bad.url, kind)
    assert words in str(error)
    assert "\n" not in str(error)
    assert error.transient is transient
    assert str(error.request) == "GET /"
    if kind is ConnectError:
        assert bad.url in str(error)


async def test_a_server_that_is_not_there_is_named() -> None:
    async with misbehave(html) as bad:
        gone = bad.url
    error = await failure(gone, ConnectError)
    assert f"cannot connect to {gone}: " in str(error)
    assert "is the cluster up, and are host and port right?" in str(error)
    assert error.transient


async def test_a_host_that_does_not_exist_is_named() -> None:
    error = await failure("http://no-such-host.invalid:9200", ConnectError)
    assert "cannot connect to http://no-such-host.invalid:9200" in str(error)


@pytest.mark.parametrize(
    ("deed", "timeout", "words"),
    [
        (never_answers, Timeout(read=0.02), "was silent for 0.02 s; session.options(timeout=Timeout(read="),
        (never_answers, Timeout(total=0.02), "no complete response from"),
        (never_answers, 0.02, "within 0.02 s"),
        (drips, Timeout(read=5, total=0.05), "within 0.05 s"),
    ],
)
async def test_each_limit_of_time_is_kept_and_named(deed: Deed, timeout: Timeout | float, words: str) -> None:
    async with misbehave(deed) as bad:
        error = await failure(bad.url, RequestTimeout, timeout=timeout)
        await bad.gone.wait()
    assert words in str(error)
    assert bad.url in str(error)
    assert error.transient


async def test_the_time_to_connect_has_its_own_limit() -> None:
    async with misbehave(never_answers) as bad:
        url = bad.url.replace("http:", "https:")
        error = await failure(url, RequestTimeout, timeout=Timeout(connect=0.02))
    assert f"no connection to {url} within 0.02 s; is it reachable, and pool_size large enough?" in str(error)


async def test_a_number_limits_the_whole_attempt_and_none_nothing() -> None:
    assert as_timeout(5) == Timeout(connect=5, read=5, total=5)
    assert as_timeout(None) == Timeout(connect=None, read=None, total=None)
    assert as_timeout(Timeout(read=1)) == Timeout(connect=10, read=1, total=300)


async def test_a_connection_that_breaks_otherwise_is_a_connect_error_with_its_cause() -> None:
    with aioresponses() as network:
        network.get("http://node:9200/", exception=ClientOSError(104, "Connection reset by peer"))
        error = await failure("http://node:9200", ConnectError)
    assert "the connection to http://node:9200 broke: [Errno 104] Connection reset by peer" in str(error)
    assert isinstance(error.__cause__, ClientOSError)
    assert error.transient


async def test_an_alert_of_tls_after_the_handshake_is_not_repeated() -> None:
    with aioresponses() as network:
        alert = ClientOSError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required")
        network.get("https://node:9200/", exception=alert)
        error = await failure("https://node:9200", ConnectError)
    assert "name it in client_cert" in str(error)
    assert not error.transient


async def test_an_answer_has_lower_case_headers_and_its_bytes() -> None:
    with aioresponses() as network:
        network.get("http://node:9200/", body=b"{}", headers={"X-Some": "Thing"})
        async with Session("http://node:9200") as ml:
            got = await ml.request("GET", "/")
    assert (got.status, got.body, got.headers["x-some"]) == (200, b"{}", "Thing")


async def test_an_error_can_be_copied_and_pickled() -> None:
    async with misbehave(garbage) as bad:
        error = await failure(bad.url, ConnectError)
    again = copy.copy(error)  # uses __reduce__, as pickling does
    assert (type(again), str(again), again.transient) == (type(error), str(error), False)


# ---- what goes over the wire -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_id", "raw"),
    [
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("a b", "a%20b"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("a%2Fb", "a%252Fb"),
        ("a?b#c", "a%3Fb%23c"),
        ("a+b&c=d", "a%2Bb%26c%3Dd"),
        ("x..y", "x..y"),
    ],
)
async def test_an_id_arrives_quoted_once(model_id: str, raw: str) -> None:
    async with serve(reply({})) as server, Session(server.url) as ml:
        await ml.models.get(model_id)
    assert server.heard[0].path == f"/_plugins/_ml/models/{raw}"


async def test_query_parameters_arrive_intact() -> None:
    query = {"q": "a&b=c d+e%2Fé/?#", "empty": "", "list": "a,b"}
    seen: list[dict[str, str]] = []

    async def look(request: web.BaseRequest) -> web.Response:
        seen.append(dict(request.query))
        return web.json_response({})

    async with serve(look) as server, Session(server.url) as ml:
        await ml.request("GET", "/_search", query=query)
    assert seen == [query]


async def test_a_path_with_a_query_of_its_own_keeps_it() -> None:
    async with serve() as server, Session(server.url) as ml:
        await ml.request("GET", "/_cat/nodes?format=json&h=a%2Fb", query={"v": "true"})
    assert server.heard[0].path == "/_cat/nodes?format=json&h=a%2Fb&v=true"


async def test_a_prefix_in_the_url_stays_before_the_path() -> None:
    async with serve() as server, Session(f"{server.url}/search/") as ml:
        await ml.info()
        await ml.request("GET", "/_cat/nodes")
    assert [heard.path for heard in server.heard] == ["/search/", "/search/_cat/nodes"]


async def test_a_post_without_a_body_names_no_content_type() -> None:
    async with serve(reply({"task_id": "t", "status": "CREATED"})) as server, Session(server.url) as ml:
        await ml.models.deploy("m")
    assert server.heard[0].body == b""
    assert "content-type" not in server.heard[0].headers


async def test_a_chunk_of_raw_bytes_goes_as_json() -> None:
    async with serve(reply({"status": "Uploaded"})) as server, Session(server.url) as ml:
        await ml.models.upload_chunk("m", 0, b"\x00PK\xff")
    assert server.heard[0].body == b"\x00PK\xff"
    assert server.heard[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(("gzip", "encoding"), [(False, "identity"), (True, "gzip, deflate")])
async def test_compressed_answers_come_only_where_they_are_asked_for(gzip: bool, encoding: str) -> None:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        response = web.json_response({**INFO, "padding": "x" * 5000})
        if gzip:
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async with serve(answer) as server, Session(server.url, gzip=gzip) as ml:
        assert (await ml.info()).extra == {"padding": "x" * 5000}
    assert server.heard[0].headers["accept-encoding"] == encoding


async def test_no_redirect_is_followed() -> None:
    async with serve(reply({}, status=307, location="/elsewhere")) as server, Session(server.url) as ml:
        got = await ml._exchange.transport.send(HttpRequest("GET", "/", base=server.url), Timeout())
    assert (got.status, len(server.heard)) == (307, 1)


async def test_no_cookie_is_kept() -> None:
    async with serve(reply(set_cookie="a=b")) as server:
        # By host name, because aiohttp never stores cookies of an IP address.
        ml = await Session.connect(server.url.replace("127.0.0.1", "localhost"))
        await ml.info()
        await ml.close()
    assert "cookie" not in server.heard[1].headers


@pytest.mark.parametrize("pool_size", [1, 3])
async def test_the_pool_never_opens_more_connections_than_asked(pool_size: int) -> None:
    under_way: list[int] = []
    full = asyncio.Event()

    async def wait_for_company(_: web.BaseRequest) -> web.StreamResponse:
        under_way.append(1)
        if len(under_way) >= pool_size:
            full.set()
        await full.wait()
        return reply()

    async with serve(wait_for_company) as server, Session(server.url, pool_size=pool_size) as ml:
        await asyncio.gather(*(ml.info() for _ in range(9)))
    assert (len(server.heard), len(server.connections)) == (9, pool_size)


async def test_a_call_that_waits_too_long_for_a_free_connection_is_told_of_the_pool() -> None:
    async with misbehave(never_answers) as bad, Session(bad.url, pool_size=1, retries=0) as ml:
        first = asyncio.ensure_future(ml.info())
        await bad.called.wait()
        with pytest.raises(RequestTimeout, match="pool_size large enough"):
            await ml.options(timeout=Timeout(connect=0.02)).info()
        first.cancel()


async def test_a_server_that_responded_before_gets_no_hint_at_its_scheme() -> None:
    async def drop(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with serve(reply(), drop) as server, Session(server.url, retries=0) as ml:
        await ml.info()
        with pytest.raises(ConnectError) as caught:
            await ml.info()
    assert "TLS" not in str(caught.value)


# ---- lifetime --------------------------------------------------------------------------------------------------------


async def test_cancelling_a_call_closes_its_connection() -> None:
    async with misbehave(never_answers) as bad, Session(bad.url) as ml:
        async with anyio.create_task_group() as group:
            group.start_soon(ml.info)
            await bad.called.wait()
            group.cancel_scope.cancel()
        await bad.gone.wait()


async def test_a_transport_that_is_not_open_says_so() -> None:
    transport = AiohttpTransport(tls=None, pool_size=1, gzip=False)
    with pytest.raises(SessionClosed, match="not open"):
        await transport.send(HttpRequest("GET", "/", base="http://node:9200"), Timeout())
    await transport.close()


async def test_another_event_loop_is_refused() -> None:
    async with serve() as server, Session(server.url) as ml:
        with pytest.raises(SessionClosed, match="belongs to another event loop: open one session for each loop"):
            await asyncio.to_thread(asyncio.run, ml.info())


# ---- the URL ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://h", "https://h:9200", "https://h:9200/base/", "https://[::1]:9200"])
async def test_a_url_of_http_or_https_is_taken(url: str) -> None:
    assert str(check_url(url)).rstrip("/") == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:9200",
        "h",
        "https://",
        "ftp://h:1",
        "http://h:1/?pretty",
        "http://h/#top",
        "http://h:99999",
        5,
        None,
    ],
)
async def test_any_other_url_is_refused_with_an_example(url: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="url must be like 'https://host:9200'"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    ["admin:hush@host:9200", "ftp://admin:hush@h", "http://admin:hush@h:99999", "https://admin:1/hush@host:9200"],
)
async def test_a_refused_url_shows_no_password(url: str) -> None:
    with pytest.raises(ValueError, match="url must be like") as caught:
        check_url(url)
    assert "hush" not in str(caught.value)


async def test_nothing_is_sent_again_behind_the_sessions_back() -> None:
    async def drop(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport
        request.transport.abort()
        return web.Response()

    async with serve(reply(), drop) as server, Session(server.url, retries=0) as ml:
        await ml.info()
        with pytest.raises(ConnectError):
            await ml.info()
        assert (len(server.heard), len(server.connections)) == (2, 1)


# ---- connections that are used again --------------------------------------------------------------------------------


GOOD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


def good(body: object) -> bytes:
    """Return a response in bytes."""
    encoded = orjson.dumps(body)
    return GOOD % (len(encoded), encoded)


def answering(*answers: bytes) -> Deed:
    """Return a deed that sends these bytes, one after each request, and then ends the connection."""

    async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

    return deed


async def test_an_answer_to_nobody_is_not_taken_for_that_of_the_next_call() -> None:
    stray = {**INFO, "name": "stray"}
    said = asyncio.Event()

    async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(good(INFO))
        if bad.calls == 1:
            await writer.drain()
            await said.wait()
            writer.write(good(stray))
            await writer.drain()
        await reader.read()

    async with misbehave(deed) as bad, Session(bad.url, retries=0) as ml:
        await ml.info()
        said.set()
        for _ in range(10):
            await checkpoint()
        assert (await ml.info()).name == INFO["name"]
        assert bad.calls == 2


async def test_a_connection_that_the_server_closed_unseen_is_not_used_again() -> None:
    """The event loop had no time to see it: a call that is not idempotent must not fail for that."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve_one() -> socket.socket:
            connection, _ = listener.accept()
            while b"\r\n\r\n" not in connection.recv(65_536):
                pass
            connection.sendall(good(INFO))
            return connection

        async with Session(f"http://127.0.0.1:{port}", retries=0) as ml:
            serving = asyncio.create_task(asyncio.to_thread(serve_one))
            await ml.info()
            (await serving).close()
            serving = asyncio.create_task(asyncio.to_thread(serve_one))
            # Made without a turn of the event loop since the connection was closed.
            await ml.request("POST", "/_once", body={})
            (await serving).close()


@pytest.mark.parametrize("broken", [b"zz\r\n", b"2\r\n{}{}{}\r\n0\r\n\r\n"])
async def test_a_chunk_that_is_none_ends_the_call_and_the_stream(broken: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + b"1\r\n \r\n")
        await writer.drain()
        for _ in range(10):
            await checkpoint()  # so that the client reads the head first
        writer.write(broken)
        await reader.read()

    async with misbehave(deed) as bad, Session(bad.url, retries=0) as ml:
        with pytest.raises(ConnectError, match="truncated"):
            await ml.info()
        with pytest.raises(ConnectError, match="truncated"):
            async with ml.models.predict_stream("m", parameters={}) as events:
                async for _ in events:
                    pass


async def test_garbage_of_a_server_that_responded_before_passes() -> None:
    garbage = b"\x00\xff" + 1_000 * b"x" + b"\r\n\r\n"
    async with misbehave(answering(good(INFO), garbage)) as bad, Session(bad.url, retries=0) as ml:
        await ml.info()
        with pytest.raises(ConnectError, match="did not respond in HTTP") as caught:
            await ml.info()
        assert caught.value.transient
        assert "another program" not in str(caught.value)
        assert len(str(caught.value)) < 500
    async with misbehave(answering(good(INFO), garbage)) as bad, Session(bad.url, retries=1, backoff=NO_WAIT) as ml:
        await ml.info()
        await ml.info()
        assert bad.calls == 2


class CallableTransport:
    """A transport that can be called too."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def open(self) -> None:
        self.calls.append("open")

    async def close(self) -> None:
        self.calls.append("close")

    async def send(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        self.calls.append("send")
        return HttpResponse(200, b"{}", {"content-type": "application/json"})

    @asynccontextmanager
    async def stream(self, request: HttpRequest, timeout: Timeout) -> AsyncGenerator[Streamed]:
        yield Streamed(200, {}, AsyncMock(return_value=b""))

    async def __call__(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        raise AssertionError("it is a transport, and no function")


@pytest.mark.asyncio
async def test_a_transport_that_is_callable_is_one_all_the_same() -> None:
    transport = CallableTransport()
    async with Session("http://node:9200", transport=transport) as ml:
        await ml.request("GET", "/")
    assert transport.calls == ["open", "send", "close"]


async def test_what_is_no_transport_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="transport must have open, close, send and stream, or be an async function"):
        Session("http://node:9200", transport=object())  # type: ignore[arg-type]
