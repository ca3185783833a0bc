"""Every error of a call, and how an answer becomes one.

Those of tasks are in waiting/errors.py, those of the life of models in lifecycle/errors.py, and those of bulk jobs in
ingest/errors.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiomlcommons.http import HttpRequest, HttpResponse, is_success
from aiomlcommons.trouble import hints
from aiomlcommons.trouble.defects import defect_of
from aiomlcommons.trouble.error_body import body_of, describe, disabled_setting, retry_after
from aiomlcommons.trouble.said import heard
from aiomlcommons.trouble.table import Kind, Party, Trouble, trouble_of


class MLCommonsError(Exception):
    """Base of every error that the package raises for what a server or the network did."""

    transient: bool = False
    """Whether the same call may well succeed when it is sent again a little later."""

    retry_after: float | None = None
    """Seconds that the server asks to wait, where it says so."""


class InvalidRequest(MLCommonsError, ValueError):
    """A request that is refused before the network: it names the field and what is wrong with it."""


class NotSupported(MLCommonsError):
    """The server's version does not have this endpoint or field; the message says which version does."""


class SessionClosed(MLCommonsError, RuntimeError):
    """A session that is not open: not entered yet, closed, or made on another event loop."""


class ConnectError(MLCommonsError):
    """No answer came: refused, dropped, cut off, or no trust in the certificate. ``.request`` is what was sent."""

    def __init__(self, message: str, request: HttpRequest, *, transient: bool = True) -> None:
        super().__init__(f"{message} ({request})")
        self.message, self.request, self.transient = message, request, transient

    def __reduce__(self) -> Any:
        return partial(type(self), transient=self.transient), (self.message, self.request)


class RequestTimeout(ConnectError):
    """No answer in time. The server may still be at work on it."""


class DecodeError(MLCommonsError):
    """An answer that could not be read: ``.response`` keeps it, the message says where it departs from its type."""

    def __init__(self, message: str, response: HttpResponse) -> None:
        super().__init__(f"{message} ({response.request}); the answer begins {response.body[:120]!r}")
        self.message, self.response, self.request = message, response, response.request

    def __reduce__(self) -> Any:
        return type(self), (self.message, self.response)


class ApiError(MLCommonsError):
    """The server answered with a status that is no success: 300 or above.

    ``request`` and ``response`` are what was sent and what came; ``status`` is the HTTP status, ``type`` the server's
    name for the error (empty where it gave none), ``reason`` its words, ``details`` what some routes add to them,
    ``body`` the decoded body or its text. ``trouble`` tells what helps against it, and whose fault it is.
    """

    def __init__(self, response: HttpResponse) -> None:
        self.request, self.response, self.status = response.request, response, response.status
        self.body = body_of(response)
        self.type, self.reason, self.details = describe(self.body)
        self.trouble = _trouble(response)
        words = ": ".join(filter(None, (self.reason, self.details))) or f"status {self.status}"
        super().__init__(f"{words}{self._remedy()} ({self.request})")
        self.retry_after = retry_after(response.headers)
        self.transient = self.trouble.passes

    def _remedy(self) -> str:
        return hints.breaker(f"{self.reason} {self.details}")

    def __reduce__(self) -> Any:
        return type(self), (self.response,)


class Redirected(ApiError):
    """3xx: the cluster, or what stands before it, is elsewhere. No redirect is followed: it could leak credentials."""

    def _remedy(self) -> str:
        place = self.response.headers.get("location", "an unnamed place")
        return f"; the server redirects to {place}: open the session with the URL of the cluster itself"


class BadRequest(ApiError):
    """400: the server does not accept the request."""

    def _remedy(self) -> str:
        return defect_of(self.request, self.reason) or super()._remedy()


class ModelNotReady(BadRequest):
    """The model is registered but not deployed (or not yet): deploy it, or wait until it is."""


class Unauthorized(ApiError):
    """401: the user name, password or token is not accepted."""

    def _remedy(self) -> str:
        if self.trouble.party is Party.PROVIDER:
            return _CONNECTORS
        where = "in auth=..., or in OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD"
        return f"; check the user name and password, or the token, {where}"


class Forbidden(ApiError):
    """403: the user may not do this, or the feature or model is switched off."""

    def _remedy(self) -> str:
        return _CONNECTORS if self.trouble.party is Party.PROVIDER else ""


class FeatureDisabled(ApiError):
    """A feature is switched off, which the server reports as 400, 403 or 500; ``.setting`` switches it on.

    ``await ml.settings.put(persistent={error.setting: True})``.
    """

    @property
    def setting(self) -> str:
        """The key of the setting."""
        return disabled_setting(f"{self.reason} {self.details}") or ""

    def _remedy(self) -> str:
        return f"; switch it on with the setting {self.setting}"


class NotFound(ApiError):
    """404, or what older servers say in its place: no such model, group, task, connector."""


class Conflict(ApiError):
    """409: still in use."""


class TooManyRequests(ApiError):
    """429, or what else says so: throttled by the cluster or the provider of a model, or a memory breaker is open.

    ``retry_after`` is in seconds where the server gives it.
    """


class ServerError(ApiError):
    """500 and above."""


class Unavailable(ServerError):
    """The cluster cannot answer just now, whatever the status: it starts, or its shards recover. Waiting helps."""


class StreamFailed(MLCommonsError):
    """The server reports an error in the middle of a stream; its words are the message."""


class StreamCut(MLCommonsError):
    """A stream stopped before its last event: the server or something on the way closed it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the stream of {name} stopped before its last event; what came before it is all there is")
        self.name = name

    def __reduce__(self) -> Any:
        return type(self), (self.name,)


class BatchFailed(MLCommonsError):
    """A batch of a stream failed; the cause is ``__cause__``. ``start`` counts rows from 0, ``rows`` are its rows."""

    def __init__(self, index: int, start: int, rows: list[Any], cause: BaseException) -> None:
        self.index, self.start, self.rows, self.cause = index, start, rows, cause
        where = f"rows {start} to {start + len(rows) - 1}" if rows else f"reading rows from row {start} on"
        super().__init__(f"batch {index} ({where}) failed: {type(cause).__name__}: {cause}")

    def __reduce__(self) -> Any:
        return type(self), (self.index, self.start, self.rows, self.cause)


# A remote model's provider refuses what the connector brings, which nothing at the caller's end would change.
_CONNECTORS = "; the model's provider refuses the credential of its connector: check that, not your own"
# ML Commons 2.4 answers 500 for these; what an error is goes by its type as well as its status.
_BY_TYPE: Mapping[str, type[ApiError]] = {"m_l_resource_not_found_exception": NotFound}
_BY_HUNDRED: Mapping[int, type[ApiError]] = {3: Redirected, 5: ServerError}
_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
}


def raise_for_status(response: HttpResponse) -> None:
    """Raise the ApiError that an answer of 300 or above calls for."""
    if not is_success(response.status):
        raise error_for(response)


def error_for(response: HttpResponse) -> ApiError:
    """The error of the class that an answer of 300 or above calls for."""
    kind, reason, details = describe(body_of(response))
    if disabled_setting(f"{reason} {details}"):
        return FeatureDisabled(response)
    fallback = _BY_HUNDRED.get(response.status // 100, ApiError)
    by_status = _BY_TYPE.get(kind) or _BY_STATUS.get(response.status, fallback)
    return (_by_trouble(_trouble(response), response.status) or by_status)(response)


def _by_trouble(trouble: Trouble, status: int) -> type[ApiError] | None:
    match trouble.kind:
        case Kind.NOT_READY:
            return ModelNotReady
        case Kind.THROTTLED:
            return TooManyRequests
        case Kind.PASSES if trouble.party is Party.CLUSTER and status != 429:
            return Unavailable
    return None


def _trouble(response: HttpResponse) -> Trouble:
    return trouble_of(heard(response.status, body_of(response)))
