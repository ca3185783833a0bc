"""The one path to the network: request options, authentication, and retries of idempotent requests with backoff."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import attrs

from aiomlcommons.endpoint import Pieces
from aiomlcommons.errors import ConnectError, MLCommonsError, SessionClosed, error_for, raise_for_status
from aiomlcommons.http import HttpRequest, HttpResponse, is_success
from aiomlcommons.net.auth import Auth
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.net.transport import Timeout, Transport, as_timeout

log = logging.getLogger("aiomlcommons")

# In seconds. A longer Retry-After is left to the caller, who knows whether the work can wait.
LONGEST_RETRY_AFTER = 60.0


@attrs.frozen(kw_only=True)
class Options:
    """Request options; ``session.options(...)`` overrides them for some calls. ``Session`` documents the fields."""

    timeout: Timeout = Timeout()
    retries: int = attrs.field(default=3, validator=attrs.validators.ge(0))
    wait: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    backoff: Backoff = Backoff()
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=lambda headers: f"<{', '.join(headers)}>")
    opaque_id: str | None = None

    def changed(self, headers: Mapping[str, str] | None, timeout: Timeout | float | None, **others: Any) -> Options:
        """Return a copy with the options that are not None; headers are merged."""
        changes = {name: value for name, value in others.items() if value is not None}
        if timeout is not None:
            changes["timeout"] = as_timeout(timeout)
        return attrs.evolve(self, headers={**self.headers, **(headers or {})}, **changes)


@attrs.define
class State:
    """State shared by a session and its views, so that closing one closes all; ``answered``: it ever got a response."""

    name: str = "not open"
    answered: bool = False


@attrs.frozen
class Exchange:
    """Sends requests over a transport adapter, with authentication, timeouts and retries."""

    transport: Transport
    auth: Auth | None
    options: Options
    state: State = attrs.field(factory=State)

    async def open(self) -> None:
        """Open the transport. Raises SessionClosed if it was opened before."""
        if self.state.name != "not open":
            raise SessionClosed(f"this session is {self.state.name}; create a new one with Session(...)")
        await self.transport.open()
        self.state.name = "open"

    async def close(self) -> None:
        """Close the transport; it cannot be reopened."""
        self.state.name = "closed"
        await self.transport.close()

    async def __call__(self, request: HttpRequest, *, repeatable: bool) -> HttpResponse:
        """Send a request, and retry it if it is idempotent and the error is transient. The only place that retries."""
        sent = self._prepared(request)
        pauses = iter(self.options.backoff)
        began, attempt = math.inf, 0
        while True:
            attempt += 1
            try:
                return await self._once(sent)
            except MLCommonsError as error:
                began = min(began, anyio.current_time())
                if not (repeatable and self._should_retry(error, attempt, anyio.current_time() - began)):
                    if attempt > 1:
                        error.add_note(f"sent {attempt} times, x-opaque-id {sent.headers['x-opaque-id']}")
                    raise
                log.log(_log_level(attempt, self.options), "%s: %s; retrying", sent, error)
                await anyio.sleep(max(next(pauses), error.retry_after or 0.0))

    def _should_retry(self, error: MLCommonsError, attempt: int, waited: float) -> bool:
        """Return whether to retry after so many attempts, and so many seconds since the first one failed."""
        if not error.transient or (error.retry_after or 0.0) > LONGEST_RETRY_AFTER:
            return False
        # An address that never responded may be a wrong URL, which must fail fast.
        return attempt <= self.options.retries or (self.state.answered and waited < self.options.wait)

    @asynccontextmanager
    async def pieces(self, request: HttpRequest) -> AsyncGenerator[Pieces]:
        """Send once, without retries, and stream the body. Leaving the context closes the connection."""
        sent = self._prepared(request)
        signed = await self._signed(sent)
        with _without_credentials(signed, sent):
            async with self.transport.stream(signed, self.options.timeout) as answer:
                self.state.answered = True
                if not is_success(answer.status):
                    body = b"".join([piece async for piece in _each(answer.pieces)])
                    raise error_for(HttpResponse(answer.status, body, answer.headers, sent))
                yield answer.pieces

    def _prepared(self, request: HttpRequest) -> HttpRequest:
        if self.state.name != "open":
            remedy = "use `async with Session(...) as ml:` or `await Session.connect(...)`"
            raise SessionClosed(f"the session is {self.state.name}: {remedy}")
        opaque_id = self.options.opaque_id or f"aiomlcommons-{secrets.token_hex(16)}"
        return request.with_headers(self.options.headers, {"x-opaque-id": opaque_id}, request.headers)

    async def _signed(self, sent: HttpRequest) -> HttpRequest:
        return sent if self.auth is None else sent.with_headers(await self.auth.headers(sent))

    async def _once(self, sent: HttpRequest) -> HttpResponse:
        signed = await self._signed(sent)
        started = time.perf_counter()
        with _without_credentials(signed, sent):
            got = await self.transport.send(signed, self.options.timeout)
        self.state.answered = True
        log.debug("%s: %d, %d bytes in %.3f s", sent, got.status, len(got.body), time.perf_counter() - started)
        got = HttpResponse(got.status, got.body, got.headers, sent)
        raise_for_status(got)
        return got


@contextmanager
def _without_credentials(signed: HttpRequest, sent: HttpRequest) -> Generator[None]:
    """Replace the signed request in errors by the one without credentials: errors are printed, logged and pickled."""
    try:
        yield
    except ConnectError as error:
        if error.request is signed:
            error.request = sent
        raise


def _log_level(attempt: int, options: Options) -> int:
    """Log retries at DEBUG, but warn once when a call starts to wait for the cluster."""
    return logging.WARNING if attempt == options.retries + 1 else logging.DEBUG


async def _each(pieces: Pieces) -> AsyncGenerator[bytes]:
    while piece := await pieces():
        yield piece
