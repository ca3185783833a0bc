"""The transport adapter for aiohttp: connection pool, timeouts, and translation of its errors."""

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

from aiomlcommons.errors import (
    ConnectError,
    InvalidRequest,
    MLCommonsError,
    RequestTimeout,
    ResponseTooLarge,
    SessionClosed,
)
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.net._limits import IS_KNOWN, Connection, Deadlines, Within
from aiomlcommons.net._pooled import Pooled
from aiomlcommons.net.proxy import DIRECT, Proxies, Proxy
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
# Characters of an error of aiohttp that are shown: it may quote the body of a response, of any length.
SHOWN = 200


class AiohttpTransport:
    """HTTP/1.1 over a connection pool. Bound to one event loop: open, use and close it there."""

    def __init__(self, *, tls: TLS | None, pool_size: int, gzip: bool, proxies: Proxies = DIRECT) -> None:
        """``tls`` is None where the nodes speak plain HTTP."""
        self._tls = tls
        self._pool_size = pool_size
        self._gzip = gzip
        self._proxies = proxies
        self._client: aiohttp.ClientSession | None = None
        self._responded: set[str] = set()

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
                    self._check(answer.status, request)
                    return HttpResponse(answer.status, await _read(answer, request), _headers(answer), request)
                except BaseException:
                    answer.close()
                    raise
        except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
            failure = self._translate(error, request, timeout)
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
            self._check(answer.status, request)
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
            failure = self._translate(error, request, timeout)
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

    def _translate(self, error: Exception, request: HttpRequest, timeout: Timeout) -> MLCommonsError:
        """Map an error of aiohttp to one of the package."""
        if isinstance(error, UnicodeError):
            what = "a header or the path has a character that cannot be sent, such as half of a pair"
            return InvalidRequest(what)
        return self._connect_error(error, request, timeout)

    def _connect_error(self, error: Exception, request: HttpRequest, timeout: Timeout) -> ConnectError:
        """Map an error of aiohttp to a ConnectError that names the host and the remedy."""
        url = URL(request.base)
        where, proxy = str(url.origin()), self._proxies.of_url(url)
        if proxy is not None:
            where = f"{where} through the proxy {proxy.url}"
        # What did respond before is the cluster, so bytes that make no sense are the network's, and pass.
        known = request.base in self._responded
        lasting = partial(ConnectError, request=request, transient=False)
        match error:
            case TimeoutError():
                sent = not isinstance(error, aiohttp.ConnectionTimeoutError)
                # The error holds the URL with its query, so it is not kept as the cause.
                return RequestTimeout(_too_late(error, where, timeout), request, sent=sent)
            case aiohttp.ClientConnectorCertificateError():
                failure: ConnectError = lasting(_no_trust(error.certificate_error, where), sent=False)
            case aiohttp.ClientConnectorSSLError():
                refused = self._refused(error)
                hint = refused or ("" if known else "does this port speak TLS? If not, the URL must begin with http")
                words = f"TLS with {where} failed: {error.os_error}{hint and '; '}{hint}"
                failure = ConnectError(words, request, transient=known and not refused, sent=False)
            case aiohttp.ClientProxyConnectionError() if proxy is not None:
                hint = "is it up, and are its host and port right in proxy=... or HTTPS_PROXY?"
                words = f"cannot connect to the proxy {proxy.url}: {error.os_error}; {hint}"
                failure = ConnectError(words, request, sent=False)
            case aiohttp.ClientConnectorError(os_error=ConnectionResetError()):
                hint = "does it speak TLS 1.2 or newer?"
                words = f"{where} closed the connection in the middle of the TLS handshake; {hint}"
                failure = ConnectError(words, request, sent=False)
            case aiohttp.ClientConnectorError():
                hint = "is the cluster up, and are host and port right?"
                failure = ConnectError(f"cannot connect to {where}: {error.os_error}; {hint}", request, sent=False)
            case aiohttp.ClientPayloadError():
                failure = ConnectError(f"the response of {where} was truncated: {_brief(error)}", request)
            case aiohttp.ServerDisconnectedError():
                failure = ConnectError(
                    f"{where} closed the connection without a response{self._hint(request, error)}", request
                )
            case aiohttp.ClientHttpProxyError() if proxy is not None:
                # The error holds the password of the proxy, so it is not kept as the cause.
                return _refused_by(proxy, error.status, error.message, request)
            case aiohttp.ClientResponseError():
                # The error holds the request's headers, credentials included, so it is not kept as the cause.
                hint = "" if known else "; is another program at this port?"
                words = f"{where} did not respond in HTTP: {_brief(error)}{hint}"
                return ConnectError(words, request, transient=known)
            case _:
                refused = self._refused(error)
                broken = f"the connection to {where} broke: {_brief(error)}{self._hint(request, error)}"
                transient = not refused and (known or "[SSL" not in str(error))
                failure = ConnectError(broken, request, transient=transient)
        failure.__cause__ = error
        return failure

    def _check(self, status: int, request: HttpRequest) -> None:
        """Note that a node responded, unless it was the proxy that refused."""
        # Only a proxy answers 407; for a cluster behind TLS aiohttp raises an error by itself.
        if status == 407 and (proxy := self._proxies.of_url(URL(request.base))) is not None:
            raise _refused_by(proxy, status, "Proxy Authentication Required", request)
        self._responded.add(request.base)

    def _hint(self, request: HttpRequest, error: Exception) -> str:
        if refused := self._refused(error):
            return f"; {refused}"
        if request.base in self._responded:
            return ""  # so its scheme and certificates are right
        if URL(request.base).scheme == "http":
            return "; if the cluster uses TLS, the URL must begin with https"
        return (
            ""
            if self._tls is None or self._tls.client_cert
            else "; if the cluster asks for a client certificate, name it in client_cert"
        )

    def _refused(self, error: Exception) -> str:
        """Return a hint if the cluster ended the connection because of the certificate that it was shown (an alert)."""
        words = str(error)
        if self._tls is None or not self._tls.client_cert or "ALERT" not in words:
            return ""
        if "CERTIFICATE" not in words and "UNKNOWN_CA" not in words:
            return ""
        return "the cluster refuses the certificate in client_cert: does it trust its authority, and is it valid?"


def _brief(error: Exception) -> str:
    # Some of the messages quote what the server sent.
    words = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return " ".join(words[:SHOWN].split())


def _too_late(error: TimeoutError, where: str, timeout: Timeout) -> str:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return f"no connection to {where} within {timeout.connect} s; is it reachable, and pool_size large enough?"
        case aiohttp.SocketTimeoutError():
            remedy = "session.options(timeout=Timeout(read=...)) sets another limit"
            return f"{where} was silent for {timeout.read} s; {remedy}"
        case _:
            return f"no complete response from {where} within {timeout.total} s; timeout=... sets another limit"


def _refused_by(proxy: Proxy, status: int, message: str, request: HttpRequest) -> ConnectError:
    words = f"the proxy {proxy.url} refuses the connection to {URL(request.base).origin()}: {status} {message}"
    if status == 407:
        words += "; check user name and password in proxy='http://user:password@...' or HTTPS_PROXY"
    return ConnectError(words, request, transient=status in {502, 503, 504}, sent=False)


def _no_trust(error: Exception, where: str) -> str:
    why = getattr(error, "verify_message", "") or str(error)
    if "fingerprint=" in why:
        return f"the certificate of {where} is not the one that is pinned: {why}; has it been renewed?"
    if "mismatch" in why:
        return f"the certificate of {where} is for another host: {why}; use one of its names in the URL"
    if "expired" in why or "not yet valid" in why:
        return f"the certificate of {where} is out of date: {why}; have it renewed, or set the clock of this machine"
    remedy = "name its authority with ca_certs=... or OPENSEARCH_CA_CERTS"
    return f"the certificate of {where} is not trusted: {why}; {remedy}"


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
