"""The one seam to the network, and aiohttp behind it."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

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

LARGE = 2**20


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

        Raises FileNotFoundError or ssl.SSLError, naming the file, and ValueError for a key without a certificate.
        """
        if self.client_key and not self.client_cert:
            raise ValueError("client_key proves nothing without client_cert: name the certificate too")
        with _naming("ca_certs", self.ca_certs):
            context = ssl.create_default_context(cafile=self.ca_certs)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_cert:
            # Without a password OpenSSL would ask the terminal for one; an empty one fails, and suits a plain key.
            with _naming("client_cert", self.client_cert):
                context.load_cert_chain(self.client_cert, self.client_key, reveal(self.client_key_password or ""))
        return context


@contextmanager
def _naming(option: str, path: str | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, f"{option}={path!r} cannot be used: {error.strerror}") from error


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
                data=_payload(request.body),
                headers=request.headers,
                timeout=_timeout(timeout),
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
                return HttpResponse(answer.status, body, {k.lower(): v for k, v in answer.headers.items()})
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = self._translate(error, request, timeout)
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
            return f"{where} was silent for {timeout.read} s; a longer time is given by timeout=Timeout(read=...)"
        case _:
            return f"no whole answer from {where} within {timeout.total} s; a longer time is given by timeout=..."


def _no_trust(error: Exception, where: str) -> str:
    why = getattr(error, "verify_message", "") or str(error)
    if "mismatch" in why:
        return f"the certificate of {where} is for another host: {why}; use a name that stands in it"
    return f"the certificate of {where} is not trusted: {why}; name its authority with ca_certs=..."


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    # Bytes are written in one go; a large body must let the loop breathe, and a BytesIO is written in pieces.
    return io.BytesIO(body) if body is not None and len(body) > LARGE else body


def _timeout(timeout: Timeout) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=timeout.total, connect=timeout.connect, sock_read=timeout.read)


def as_timeout(value: Timeout | float | None) -> Timeout:
    """A number is the limit for a whole attempt; None is no limit at all."""
    if isinstance(value, Timeout):
        return value
    return Timeout(connect=value, read=value, total=value)


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
    return parsed
