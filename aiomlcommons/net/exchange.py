"""The one path to the network: nodes, authentication, and retries of idempotent requests with backoff."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import NoReturn

import anyio
import attrs

from aiomlcommons.endpoint import Pieces
from aiomlcommons.errors import ApiError, ConnectError, MLCommonsError, SessionClosed, error_for, raise_for_status
from aiomlcommons.http import HttpRequest, HttpResponse, is_success
from aiomlcommons.net.nodes import Node, NodePool
from aiomlcommons.net.options import Options
from aiomlcommons.net.secret import Secret, reveal
from aiomlcommons.net.transport import Streamed, Transport
from aiomlcommons.trouble.kinds import Party

log = logging.getLogger("aiomlcommons")

# In seconds. A longer Retry-After is left to the caller, who knows whether the work can wait.
LONGEST_RETRY_AFTER = 60.0
NODE_FAILS = frozenset({502, 503, 504})
"""Statuses that set a node aside, if the cluster itself sends them."""


@attrs.define
class State:
    """State shared by a session and its views, so that closing one closes all; ``answered``: it ever got a response."""

    name: str = "not open"
    answered: bool = False


@attrs.frozen
class Exchange:
    """Sends requests to the nodes over a transport adapter, with authentication, timeouts and retries.

    ``hidden`` are credentials that the transport adds for a proxy, to be masked in what it says.
    """

    transport: Transport
    nodes: NodePool
    options: Options
    state: State = attrs.field(factory=State)
    hidden: tuple[Secret, ...] = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session cannot be pickled or copied deeply: open another one with the same arguments")

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
        """Send a request, and retry it if it is idempotent and the error is transient. The only place that retries.

        A request that cannot have reached the server is retried too, whatever it is.
        """
        sent = self._prepared(request)
        pauses = iter(self.options.backoff)
        began, attempt, tried = math.inf, 0, list[Node]()
        while True:
            attempt += 1
            node = self.nodes.pick(tried, trial=repeatable)
            try:
                return await self._once(sent.at(node.url), node)
            except MLCommonsError as error:
                tried.append(node)
                began = min(began, anyio.current_time())
                may_repeat = repeatable or _is_unsent(error)
                if not (may_repeat and self._should_retry(error, attempt, anyio.current_time() - began, tried)):
                    if attempt > 1:
                        error.add_note(f"sent {attempt} times, x-opaque-id {sent.headers['x-opaque-id']}")
                    raise
                log.log(_log_level(attempt, self.options), "%s: %s; retrying", sent, error)
                await anyio.sleep(self._pause(error, next(pauses), tried))

    def _should_retry(self, error: MLCommonsError, attempt: int, waited: float, tried: list[Node]) -> bool:
        """Return whether to retry after so many attempts, and so many seconds since the first one failed."""
        if not error.transient or (error.retry_after or 0.0) > LONGEST_RETRY_AFTER:
            return False
        # An address that never responded may be a wrong URL, which must fail fast.
        if attempt <= self.options.retries or (self.state.answered and waited < self.options.wait):
            return True
        # Each node is worth a try, however many there are.
        return self.options.retries > 0 and _is_nodes_fault(error) and self.nodes.has_other(tried)

    def _pause(self, error: MLCommonsError, pause: float, tried: list[Node]) -> float:
        """Return the seconds before a retry: none if another node can take the request at once."""
        if _is_nodes_fault(error) and self.nodes.has_other(tried):
            return 0.0
        return max(pause, error.retry_after or 0.0)

    @asynccontextmanager
    async def pieces(self, request: HttpRequest) -> AsyncGenerator[Pieces]:
        """Send once, without retries, and stream the body. Leaving the context closes the connection.

        Only a request that cannot have reached a node is sent to another one.
        """
        sent = self._prepared(request)
        async with AsyncExitStack() as stack:
            answer = await self._begun(sent, stack)
            yield answer.pieces

    async def _begun(self, sent: HttpRequest, stack: AsyncExitStack) -> Streamed:
        tried = list[Node]()
        while True:
            node = self.nodes.pick(tried)
            try:
                return await self._stream(sent.at(node.url), node, stack)
            except ConnectError as error:
                tried.append(node)
                if not (_is_unsent(error) and self.nodes.has_other(tried)):
                    raise

    async def _stream(self, sent: HttpRequest, node: Node, stack: AsyncExitStack) -> Streamed:
        signed = await self._signed(sent)
        answer, got = await self._open_stream(signed, node, stack)
        if got is not None and await self._has_other_credentials(signed, got):
            answer, got = await self._open_stream(await self._signed(sent), node, stack)
        if got is not None:
            raise error_for(got)
        return answer

    async def _open_stream(
        self, signed: HttpRequest, node: Node, stack: AsyncExitStack
    ) -> tuple[Streamed, HttpResponse | None]:
        """Return the response, and its complete form if it is an error."""
        with self._watching(node):
            answer = await stack.enter_async_context(self.transport.stream(signed, self.options.timeout))
            if is_success(answer.status):
                self._answered(node)
                return answer, None
            body = b"".join([piece async for piece in _each(answer.pieces)])
        got = HttpResponse(answer.status, body, answer.headers, signed.bare)
        self._answered(node, got)
        return answer, got

    def _prepared(self, request: HttpRequest) -> HttpRequest:
        if self.state.name != "open":
            remedy = "use `async with Session(...) as ml:` or `await Session.connect(...)`"
            raise SessionClosed(f"the session is {self.state.name}: {remedy}")
        opaque_id = self.options.opaque_id or f"aiomlcommons-{secrets.token_hex(16)}"
        sent = request.with_headers(self.options.headers, {"x-opaque-id": opaque_id}, request.headers)
        return attrs.evolve(sent, hidden=tuple(map(reveal, self.hidden))) if self.hidden else sent

    async def _signed(self, sent: HttpRequest) -> HttpRequest:
        """Return the request with the credentials of ``auth``, unless it has an authorization header of its own."""
        auth = self.options.auth
        if auth is None or "authorization" in sent.headers:
            return sent
        return sent.with_headers(await auth.headers(sent))

    async def _once(self, sent: HttpRequest, node: Node) -> HttpResponse:
        """Send a request to a node; once more if its credentials are refused and there are others."""
        signed = await self._signed(sent)
        got = await self._transmit(signed, node)
        if await self._has_other_credentials(signed, got):
            got = await self._transmit(await self._signed(sent), node)
        raise_for_status(got)
        return got

    async def _transmit(self, signed: HttpRequest, node: Node) -> HttpResponse:
        started = time.perf_counter()
        with self._watching(node):
            got = await self.transport.send(signed, self.options.timeout)
        log.debug("%s: %d, %d bytes in %.3f s", signed, got.status, len(got.body), time.perf_counter() - started)
        got = HttpResponse(got.status, got.body, got.headers, signed.bare)
        self._answered(node, got)
        return got

    async def _has_other_credentials(self, signed: HttpRequest, got: HttpResponse) -> bool:
        """Return whether the cluster refused the credentials of ``auth``, and it has others now."""
        rejected = getattr(self.options.auth, "rejected", None)
        if got.status not in {401, 403} or rejected is None or error_for(got).trouble.party is Party.PROVIDER:
            return False
        return bool(await rejected(signed, got))

    @contextmanager
    def _watching(self, node: Node) -> Generator[None]:
        try:
            yield
        except ConnectError as error:
            self.nodes.failed(node, error)
            raise

    def _answered(self, node: Node, got: HttpResponse | None = None) -> None:
        """Note that a node responded: with success, or with ``got``, which may mean that it cannot work now."""
        self.state.answered = True
        if got is not None and got.status in NODE_FAILS and _is_nodes_fault(error := error_for(got)):
            self.nodes.failed(node, error)
        else:
            self.nodes.succeeded(node)


def _is_unsent(error: MLCommonsError) -> bool:
    return isinstance(error, ConnectError) and not error.sent


def _is_nodes_fault(error: MLCommonsError) -> bool:
    """Return whether an error is that of a node, so that another one may do better."""
    if isinstance(error, ApiError):
        return error.status in NODE_FAILS and error.trouble.party is not Party.PROVIDER
    return isinstance(error, ConnectError)


def _log_level(attempt: int, options: Options) -> int:
    """Log retries at DEBUG, but warn once when a call starts to wait for the cluster."""
    return logging.WARNING if attempt == options.retries + 1 else logging.DEBUG


async def _each(pieces: Pieces) -> AsyncGenerator[bytes]:
    while piece := await pieces():
        yield piece
