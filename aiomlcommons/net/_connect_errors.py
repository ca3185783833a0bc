"""Errors of aiohttp, as those of the package: each names the host, what went wrong there, and the remedy."""

from __future__ import annotations

from functools import partial

import aiohttp
from yarl import URL

from aiomlcommons.errors import ConnectError, InvalidRequest, MLCommonsError, RequestTimeout
from aiomlcommons.http import HttpRequest
from aiomlcommons.net.proxy import Proxies, Proxy
from aiomlcommons.net.tls import TLS
from aiomlcommons.net.transport import Timeout

# Characters of an error of aiohttp that are shown: it may quote the body of a response, of any length.
SHOWN = 200


class ConnectErrors:
    """The translation of errors for one transport, which knows the nodes that responded: their URLs are right."""

    def __init__(self, tls: TLS | None, proxies: Proxies) -> None:
        """``tls`` is None where the nodes speak plain HTTP."""
        self._tls, self._proxies = tls, proxies
        self._responded: set[str] = set()

    def of(self, error: Exception, request: HttpRequest, timeout: Timeout) -> MLCommonsError:
        """Return the error of the package that stands for one of aiohttp."""
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

    def responded(self, status: int, request: HttpRequest) -> None:
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
