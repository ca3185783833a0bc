"""The transport adapter for aiohttp: connection pool, timeouts and limits; its errors are _connect_errors.py's."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Any, TypeVar

import aiohttp
import anyio.to_thread
from yarl import URL

from aiomlcommons.errors import MLCommonsError, ResponseTooLarge, SessionClosed
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.net._connect_errors import ConnectErrors
from aiomlcommons.net._limits import IS_KNOWN, Connection, Deadlines, Within
from aiomlcommons.net._pooled import Pooled
from aiomlcommons.net.proxy import DIRECT, Proxies
from aiomlcommons.net.tls import TLS
from aiomlcommons.net.transport import Streamed, Timeout
from aiomlcommons.owner import Owner

T = TypeVar("T")

LARGE = 2**20
# Twice as many bytes are read ahead: the answer to a batch is not to stop the socket, and start it again.
BUFFER = 2**18
# Seconds for the farewell of a connection with TLS that is dropped, which OpenSearch does not return. asyncio waits 30,
# and until then the socket is open, though the pool has long replaced it.
FAREWELL = 0.1


class AiohttpTransport:
    """HTTP/1.1 over a connection pool. Bound to one event loop: open, use and close it there."""

    def __init__(self, *, tls: TLS | None, pool_size: int, gzip: bool, proxies: Proxies = DIRECT) -> None:
        """``tls`` is None where the nodes speak plain HTTP."""
        self._tls = tls
        self._pool_size = pool_size
        self._gzip = gzip
        self._proxies = proxies
        self._errors = ConnectErrors(tls, proxies)
        self._client: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Create the connection pool; connections are opened on demand."""
        context = True if self._tls is None else await anyio.to_thread.run_sync(self._tls.context)
        connector = aiohttp.TCPConnector(limit=0, limit_per_host=self._pool_size, ssl=context)
        # The argument of this name is deprecated; without it only connections that end with the session close at once.
        connector._ssl_shutdown_timeout = FAREWELL
        loop = asyncio.get_running_loop()
        factory: Any = partial(Connection if IS_KNOWN else Pooled, loop=loop)
        connector._factory = factory
        self._deadlines = Deadlines(loop)
        self._client = aiohttp.ClientSession(
            connector=connector,
            headers={"accept-encoding": "gzip, deflate" if self._gzip else "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=BUFFER,
        )
        # aiohttp would silently resend some requests if a reused connection breaks; only Exchange decides on retries.
        self._client._retry_connection = False
        # In a forked process aiohttp's finalizers are to take it for closed.
        self._owner = Owner(keeps=connector, abandon=partial(setattr, connector, "_closed", True))

    async def close(self) -> None:
        """Close every connection. Idempotent; in a forked process the connections are its parent's, and stay open."""
        client, self._client = self._client, None
        if client is not None and not self._owner.is_forked:
            self._deadlines.close()
            if client.connector is not None:
                await client.connector.close(abort_ssl=True)
            await client.close()

    async def send(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        """Send a request and return its complete response."""
        client = self._opened()
        try:
            with Within(self._deadlines, timeout.total):
                answer = await self._begin(client, request, timeout)
                try:
                    self._errors.responded(answer.status, request)
                    return HttpResponse(answer.status, await _read(answer, request), _headers(answer), request)
                except BaseException:
                    answer.close()
                    raise
        except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
            failure = self._errors.of(error, request, timeout)
        except asyncio.CancelledError:
            failure = self._closed_meanwhile()
        # Raised outside of the except block: aiohttp's error may hold credentials, and must not become its context.
        raise failure

    @asynccontextmanager
    async def stream(self, request: HttpRequest, timeout: Timeout) -> AsyncGenerator[Streamed]:
        """Send a request and stream the body of the response."""
        # A stream may last long: once it has begun there is only the read timeout between two chunks.
        answer = await self._translated(self._begun(request, timeout), request, timeout)

        async def pieces() -> bytes:
            self._owner.check("the stream")
            return await self._translated(answer.content.readany(), request, timeout)

        try:
            self._errors.responded(answer.status, request)
            yield Streamed(answer.status, _headers(answer), pieces)
        finally:
            # Close the connection rather than drain the unread rest; the server notices that and stops.
            answer.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._client is None:
            raise SessionClosed("the session is not open")
        return self._client

    async def _begun(self, request: HttpRequest, timeout: Timeout) -> aiohttp.ClientResponse:
        client = self._opened()
        with Within(self._deadlines, timeout.total):
            return await self._begin(client, request, timeout)

    def _begin(
        self, client: aiohttp.ClientSession, request: HttpRequest, timeout: Timeout
    ) -> Awaitable[aiohttp.ClientResponse]:
        url = URL(request.url, encoded=True)  # encoding it again would change an id, or break a signature
        headers, proxy, for_proxy = request.headers, self._proxies.of_url(url), None
        if proxy is not None and url.scheme == "https":
            for_proxy = proxy.headers  # within TLS the cluster would get them
        elif proxy is not None:
            headers = {**headers, **proxy.headers}  # without TLS aiohttp forgets those that are for the proxy
        return client.request(
            request.method,
            url,
            proxy=None if proxy is None else proxy.url,
            proxy_headers=for_proxy,
            data=_payload(request.body),
            headers=headers,
            # aiohttp would send application/octet-stream for a POST without a body, which the server rejects with 406.
            skip_auto_headers=("content-type",) if request.body is None and request.method != "GET" else None,
            timeout=_timeout(timeout),
            allow_redirects=False,
        )

    async def _translated(self, work: Awaitable[T], request: HttpRequest, timeout: Timeout) -> T:
        try:
            return await work
        except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
            failure = self._errors.of(error, request, timeout)
        except asyncio.CancelledError:
            failure = self._closed_meanwhile()
        raise failure

    def _closed_meanwhile(self) -> MLCommonsError:
        """Return the error of a call that the pool cancelled when it was closed; raises again any other cancellation.

        aiohttp cancels who waits for a connection, as if somebody had cancelled the task.
        """
        task = asyncio.current_task()
        if self._client is not None or task is None or task.cancelling():
            raise
        return SessionClosed("the session was closed meanwhile")


async def _read(answer: aiohttp.ClientResponse, request: HttpRequest) -> bytes:
    """Return the body. Raises ResponseTooLarge before more than is allowed of it is read."""
    content, most = answer.content, request.most
    # A small one has come with the headers, mostly; then the connection is back in the pool already.
    if content.is_eof():
        if content.total_bytes > most:
            raise ResponseTooLarge(request, answer.status)
        return content.read_nowait()
    if (answer.content_length or 0) > most and request.method != "HEAD":
        raise ResponseTooLarge(request, answer.status)
    # Not by answer.read(), which neither counts nor stops the socket. A BytesIO, unlike a list that is joined, needs
    # no second copy of the body.
    body = io.BytesIO()
    while piece := await content.readany():
        body.write(piece)
        if body.tell() > most:
            raise ResponseTooLarge(request, answer.status)
    return body.getvalue()


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    # aiohttp writes bytes at once but a BytesIO in chunks, so that a large body does not block the event loop.
    return io.BytesIO(body) if body is not None and len(body) > LARGE else body


@lru_cache
def _timeout(timeout: Timeout) -> aiohttp.ClientTimeout:
    # The limit of a whole attempt is not aiohttp's to keep: it would take a timer for each.
    return aiohttp.ClientTimeout(total=None, connect=timeout.connect, sock_read=timeout.read)
