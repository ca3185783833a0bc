"""Delivery of documents to an index: requests of several portions, repeated until each document is accepted or not."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio
import attrs

from aiomlcommons.errors import ApiError, MLCommonsError, words_of
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.events import IndexEvents
from aiomlcommons.ingest.pacing.stall_timeout import StallTimeout
from aiomlcommons.ingest.sinks._index_actions import Actions
from aiomlcommons.ingest.sinks._index_bulk import BulkRequest, Outcome, Portion, coalesce, outcome
from aiomlcommons.ingest.sinks._index_ids import tell_no_ids
from aiomlcommons.net.backoff import Backoff

if TYPE_CHECKING:
    from aiomlcommons.client import Client

NDJSON = {"content-type": "application/x-ndjson"}
# The request is refused as a whole: it is too large, or the server cannot parse a document in it.
REFUSED_WHOLE = {400, 413}
# Portions, or that part of the bytes of a request, that begin another one beside those under way. Fewer wait until one
# of these ends: a request costs as much as many documents here, and the server a write to its disk.
GATHERED = 4


@attrs.define(eq=False)
class Delivery:
    """Sends the portions of an index sink: ``slots`` requests at once, in which those that wait are coalesced.

    A portion goes at once if the server is asked nothing, else with others, as soon as one request ends or some wait.

    ``ids_refused`` is whether the server has said that it takes no ids; ``left``, that the job is being left;
    ``why``, why a request pauses before it is sent again, if one does.
    """

    ml: Client
    index: str
    id_field: str
    bulk_bytes: int
    backoff: Backoff
    slots: anyio.Semaphore
    waiting: deque[Portion] = attrs.field(factory=deque)
    left: anyio.Event = attrs.field(factory=anyio.Event)
    ids_refused: bool = False
    why: str = ""
    events: IndexEvents = attrs.field(default=attrs.Factory(lambda self: IndexEvents(self.index), takes_self=True))
    _asked: int = 0
    _turn: anyio.Event = attrs.field(factory=anyio.Event)
    _path: str = attrs.field(init=False)
    _stall: StallTimeout = attrs.field(init=False)

    def begin(self, path: str, stall_timeout: float) -> None:
        """Begin a run: deliver to a path; a SinkError ends it where nothing is accepted for ``stall_timeout`` s."""
        self._path, self.left = path, anyio.Event()
        self._stall = StallTimeout(
            stall_timeout, lambda what: SinkError(f"index {self.index} accepts no documents: {what}")
        )

    async def send(self, portion: Portion) -> None:
        """Send a portion together with others that wait, unless one of their requests includes it first."""
        self.waiting.append(portion)
        try:
            await self._gather()
            # A request keeps its slot while it backs off, so that an overloaded server does not get more of them.
            async with self.slots:
                while portion in self.waiting:
                    request = BulkRequest(coalesce(self.waiting, self.bulk_bytes))
                    with request.in_flight(), self._stall.call():
                        await self._deliver(Actions.joined([one.actions for one in request.portions]))
        finally:
            if portion in self.waiting:
                self.waiting.remove(portion)

    async def _gather(self) -> None:
        """Wait until there are enough portions for one more request, or a request under way has ended."""
        size = sum(portion.size for portion in self.waiting)
        if self._asked and len(self.waiting) < GATHERED and size < self.bulk_bytes // GATHERED:
            await self._turn.wait()
        else:
            self._next_turn()

    def _next_turn(self) -> None:
        """Let go the portions that wait to be gathered."""
        self._turn.set()
        self._turn = anyio.Event()

    async def _ask(self, pending: Actions) -> Outcome:
        self._asked += 1
        try:
            return await self._try(pending)
        finally:
            self._asked -= 1
            self._next_turn()

    async def _deliver(self, pending: Actions) -> None:
        """Send actions, and retry them until each document is accepted or refused."""
        pauses = iter(self.backoff)
        while pending:
            with self._stall.asking():
                result = await self._ask(pending)
                if len(result.retry) < len(pending):
                    self._stall.answered()
                    pauses = iter(self.backoff)  # some progress, however slow
            if result.halve:
                await self._halve(pending, result.why)
                return
            pending = pending.chosen(result.retry)
            if result.no_ids:
                pending = self._without_ids(pending)
            elif pending:
                self._stall.troubled(result.why)
                pause = max(next(pauses), result.wait)
                self.events.retrying(len(pending), result.why, pause=pause)
                await self._pause(pause, result.why)

    def _without_ids(self, pending: Actions) -> Actions:
        if not self.ids_refused:
            self.ids_refused = True
            tell_no_ids(self.index, self.id_field)
        return pending.without_ids(self.id_field)

    async def _pause(self, seconds: float, why: str) -> None:
        self.why = why
        with anyio.move_on_after(seconds):
            await self.left.wait()
            raise SinkError(
                f"the job was left before index {self.index} accepted all documents, which are not retried now: {why}"
            )
        self.why = ""

    async def _try(self, pending: Actions) -> Outcome:
        """Send one request. Raises SinkError, ApiError if a retry would not help."""
        try:
            response = await self.ml.request("POST", f"{self._path}/_bulk", body=pending.body, headers=NDJSON)
            result = outcome(response, pending)
        except MLCommonsError as error:
            if error.transient:
                return Outcome(retry=[*range(len(pending))], why=str(error), wait=error.retry_after or 0.0)
            if isinstance(error, ApiError) and error.status in REFUSED_WHOLE:
                return Outcome(halve=True, why=words_of(error))
            raise
        if result.unusable:
            raise SinkError(f"index {self.index} accepts no documents: {result.why}")
        return result

    async def _halve(self, pending: Actions, why: str) -> None:
        """Find the document that is too large or cannot be parsed, by bisecting the failing request."""
        if len(pending) == 1:
            pending.refuse(0, why)
            return
        middle = len(pending) // 2
        await self._deliver(pending.chosen(range(middle)))
        await self._deliver(pending.chosen(range(middle, len(pending))))
