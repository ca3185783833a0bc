"""Delivery of documents to an index: requests of several portions, repeated until each document is accepted or not."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

import anyio
import attrs

from aiomlcommons.errors import ApiError, MLCommonsError, words_of
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.events import IndexEvents
from aiomlcommons.ingest.pacing.stall_timeout import StallTimeout
from aiomlcommons.ingest.sinks._index_actions import Actions
from aiomlcommons.ingest.sinks._index_bulk import BulkRequest, Outcome, Portion, coalesce, outcome, portions
from aiomlcommons.ingest.sinks._index_ids import tell_no_ids
from aiomlcommons.net.backoff import Backoff

if TYPE_CHECKING:
    from aiomlcommons.client import Client

NDJSON = {"content-type": "application/x-ndjson"}
# The request is refused as a whole: it is too large, or the server cannot parse a document in it.
REFUSED_WHOLE = {400, 413}
# How often documents are sent again whose error does not tell whose fault it is: in 10 s or so a cluster may be well.
UNCLEAR = 5


@attrs.define(eq=False)
class Delivery:
    """Sends the portions of an index sink: ``concurrency`` requests at once, each with its share of those that wait.

    A request with all that wait would leave the others nothing, and a server indexes a request with one thread.

    ``conditional`` is whether the actions have conditions, so that a conflict is no reason to try again.

    ``ids_refused`` is whether the server has said that it takes no ids; ``left``, that the job is being left;
    ``why``, why a request pauses before it is sent again, if one does.
    """

    ml: Client
    index: str
    id_field: str
    bulk_bytes: int
    backoff: Backoff
    concurrency: int
    query: Mapping[str, str] = attrs.field(factory=dict)
    slots: anyio.Semaphore = attrs.field(
        default=attrs.Factory(lambda self: anyio.Semaphore(self.concurrency), takes_self=True), init=False
    )
    waiting: deque[Portion] = attrs.field(factory=deque)
    left: anyio.Event = attrs.field(factory=anyio.Event)
    ids_refused: bool = False
    why: str = ""
    conditional: bool = False
    events: IndexEvents = attrs.field(default=attrs.Factory(lambda self: IndexEvents(self.index), takes_self=True))
    _path: str = attrs.field(init=False)
    _stall: StallTimeout = attrs.field(init=False)

    def begin(self, path: str, stall_timeout: float) -> None:
        """Begin a run: deliver to a path; a SinkError ends it where nothing is accepted for ``stall_timeout`` s."""
        self._path, self.left = path, anyio.Event()
        self._stall = StallTimeout(
            stall_timeout, lambda what: SinkError(f"index {self.index} accepts no documents: {what}")
        )

    async def deliver(self, made: Actions) -> None:
        """Deliver the actions of a batch, which record what is refused. Raises SinkError, ApiError."""
        try:
            async with anyio.create_task_group() as group:
                parts = portions(made, self.bulk_bytes)
                for portion in parts:
                    group.start_soon(self.send, portion)
                for portion in parts[1:]:
                    group.start_soon(portion.wait)
                for portion in parts[:1]:  # usually there is one, and no further task is needed
                    await portion.wait()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def send(self, portion: Portion) -> None:
        """Send a portion together with others that wait, unless one of their requests includes it first."""
        self.waiting.append(portion)
        try:
            # A request keeps its slot while it backs off, so that an overloaded server does not get more of them.
            async with self.slots:
                while portion in self.waiting:
                    share = -(-len(self.waiting) // self.concurrency)
                    request = BulkRequest(coalesce(self.waiting, share, self.bulk_bytes))
                    with request.in_flight(), self._stall.call():
                        await self._deliver(Actions.joined([one.actions for one in request.portions]))
        finally:
            if portion in self.waiting:
                self.waiting.remove(portion)

    async def _deliver(self, pending: Actions) -> None:
        """Send actions, and retry them until each document is accepted or refused."""
        pauses, unclear = iter(self.backoff), 0
        while pending:
            with self._stall.asking():
                result = await self._try(pending, patient=unclear < UNCLEAR)
                unclear += result.unclear
                progress = len(result.retry) < len(pending)
                if progress or result.unclear:
                    # Of few tries: one document must not end a job whose index takes all others.
                    self._stall.answered()
                if progress:
                    pauses = iter(self.backoff)  # however slow
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

    async def _try(self, pending: Actions, *, patient: bool) -> Outcome:
        """Send one request. Raises SinkError, ApiError if a retry would not help."""
        try:
            response = await self.ml.request(
                "POST", f"{self._path}/_bulk", query=self.query, body=pending.body, headers=NDJSON
            )
            result = outcome(response, pending, patient=patient, conditional=self.conditional)
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
