"""The one seam to the network, and aiohttp behind it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeAlias

import aiohttp
import anyio
import anyio.to_thread
import attrs
from yarl import URL

from aiomlcommons.errors import ConnectError, RequestTimeout, SessionClosed
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.secret import Secret, reveal

Transport: TypeAlias = Callable[[HttpRequest, "Timeout"], Awaitable[HttpResponse]]
"""A function from request to answer; it raises ConnectError where no answer came. Any such function will do."""


@attrs.frozen
class Timeout:
    """Limits in seconds for one attempt; None is no limit.

    ``connect`` covers waiting for a free connection, DNS, TCP and TLS; ``read`` the silence between two pieces of an
    answer; ``total`` all of it.
    """

    connect: float | None = 10.0
    read: float | None = 60.0
    total: float | None = 300.0


@attrs.frozen(kw_only=True)
class TLS:
    """How the server proves itself, and the client where it must.

    ``verify=False`` accepts any certificate: for a throw-away cluster only. ``ca_certs`` is a PEM file of the
    authorities to trust in place of the system's; ``client_cert`` and ``client_key`` are PEM files, ``client_key`` may
    stand in the same file.
    """

    verify: bool = True
    ca_certs: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    client_key_password: str | Secret | None = attrs.field(default=None, repr=lambda _: "'***'")

    def context(self) -> ssl.SSLContext:
        """An SSL context. It reads files, so call it off the event loop.

        Raises FileNotFoundError or ssl.SSLError, naming the file.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_certs)
        except (OSError, ssl.SSLError) as error:
            raise type(error)(f"ca_certs={self.ca_certs!r} cannot be used: {error}") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_cert:
            password = reveal(self.client_key_password) if self.client_key_password else None
            try:
                context.load_cert_chain(self.client_cert, self.client_key, password)
            except (OSError, ssl.SSLError) as error:
                raise type(error)(f"client_cert={self.client_cert!r} cannot be used: {error}") from error
        return context


class AiohttpTransport:
    """HTTP/1.1 over a pool of connections. Open it on the event loop that uses it, close it there too."""

    def __init__(self, url: str, *, tls: TLS, pool_size: int, gzip: bool) -> None:
        self._url = URL(url.rstrip("/"))
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
            # aiohttp would name application/octet-stream for a POST without a body, which the server refuses with 406.
            skip_auto_headers=("content-type", "user-agent"),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Close every connection. Closing twice is closing once."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def __call__(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        """Send a request and read its answer whole."""
        client = self._client
        if client is None:
            raise SessionClosed("the session is not open")
        if asyncio.get_running_loop() is not self._loop:
            raise SessionClosed("the session belongs to another event loop: open one session for each loop")
        try:
            async with client.request(
                request.method,
                # encoded=True: the path is quoted already, and quoting it again would change an id.
                URL(f"{self._url}{request.path}", encoded=True).update_query(request.query),
                data=request.body,
                headers=request.headers,
                timeout=_timeout(timeout),
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
                return HttpResponse(answer.status, body, {k.lower(): v for k, v in answer.headers.items()})
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._translate(error, request, timeout)

    def _translate(self, error: Exception, request: HttpRequest, timeout: Timeout) -> NoReturn:
        """Every error of aiohttp, in words of ours that say what to do."""
        where = self._url.origin() if self._url.absolute else self._url
        match error:
            case aiohttp.ConnectionTimeoutError():
                message = f"no connection to {where} within {timeout.connect} s"
                raise RequestTimeout(message, request) from error
            case TimeoutError():
                limits = f"read={timeout.read}, total={timeout.total}"
                raise RequestTimeout(f"no answer from {where} in time ({limits} s)", request) from error
            case aiohttp.ClientConnectorCertificateError():
                why = f"the certificate of {where} is not trusted: {error.certificate_error}"
                remedy = "name its authority with ca_certs=..."
                raise ConnectError(f"{why}; {remedy}", request, transient=False) from error
            case aiohttp.ClientSSLError():
                message = f"TLS with {where} failed: {error}; is it https, and is a client certificate asked for?"
                raise ConnectError(message, request, transient=False) from error
            case aiohttp.ClientConnectorError():
                raise ConnectError(f"cannot connect to {where}: {error.os_error}", request) from error
            case aiohttp.ClientPayloadError():
                raise ConnectError(f"the answer of {where} was cut off: {error}", request) from error
            case aiohttp.ServerDisconnectedError():
                hint = "; if the cluster uses TLS, the URL must begin with https" if where.scheme == "http" else ""
                raise ConnectError(f"{where} closed the connection without an answer{hint}", request) from error
            case aiohttp.ClientResponseError():
                message = f"{where} did not answer in HTTP: {error.message or error}"
                raise ConnectError(message, request, transient=False) from error
            case _:
                raise ConnectError(f"the connection to {where} failed: {error!r}", request) from error


def _timeout(timeout: Timeout) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=timeout.total, connect=timeout.connect, sock_read=timeout.read)


def as_timeout(value: Timeout | float | None) -> Timeout:
    """A number is the limit for a whole attempt; None is no limit at all."""
    if isinstance(value, Timeout):
        return value
    return Timeout(connect=value, read=value, total=value)


def check_url(url: Any) -> URL:
    """The cluster's URL, checked.

    Raises ValueError that says what is missing.
    """
    parsed = URL(url) if isinstance(url, str) else url
    if not isinstance(parsed, URL) or parsed.scheme not in {"http", "https"} or not parsed.host:
        shown = f"{parsed.scheme}://..." if isinstance(parsed, URL) and parsed.password else repr(url)
        raise ValueError(f"url must be like 'https://host:9200', not {shown}")
    return parsed
