"""Every error of a call; ``statuses.py`` says which one a response becomes.

Errors of batches are in inference/errors.py, those of tasks in waiting/errors.py, those of the model lifecycle in
lifecycle/errors.py, those of bulk jobs in ingest/errors.py.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.trouble import hints
from aiomlcommons.trouble.aws import aws_hint
from aiomlcommons.trouble.defects import defect_of
from aiomlcommons.trouble.delays import delay_in
from aiomlcommons.trouble.echoes import without_echo
from aiomlcommons.trouble.error_body import LONGEST, body_of, describe, disabled_setting, retry_after, unsaid
from aiomlcommons.trouble.kinds import Party, Trouble
from aiomlcommons.trouble.pages import page_hint, page_in
from aiomlcommons.trouble.parsed_error import parse_error
from aiomlcommons.trouble.table import trouble_of


class MLCommonsError(Exception):
    """Base of the errors of the package; misuse of Python types raises TypeError or ValueError.

    The text of an error of a call ends with its ``x-opaque-id``, by which the logs of the server tell about it.
    """

    transient: bool = False
    """Whether a retry of the same call a little later is likely to succeed."""

    retry_after: float | None = None
    """Seconds to wait before a retry, if the server sent ``Retry-After`` or a model's provider names them."""

    opaque_id: str | None = None
    """The ``x-opaque-id`` that the request was sent with; None if the error is not that of a request."""

    attempts: int = 1
    """How often the request was sent."""

    def __str__(self) -> str:
        if self.opaque_id is None:
            return words_of(self)
        times = f", sent {self.attempts} times" if self.attempts > 1 else ""
        return f"{words_of(self)} [x-opaque-id {self.opaque_id}{times}]"


class InsecureWarning(UserWarning):
    """Certificates are not verified: anyone on the network may pose as the cluster."""


class InvalidRequest(MLCommonsError, ValueError):
    """A request that failed validation and was not sent; the message names the field and what is wrong with it."""


class NotSupported(MLCommonsError):
    """The server's version or kind does not have this endpoint, field or value; the message says which does, or why."""


class SessionClosed(MLCommonsError, RuntimeError):
    """A session that is not open here: not entered yet, closed, or opened on another event loop or before a fork."""


class NoCredentials(MLCommonsError):
    """No credentials: an ``auth`` gave none in time, or none of AWS were found or could be renewed, or no region.

    Nothing was sent. The message says more.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient

    def __reduce__(self) -> Any:
        return partial(type(self), transient=self.transient), self.args


class ConnectError(MLCommonsError):
    """No response: connection refused, dropped or truncated, or an untrusted certificate.

    ``.sent`` is False if the connection failed before anything of ``.request`` was sent, so that nothing can have
    happened on the server.
    """

    def __init__(self, message: str, request: HttpRequest, *, transient: bool = True, sent: bool = True) -> None:
        request, message = request.bare, request.hidden_in(message)
        super().__init__(f"{message} ({request})")
        self.message, self.request, self.transient, self.sent = message, request, transient, sent
        self.opaque_id = request.opaque_id

    def __reduce__(self) -> Any:
        request = attrs.evolve(self.request, body=None)
        made = partial(type(self), transient=self.transient, sent=self.sent)
        return made, (self.message, request), {"attempts": self.attempts}


class RequestTimeout(ConnectError):
    """No response within the timeout; the server may still be processing the request."""


class ResponseTooLarge(MLCommonsError):
    """A response of more than ``max_response_bytes``, counted after decompression; the rest of it is not read.

    It is also raised for one frame of a stream, and for a response whose values would take several times as much memory
    as its bytes may. ``.limit`` is the option's value, ``.status`` that of the response.
    """

    def __init__(self, request: HttpRequest, status: int, what: str = "") -> None:
        request, limit = request.bare, request.most
        words = what or f"is larger than {limit} bytes"
        super().__init__(
            f"the response of status {status} {words} ({request}); max_response_bytes=... of Session(...) or "
            "session.options(...) sets another limit"
        )
        self.request, self.status, self.what, self.limit = request, status, what, limit
        self.opaque_id = request.opaque_id

    def __reduce__(self) -> Any:
        request = attrs.evolve(self.request, body=None)
        return type(self), (request, self.status, self.what), {"attempts": self.attempts}


class DecodeError(MLCommonsError):
    """A response that does not match its declared type; ``.response`` holds it, the message has the path.

    ``.index`` is the position of the text whose embedding is at fault, if it is a single one.
    """

    def __init__(self, message: str, response: HttpResponse, index: int | None = None) -> None:
        response, message = response.veiled, response.request.hidden_in(message)
        begins = page_in(response.body[:LONGEST].decode("utf-8", "replace"))
        begins = f"is {begins}" if begins else f"begins {response.body[:120]!r}"
        super().__init__(f"{message} ({response.request}); the response {begins}")
        self.message, self.response, self.request, self.index = message, response, response.request, index
        self.opaque_id = self.request.opaque_id

    def __reduce__(self) -> Any:
        return type(self), (self.message, self.response, self.index), {"attempts": self.attempts}


class NotOpenSearch(MLCommonsError):
    """Something other than an OpenSearch responds at the URL: a web server, a proxy, another database.

    ``.url`` is the URL, and the message says what it answers.
    """

    def __init__(self, url: str, what: str) -> None:
        super().__init__(f"{url} is not an OpenSearch: {what}")
        self.url, self.what = url, what

    def __reduce__(self) -> Any:
        return type(self), (self.url, self.what)


class ApiError(MLCommonsError):
    """A response with an error status: 300 or above.

    Attributes:
        request, response: What was sent and what was received, without credentials: those of the request are masked
            where the response repeats them. A pickled error has its request without the body.
        status: The HTTP status.
        type: The server's type of the exception, in snake case; empty if it sent none.
        reason: The server's message.
        details: A further message that some routes add; else empty.
        body: The decoded body, or its text if it cannot be decoded.
        trouble: What kind of error it is, which says whether a retry helps, and who caused it.
    """

    def __init__(self, response: HttpResponse) -> None:
        response = without_echo(response.veiled)
        self.request, self.response, self.status = response.request, response, response.status
        self.opaque_id = self.request.opaque_id
        self.body = body_of(response)
        self.type, self.reason, self.details = describe(self.body)
        self.reason = self.reason or unsaid(response)
        self.trouble = trouble_in(response)
        words = ": ".join(filter(None, (self.reason, self.details))) or f"status {self.status}"
        remedy = self._remedy() or page_hint(self.body)
        super().__init__(f"{words.rstrip('. ') if remedy else words}{remedy} ({self.request})")
        self.transient = self.trouble.passes
        self.retry_after = retry_after(response.headers)
        if self.retry_after is None and self.transient and self.trouble.party is Party.PROVIDER:
            self.retry_after = delay_in(words)

    def _remedy(self) -> str:
        words = f"{self.reason} {self.details}"
        return hints.blocked(words) or hints.provider(self.trouble) or aws_hint(self.response, words)

    def __reduce__(self) -> Any:
        # The message as it was, because a hint may tell by how much the clock was wrong.
        return type(self), (self.response,), {"args": self.args, "attempts": self.attempts}


class Redirected(ApiError):
    """3xx: the cluster or its proxy redirects. Redirects are never followed, because that could leak credentials."""

    def _remedy(self) -> str:
        place = self.response.headers.get("location", "an unnamed place")
        return f"; the server redirects to {place}: open the session with the URL of the cluster itself"


class BadRequest(ApiError):
    """400: the server rejects the request as invalid."""

    def _remedy(self) -> str:
        return defect_of(self.request, self.reason) or super()._remedy()


class ModelNotReady(BadRequest):
    """The model is registered but not deployed, or not yet: deploy it, or wait until it is."""


class Unauthorized(ApiError):
    """401: the cluster rejects the user name, password or token; or a model's provider that of its connector.

    In the latter case ``trouble.party`` is ``provider``, and the status may be another one.
    """

    def _remedy(self) -> str:
        if known := super()._remedy():
            return known
        return hints.unauthorized(self.request.scheme)


class Forbidden(ApiError):
    """403: the user lacks the permission, or the feature or model is disabled; or a model's provider refuses.

    In the latter case ``trouble.party`` is ``provider``.
    """

    def _remedy(self) -> str:
        if self.reason.startswith("Tenant ID"):  # as in "Tenant ID header is missing or has no value"
            return hints.TENANT
        if found := super()._remedy() or hints.amazon(self.reason):
            return found
        return hints.FORBIDDEN if self.trouble.party is Party.PROVIDER else ""


class FeatureDisabled(ApiError):
    """A feature is disabled by a cluster setting, which the server reports as 400, 403 or 500.

    ``.setting`` enables it: ``await ml.settings.put(persistent={error.setting: True})``.
    """

    @property
    def setting(self) -> str:
        """The key of the setting that enables the feature."""
        return disabled_setting(f"{self.reason} {self.details}") or ""

    def _remedy(self) -> str:
        return f"; switch it on with the setting {self.setting}"


class NotFound(ApiError):
    """404, or what older servers send in its place: no such model, group, task or connector.

    If ``trouble.party`` is ``provider``, the provider of a remote model has no such model or deployment.
    """


class Conflict(ApiError):
    """409: the resource is still in use, exists already, or was changed concurrently (a version conflict)."""


class TooManyRequests(ApiError):
    """429, or a throttling error under another status: by the cluster, a model's provider, or an open memory breaker.

    ``retry_after`` is in seconds, or None if the server sent none.
    """


class QuotaExceeded(ApiError):
    """A quota at a model's provider is spent, under any status; waiting a little does not help."""


class ServerError(ApiError):
    """500 and above: the server failed."""


class Unavailable(ServerError):
    """The cluster is temporarily unavailable, whatever the status: it is starting, or its shards recover."""


class StreamFailed(MLCommonsError):
    """The server reported an error within a stream; its text is the message.

    ``trouble`` is what kind of error it is, which says whether a retry helps, and who caused it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.trouble = trouble_of(parse_error(0, message))
        self.transient = self.trouble.passes
        self.retry_after = delay_in(message) if self.transient else None

    def __reduce__(self) -> Any:
        return type(self), self.args, {"opaque_id": self.opaque_id}


class StreamCut(MLCommonsError):
    """A truncated stream: the server or a proxy closed it before its last event."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the stream of {name} stopped before its last event; the events received are incomplete")
        self.name = name

    def __reduce__(self) -> Any:
        return type(self), (self.name,), {"opaque_id": self.opaque_id}


def words_of(error: BaseException) -> str:
    """Return the text of an error without the id of its call, so that those of calls that fail alike are equal."""
    return Exception.__str__(error) if isinstance(error, MLCommonsError) else str(error)


def trouble_in(response: HttpResponse) -> Trouble:
    """Return what kind of error a response of 300 or above is."""
    return trouble_of(parse_error(response.status, body_of(response)))
