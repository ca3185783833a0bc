"""The one path to the network: turns of nodes and circuits, and retries of idempotent requests with backoff."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NoReturn

import anyio
import attrs

from aiomlcommons.endpoint import Pieces
from aiomlcommons.errors import ConnectError, MLCommonsError, ResponseTooLarge, SessionClosed, StreamCut, StreamFailed
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.net.attempts import Attempts, is_nodes_fault
from aiomlcommons.net.call import Call
from aiomlcommons.net.circuit import Caller
from aiomlcommons.net.discovery import Discovery
from aiomlcommons.net.hedge import Hedge, race
from aiomlcommons.net.nodes import Node
from aiomlcommons.net.retry_budget import pause_between_probes, pause_for
from aiomlcommons.net.transport import Streamed
from aiomlcommons.owner import Owner

# In seconds. A longer Retry-After is left to the caller, who knows whether the work can wait.
LONGEST_RETRY_AFTER = 60.0


@attrs.frozen
class Exchange(Attempts):
    """Sends requests to the nodes over a transport adapter, with authentication, timeouts and retries."""

    discovery: Discovery | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session cannot be pickled or copied deeply: open another one with the same arguments")

    async def open(self) -> None:
        """Open the transport. Raises SessionClosed if it was opened before."""
        if self.state.name != "not open":
            raise SessionClosed(f"this session is {self.state.name}; create a new one with Session(...)")
        try:
            await self.transport.open()
            self.state.name, self.state.owner = "open", Owner()
            if self.discovery is not None:
                await self.discovery.refresh(self)
        except BaseException:
            # Cancelled, for one: no `async with` closes what was not entered.
            with anyio.CancelScope(shield=True):
                await self.close()
            raise

    async def close(self) -> None:
        """Close the transport; it cannot be reopened. In a forked process nothing is done.

        Raises SessionClosed on another event loop than the session's, unless that is closed itself.
        """
        owner = self.state.owner
        if owner is not None:
            if owner.is_forked:
                return
            if not owner.is_over:
                owner.check("the session")
        self.state.name, self.state.owner = "closed", None
        self.state.events.close()
        await self.transport.close()

    async def __call__(self, request: HttpRequest, *, repeatable: bool, hedged: bool = False) -> HttpResponse:
        """Send a request, and retry it if it is idempotent and the error is transient. The only place that retries.

        A request that cannot have reached the server is retried too, whatever it is. Going to another node at once is
        no retry: else a cluster of many nodes would use up all of them in a moment. One that may be ``hedged`` is sent
        to a second node if the first one is slow, if the options say so.
        """
        call = Call(self.prepared(request), self.nodes.clock())
        hedge = self.options.hedge if hedged and self.options.paced else None
        try:
            while True:
                if self.discovery is not None:
                    await self.discovery.refresh(self)
                if self.state.circuits:
                    await self._turn(call, trial=repeatable)
                try:
                    if hedge is None:
                        return await self._send(call, trial=repeatable)
                    return await self._hedged(call, hedge, trial=repeatable)
                except MLCommonsError as error:
                    if not await self._goes_on(error, call, may_repeat=repeatable or _is_unsent(error)):
                        raise
        except anyio.get_cancelled_exc_class() as cancelled:
            self._note(cancelled, call)
            raise

    async def _goes_on(self, error: MLCommonsError, call: Call, *, may_repeat: bool) -> bool:
        """Return whether a call goes on after a failed attempt, at another node at once, or here after a pause."""
        now = anyio.current_time()
        call.error, call.failed = error, now if call.failed is None else call.failed
        if may_repeat and self._may_go_elsewhere(error, call.tried):
            self.state.events.elsewhere(call.sent, call.tried[-1].url, error, attempt=call.attempt)
        elif may_repeat and self._should_retry(error, call.attempt, now - call.failed):
            call.pauses = call.pauses or iter(self.options.backoff)
            await self._pause(call, error, pause_for(error, next(call.pauses)))
        else:
            error.attempts = len(call.tried)
            return False
        return True

    async def _pause(self, call: Call, error: MLCommonsError, pause: float) -> None:
        """Pause before the next attempt."""
        retries, number, node = self.options.retries, call.attempt, call.tried[-1].url
        waits = number > retries
        self.state.events.retrying(call.sent, node, error, attempt=number, of=retries + 1, pause=pause, waits=waits)
        with call.waiting_for(f"its next attempt (a pause of {pause:.1f} s)"):
            await anyio.sleep(pause)
        call.attempt += 1

    def _note(self, cancelled: BaseException, call: Call) -> None:
        """Tell what a call waited for when it was cancelled: a deadline of the caller knows only that it is over."""
        self.state.events.given_up(
            cancelled,
            call.sent,
            call.tried[-1].url if call.tried else None,
            waits_for=call.waits_for,
            error=call.error,
            attempt=call.attempt,
            seconds=self.nodes.clock() - call.began,
        )

    async def _turn(self, call: Call, *, trial: bool) -> None:
        """Wait for the turn of a call, while the next node, or the provider behind the route, does nothing but refuse.

        Raises the last refusal if that would take too long. A bulk job repeats and spaces its requests by itself.
        """
        if not self.options.paced:
            return
        patience = max(LONGEST_RETRY_AFTER if self.options.retries else 0.0, self.options.wait)
        spacing = pause_between_probes(self.options.backoff)
        sent = call.sent
        node, whose = self.nodes.next(call.tried, trial=trial), Caller.of(self.options.auth, sent)
        keys = whose.circuits(node.url, sent)
        with call.waiting_for("its turn"):
            await self.state.circuits.turn(keys, sent, whose, spacing=spacing, patience=patience)

    async def _send(self, call: Call, *, trial: bool, hedge: Hedge | None = None) -> HttpResponse:
        """Send a request to the next node, which is added to those that were tried; ``hedge`` if it is a second one."""
        node, is_alone = self.nodes.begin_turn(call.tried, trial=trial)
        call.tried.append(node)
        try:
            if hedge is not None:
                self.state.events.hedged(call.sent, node.url, after=hedge.after)
            return await self.once(call.sent, node, call.attempt)
        finally:
            if is_alone:
                self.nodes.end_trial(node)

    async def _hedged(self, call: Call, hedge: Hedge, *, trial: bool) -> HttpResponse:
        """Send a request to the next node, and if that is slow to another one."""

        async def send(is_hedge: bool) -> HttpResponse:
            return await self._send(call, trial=trial and not is_hedge, hedge=hedge if is_hedge else None)

        if not call.tried:
            self.state.hedges.earn(hedge.cap)
        return await race(send, hedge.after, self.state.hedges.take)

    def _may_go_elsewhere(self, error: MLCommonsError, tried: list[Node]) -> bool:
        """Return whether another node can take the request at once: each is worth a try, however many there are.

        What was not sent is not repeated, so that needs no retries.
        """
        may = _is_unsent(error) or (error.transient and self.options.retries > 0)
        return may and is_nodes_fault(error) and self.nodes.has_other(tried)

    def _should_retry(self, error: MLCommonsError, attempt: int, waited: float) -> bool:
        """Return whether to retry after so many attempts, and so many seconds since the first one failed."""
        if not error.transient or (error.retry_after or 0.0) > LONGEST_RETRY_AFTER:
            return False
        # An address that never responded may be a wrong URL, which must fail fast.
        return attempt <= self.options.retries or (self.state.answered and waited < self.options.wait)

    @asynccontextmanager
    async def pieces(self, request: HttpRequest) -> AsyncGenerator[Pieces]:
        """Send once, without retries, and stream the body. Leaving the context closes the connection.

        Only a request that cannot have reached a node is sent to another one.
        """
        call = Call(self.prepared(request), self.nodes.clock())
        async with AsyncExitStack() as stack:
            try:
                answer = await self._begun(call, stack)
            except anyio.get_cancelled_exc_class() as cancelled:
                self._note(cancelled, call)
                raise
            try:
                yield answer.pieces
            except (StreamFailed, StreamCut, ResponseTooLarge) as error:  # which who reads the pieces makes of them
                error.opaque_id = call.sent.opaque_id
                raise

    async def _begun(self, call: Call, stack: AsyncExitStack) -> Streamed:
        sent, tried = call.sent, call.tried
        while True:
            if self.discovery is not None:
                await self.discovery.refresh(self)
            if self.state.circuits:
                await self._turn(call, trial=False)
            try:
                with self.nodes.turn(tried, trial=False) as node:
                    tried.append(node)
                    return await self.stream(sent, node, stack)
            except ConnectError as error:
                if not (_is_unsent(error) and self._may_go_elsewhere(error, tried)):
                    error.attempts = len(tried)
                    raise
                self.state.events.elsewhere(sent, tried[-1].url, error, attempt=1)


def _is_unsent(error: MLCommonsError) -> bool:
    return isinstance(error, ConnectError) and not error.sent
