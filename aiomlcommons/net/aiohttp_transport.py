"""aiohttp behind the seam to the network. No other module knows it, the emulator aside."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import aiohttp
import anyio
import anyio.to_thread
import attrs
from yarl import URL

from aiomlcommons.errors import ConnectError, RequestTimeout, SessionClosed
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.net.tls import TLS
from aiomlcommons.net.transport import Streamed, Timeout

T = TypeVar("T")

LARGE = 2**20


class AiohttpTransport:
    """HTTP/1.1 over a pool of connections. Open it on the event loop that uses it, close it there too."""

    def __init__(self, url: str, *, tls: TLS, pool_size: int, gzip: bool) -> None:
        self._url = URL(url.rstrip("/"))
        self._base = str(self._url)
        self._tls = tls
        self._pool_size = pool_size
        self._gzip = gzip
        self._client: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the pool. No connection is opened yet."""
        context = await anyio.to_thread.run_sync(self._tls.context) if self._url.scheme == "https" else True
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._pool_size, ssl=context),
            headers={"accept-encoding": "gzip, deflate" if self._gzip else "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        # It would send some requests again by itself where a connection that was used before breaks, and say nothing.
        self._client._retry_connection = False
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Close every connection. Closing twice is closing once."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def send(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        """Send a request and read its answer whole."""
        return await self._translated(self._whole(request, timeout), request, timeout)

    async def _whole(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        async with self._begin(request, timeout) as answer:
            return HttpResponse(answer.status, await answer.read(), _headers(answer))

    @asynccontextmanager
    async def stream(self, request: HttpRequest, timeout: Timeout) -> AsyncGenerator[Streamed]:
        """Send a request and give the answer's body as it comes, for as long as it lasts."""
        # A stream may go on for long, so only silence is limited.
        endless = attrs.evolve(timeout, total=None)
        answer = await self._translated(self._begin(request, endless), request, endless)

        async def pieces() -> bytes:
            return await self._translated(answer.content.readany(), request, endless)

        try:
            yield Streamed(answer.status, _headers(answer), pieces)
        finally:
            # What was not read is not waited for: the connection is closed, and the server notices.
            answer.close()

    def _begin(self, request: HttpRequest, timeout: Timeout) -> Any:
        client = self._client
        if client is None:
            raise SessionClosed("the session is not open")
        if asyncio.get_running_loop() is not self._loop:
            raise SessionClosed("the session belongs to another event loop: open one session for each loop")
        # encoded=True: the path is quoted already, and quoting it again would change an id.
        url = URL(f"{self._base}{request.path}", encoded=True)
        return client.request(
            request.method,
            url.update_query(request.query) if request.query else url,
            data=_payload(request.body),
            headers=request.headers,
            # aiohttp would name application/octet-stream for a POST without a body, which the server refuses with 406.
            skip_auto_headers=("content-type",) if request.body is None else None,
            timeout=_timeout(timeout),
            allow_redirects=False,
        )

    async def _translated(self, work: Awaitable[T], request: HttpRequest, timeout: Timeout) -> T:
        try:
            return await work
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = self._translate(error, request, timeout)
        # Raised here, not above: the error that aiohttp raised may hold credentials, and must not be its context.
        raise failure

    def _translate(self, error: Exception, request: HttpRequest, timeout: Timeout) -> ConnectError:
        """Every error of aiohttp, in words of ours that say what to do."""
        where = str(self._url.origin())
        lasting = partial(ConnectError, request=request, transient=False)
        match error:
            case TimeoutError():
                failure: ConnectError = RequestTimeout(_too_late(error, where, timeout), request)
            case aiohttp.ClientConnectorCertificateError():
                failure = lasting(_no_trust(error.certificate_error, where))
            case aiohttp.ClientConnectorSSLError():
                hint = "does this port speak TLS? If not, the URL must begin with http"
                failure = lasting(f"TLS with {where} failed: {error.os_error}; {hint}")
            case aiohttp.ClientConnectorError():
                hint = "is the cluster up, and are host and port right?"
                failure = ConnectError(f"cannot connect to {where}: {error.os_error}; {hint}", request)
            case aiohttp.ClientPayloadError():
                failure = ConnectError(f"the answer of {where} was cut off: {error}", request)
            case aiohttp.ServerDisconnectedError():
                failure = ConnectError(f"{where} closed the connection without an answer{self._hint()}", request)
            case aiohttp.ClientResponseError():
                # The error holds the headers that were sent, credentials too, so it is not kept as the cause.
                words = " ".join(error.message.split())
                return lasting(f"{where} did not answer in HTTP: {words}; is another program at this port?")
            case _:
                broken = f"the connection to {where} broke: {error}{self._hint()}"
                failure = ConnectError(broken, request, transient="[SSL" not in str(error))
        failure.__cause__ = error
        return failure

    def _hint(self) -> str:
        if self._url.scheme == "http":
            return "; if the cluster uses TLS, the URL must begin with https"
        return "" if self._tls.client_cert else "; if the cluster asks for a client certificate, name it in client_cert"


def _too_late(error: TimeoutError, where: str, timeout: Timeout) -> str:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return f"no connection to {where} within {timeout.connect} s; is it reachable, and pool_size large enough?"
        case aiohttp.SocketTimeoutError():
            remedy = "session.options(timeout=Timeout(read=...)) sets another limit"
            return f"{where} was silent for {timeout.read} s; {remedy}"
        case _:
            return f"no whole answer from {where} within {timeout.total} s; a longer time is given by timeout=..."


def _no_trust(error: Exception, where: str) -> str:
    why = getattr(error, "verify_message", "") or str(error)
    if "mismatch" in why:
        return f"the certificate of {where} is for another host: {why}; use a name that stands in it"
    remedy = "name its authority with ca_certs=... or OPENSEARCH_CA_CERTS"
    return f"the certificate of {where} is not trusted: {why}; {remedy}"


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    # Bytes are written in one go; a large body must let the loop breathe, and a BytesIO is written in pieces.
    return io.BytesIO(body) if body is not None and len(body) > LARGE else body


def _timeout(timeout: Timeout) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=timeout.total, connect=timeout.connect, sock_read=timeout.read)


def check_url(url: Any) -> URL:
    """The cluster's URL, checked.

    Raises ValueError that says what is missing, and shows no password.
    """
    try:
        parsed = URL(url)
    except (TypeError, ValueError) as error:
        raise ValueError(f"url must be like 'https://host:9200': {error}") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.query_string or parsed.fragment:
        raise ValueError(f"url must be like 'https://host:9200', not {str(url).rpartition('@')[2]!r}")
    if "@" in parsed.path:
        raise ValueError("url must be like 'https://host:9200': quote the password, or give it in auth=...")
    return parsed
