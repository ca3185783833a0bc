"""One attempt at a request: credentials, the response of a node, and what that says about the node."""

from __future__ import annotations

import time
from asyncio import _get_running_loop
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import TypeVar

import anyio
import attrs

from aiomlcommons.errors import ApiError, ConnectError, NoCredentials, RequestTimeout, ResponseTooLarge, SessionClosed
from aiomlcommons.http import HttpRequest, HttpResponse, is_success
from aiomlcommons.net.auth import BasicAuth
from aiomlcommons.net.circuit import Caller, Circuits, is_refusal
from aiomlcommons.net.events import Events
from aiomlcommons.net.hedge import hedges
from aiomlcommons.net.nodes import Node, NodePool
from aiomlcommons.net.opaque_ids import new_opaque_id
from aiomlcommons.net.options import Options
from aiomlcommons.net.retry_budget import RetryBudget
from aiomlcommons.net.secret import Secret, reveal
from aiomlcommons.net.transport import Streamed, Transport
from aiomlcommons.owner import Owner
from aiomlcommons.statuses import error_for, raise_for_status
from aiomlcommons.trouble.kinds import Party

T = TypeVar("T")

NODE_FAILS = frozenset({502, 503, 504})
"""Statuses that set a node aside, if the cluster itself sends them."""


@attrs.define
class State:
    """State shared by a session and its views, so that closing one closes all; ``answered``: it ever got a response.

    ``owner`` is where the session is open; None before and after.
    """

    events: Events = attrs.field(factory=Events)
    name: str = "not open"
    owner: Owner | None = None
    answered: bool = False
    circuits: Circuits = attrs.field(default=attrs.Factory(lambda self: Circuits(self.events), takes_self=True))
    hedges: RetryBudget = attrs.field(factory=hedges)


@attrs.frozen
class Attempts:
    """Sends a request to a node over a transport adapter, once.

    ``hidden`` are credentials that the transport adds for a proxy, to be masked in what it says.
    """

    transport: Transport
    nodes: NodePool
    options: Options
    state: State = attrs.field(factory=State)
    hidden: tuple[Secret, ...] = ()

    def check_open(self) -> None:
        """Raise SessionClosed, with what to write, unless the session is open, on this event loop of this process."""
        owner = self.state.owner
        if owner is None:
            remedy = "use `async with Session(...) as ml:` or `await Session.connect(...)`"
            raise SessionClosed(f"the session is {self.state.name}: {remedy}")
        if owner.loop is not _get_running_loop():
            owner.check("the session")

    def prepared(self, request: HttpRequest) -> HttpRequest:
        """Return a request with the headers of the session and an id. Raises SessionClosed unless it is open."""
        self.check_open()
        options, nodes, own = self.options, self.nodes.nodes, request.headers
        if not all(map(str.islower, own)):
            own = {name.lower(): value for name, value in own.items()}
        headers = {**own, **options.headers, "x-opaque-id": options.opaque_id or new_opaque_id(), **own}
        # Where there is one node only, the request needs no copy for it.
        base = nodes[0].url if len(nodes) == 1 else request.base
        hidden = tuple(map(reveal, self.hidden)) if self.hidden else request.hidden
        most = options.max_response_bytes
        return HttpRequest(
            request.method, request.path, request.query, request.body, headers, base, request.veil, hidden, most
        )

    async def once(self, sent: HttpRequest, node: Node, attempt: int = 1) -> HttpResponse:
        """Send a request to a node; once more if its credentials are refused and there are others."""
        sent = sent.at(node.url)
        signed = sent if self.options.auth is None else await self._signed(sent)
        got = await self._transmit(signed, sent, node, attempt)
        if is_success(got.status):
            return got
        if await self._has_other_credentials(signed, got):
            got = await self._transmit(await self._signed(sent), sent, node, attempt)
        raise_for_status(got)
        return got

    async def stream(self, sent: HttpRequest, node: Node, stack: AsyncExitStack) -> Streamed:
        """Send a request to a node, and return its response, which stays open as long as the stack."""
        sent = sent.at(node.url)
        signed = await self._signed(sent)
        answer, got = await self._open_stream(signed, sent, node, stack)
        if got is not None and await self._has_other_credentials(signed, got):
            answer, got = await self._open_stream(await self._signed(sent), sent, node, stack)
        if got is not None:
            raise error_for(got)
        return answer

    async def _open_stream(
        self, signed: HttpRequest, sent: HttpRequest, node: Node, stack: AsyncExitStack
    ) -> tuple[Streamed, HttpResponse | None]:
        """Return the response, and its complete form if it is an error."""
        self.state.events.sending(sent)
        started = time.perf_counter()
        with self.nodes.watching(node) as began:
            answer = await stack.enter_async_context(self.transport.stream(signed, self.options.timeout))
            self.state.events.streams(sent, answer.status, seconds=time.perf_counter() - started)
            if is_success(answer.status):
                self._succeeded(sent, node)
                return answer, None
            body = await self._whole(answer, signed)
        got = HttpResponse(answer.status, body, answer.headers, signed)
        self._answered(sent, node, got, began)
        return answer, got

    async def _whole(self, answer: Streamed, signed: HttpRequest) -> bytes:
        """Return the body of an error, which ends within the limits of an attempt, though it is read as a stream is."""
        body, total = bytearray(), self.options.timeout.total
        with anyio.move_on_after(total):
            while piece := await answer.pieces():
                body += piece
                if len(body) > signed.most:
                    raise ResponseTooLarge(signed, answer.status)
            return bytes(body)
        raise RequestTimeout(f"no complete response within {total} s; timeout=... sets another limit", signed)

    async def _signed(self, sent: HttpRequest) -> HttpRequest:
        """Return the request with the credentials of ``auth``, unless it has an authorization header of its own."""
        auth = self.options.auth
        if auth is None or "authorization" in sent.headers:
            return sent
        added = auth.headers(sent)
        # BasicAuth never waits, and a time limit takes as long as all else that this class does.
        return sent.with_headers(await (added if isinstance(auth, BasicAuth) else self._in_time(added)))

    async def _in_time(self, work: Awaitable[T]) -> T:
        """Wait for what an Auth does as long as for an attempt: a function that fetches tokens may hang.

        Raises NoCredentials if that is too short.
        """
        with anyio.move_on_after(self.options.timeout.total):
            return await work
        raise NoCredentials(
            f"auth gave no credentials within {self.options.timeout.total} s, so nothing was sent; timeout=... sets "
            "another limit",
            transient=True,
        )

    async def _transmit(self, signed: HttpRequest, sent: HttpRequest, node: Node, attempt: int) -> HttpResponse:
        self.state.events.sending(sent)
        started = time.perf_counter()
        began = self.nodes.sending(node)
        try:
            got = await self.transport.send(signed, self.options.timeout)
        except BaseException as error:
            self.nodes.broken(node, error, began)
            if isinstance(error, ConnectError):
                self.state.events.unanswered(sent, error, attempt=attempt, seconds=time.perf_counter() - started)
            raise
        finally:
            node.in_flight -= 1
        if len(got.body) > sent.most:  # of a transport that does not look
            raise ResponseTooLarge(sent, got.status)
        self.state.events.answered(sent, got, attempt=attempt, seconds=time.perf_counter() - started)
        if got._sent.request is not signed:
            got = HttpResponse(got.status, got.body, got.headers, signed)
        self._answered(sent, node, got, began)
        return got

    async def _has_other_credentials(self, signed: HttpRequest, got: HttpResponse) -> bool:
        """Return whether the cluster refused the credentials of ``auth``, and it has others now."""
        rejected = getattr(self.options.auth, "rejected", None)
        if got.status not in {401, 403} or rejected is None or error_for(got).trouble.party is Party.PROVIDER:
            return False
        has_others = bool(await self._in_time(rejected(signed, got)))
        if has_others:
            self.state.events.renewed(signed, got.status)
        return has_others

    def _answered(self, sent: HttpRequest, node: Node, got: HttpResponse, began: float) -> None:
        """Note that a node responded to a request sent at ``began``, which may mean that it cannot work now."""
        if is_success(got.status):
            self._succeeded(sent, node)
            return
        self.state.answered = True
        error, whose = error_for(got), Caller.of(self.options.auth, sent)
        refuses, key = is_refusal(error), whose.circuit_of(error, node.url, sent)
        if is_nodes_fault(error):
            self.nodes.failed(node, error, began)
        elif refuses and key == node.url and self.options.paced:
            self.nodes.refused(node, error, began)
        else:
            self.nodes.responded(node)
        if key != node.url or not refuses:
            self.state.circuits.answered(node.url)
        if refuses and self.options.paced:
            self.state.circuits.refused(key, got, whose)

    def _succeeded(self, sent: HttpRequest, node: Node) -> None:
        self.state.answered = True
        self.nodes.succeeded(node)
        if self.state.circuits:
            self.state.circuits.answered(*Caller.of(self.options.auth, sent).circuits(node.url, sent))
        self.state.circuits.budget.succeeded()


def is_nodes_fault(error: Exception) -> bool:
    """Return whether an error is that of a node, so that another one may do better."""
    if isinstance(error, ApiError):
        return error.status in NODE_FAILS and error.trouble.party is not Party.PROVIDER
    return isinstance(error, ConnectError)
