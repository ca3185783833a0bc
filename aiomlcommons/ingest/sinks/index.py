"""An OpenSearch index as a sink, over ``_bulk``."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from aiomlcommons.errors import ApiError, MLCommonsError
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.pacing.stall_timeout import StallTimeout
from aiomlcommons.ingest.sinks._index_bulk import Action, Load, Outcome, Trip, actions, loads, outcome, together
from aiomlcommons.ingest.sinks._index_target import Target
from aiomlcommons.ingest.types import Documents, Refused, Sparse
from aiomlcommons.net.backoff import Backoff

if TYPE_CHECKING:
    from aiomlcommons.client import Client

log = logging.getLogger("aiomlcommons")
NDJSON = {"content-type": "application/x-ndjson"}
# The request as a whole: too large, or with something in it that cannot be read.
WHOLE = {400, 413}


class IndexSink:
    """Documents of an index: each row with its vector as ``field`` (default ``embedding``), under its own id.

    What a row has as ``_id`` is left out, for no document may hold that.

    The field must be a ``knn_vector`` of the vectors' dimension, or ``rank_features`` with ``sparse``. ``create`` makes
    the index where there is none: True, or the body to create it with, to which the field is added. With ``dimension``
    a wrong mapping is found out before the first text is embedded, else with the first vector.

    ``concurrency`` requests (default 4) of up to ``bulk_bytes`` (default 5 MB) are under way at once; what other calls
    of ``write`` have to send meanwhile travels together in the next one. What the server has no room for, or does not
    get, is sent again with ``backoff``, until it has taken nothing at all for ``stall_timeout`` seconds (default 600;
    a job sets its own); whatever else is asked of it waits as long. What it has answered is durable, unless the index's
    ``translog.durability`` is ``async``.

    A server makes an index that is missing when it is written to, with a mapping of its own. So the index must be the
    same one, by its UUID, from its opening to the end, and when a job goes on with it.

    Servers of 3.9 and newer get vectors of floats as base64, which is half the bytes; ``base64`` decides it in
    place of the server's version, for a cluster of several versions say.
    """

    concurrent = True

    def __init__(
        self,
        ml: Client,
        index: str,
        *,
        field: str = "embedding",
        create: bool | Mapping[str, Any] = False,
        dimension: int | None = None,
        sparse: bool = False,
        base64: bool | None = None,
        concurrency: int = 4,
        bulk_bytes: int = 5_000_000,
        backoff: Backoff = Backoff(first=0.5, cap=30),
        stall_timeout: float = 600.0,
    ) -> None:
        self._ml, self._index, self.field, self._create = ml, index, field, create
        self.dimension, self.sparse, self.stall_timeout = dimension, sparse, stall_timeout
        self._base64, self._bulk_bytes, self._backoff = base64, bulk_bytes, backoff
        self._places, self._preparing = anyio.Semaphore(concurrency), anyio.Lock()
        self._waiting: deque[Load] = deque()
        self._left = anyio.Event()
        self._target = self._target_of(None)
        self._is_open = self._is_fit = self._in_base64 = False
        self._taken = 0

    @property
    def name(self) -> str:
        """The index."""
        return self._index

    async def target(self) -> str:
        """The index and its cluster, or the URL where that may not be asked: an index elsewhere is another one."""
        try:
            cluster = (await self._ml.options(wait=self.stall_timeout).info()).cluster_uuid
        except ApiError:
            cluster = self._ml.url
        return f"{cluster} {self._index}"

    async def open(self, state: Any) -> None:
        """See that the index can take the vectors, or create it.

        Raises SinkError where it cannot, or where it is not the one that was written to as ``state`` says; ApiError.
        """
        self._taken = 0 if state is None else state["documents"]
        self._target = target = self._target_of(state.get("uuid") if state and self._taken else None)
        self._waits = StallTimeout(
            self.stall_timeout, lambda what: SinkError(f"index {self._index} takes nothing: {what}")
        )
        self._left = anyio.Event()
        await target.find(self._taken)
        if target.mappings is not None or self.sparse or self.dimension is not None:
            await target.fit(self.dimension)
        self._is_open = True

    async def write(self, batch: Documents, /) -> Sequence[Refused]:
        """Index a batch; return what the server refuses, with its reason. Several may be under way.

        Raises SinkError where the index takes none or the server stays away or too busy, ApiError.
        """
        self._check_open()
        await self._prepare(batch.vectors)
        made, refused = await anyio.to_thread.run_sync(actions, batch, self.field, self._in_base64)
        try:
            async with anyio.create_task_group() as group:
                for load in loads(made, self._bulk_bytes):
                    group.start_soon(self._send, load)
                    group.start_soon(load.wait)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        self._taken += len(batch) - len(refused)
        return refused

    def leave(self) -> None:
        """Send nothing again from now on: the job is being left."""
        self._left.set()

    async def flush(self) -> Any:
        """How many documents were taken, by which index; they are durable already.

        Raises SinkError where the index is another one now, ApiError.
        """
        self._check_open()
        # Who is leaving does not wait for a cluster that is away: who goes on looks at what is noted here.
        if self._target.mappings is not None and not self._left.is_set():
            await self._target.check_same(self._taken)
        return {"documents": self._taken, "uuid": self._target.uuid}

    async def close(self, *, complete: bool) -> None:
        """Let searches see what was written, if it is ``complete``."""
        if not (complete and self._target.mappings is not None):
            return
        # Who is leaving waits for nothing: it happens by itself, sooner or later.
        ml = self._ml if self._left.is_set() else self._target.ml
        try:
            # GET, which the session may repeat.
            await ml.request("GET", f"{self._target.path}/_refresh")
        except MLCommonsError as error:
            log.warning("index %s could not be refreshed and will do so by itself: %s", self._index, error)

    # ---- the index --------------------------------------------------------------------------------------------------

    def _target_of(self, uuid: str | None) -> Target:
        """What is known of the index when it is opened; ``uuid`` is that of the one written to before."""
        ml = self._ml.options(wait=self.stall_timeout)
        return Target(ml, self._index, self.field, self._create, self.sparse, uuid)

    async def _prepare(self, vectors: Vectors | Sparse) -> None:
        """With the first vectors, see that they fit, and create the index where that waited for them."""
        if isinstance(vectors, list) is not self.sparse:
            raise SinkError(f"index {self._index}: the sink has sparse={self.sparse}, and the vectors are otherwise")
        async with self._preparing:
            if not self._is_fit:
                await self._target.fit(None if isinstance(vectors, list) else int(vectors.shape[1]))
                self._in_base64 = await self._target.reads_base64(self._base64)
                self._is_fit = True

    # ---- requests ---------------------------------------------------------------------------------------------------

    async def _send(self, load: Load) -> None:
        """Send a load with the others that wait, unless one of them takes it along."""
        self._waiting.append(load)
        try:
            # A request that waits to be sent again keeps its place: a busy server is not asked for more.
            async with self._places:
                while load in self._waiting:
                    trip = Trip(together(self._waiting, self._bulk_bytes))
                    with trip.under_way(), self._waits.call():
                        await self._deliver([action for one in trip.loads for action in one.actions])
        finally:
            if load in self._waiting:
                self._waiting.remove(load)

    async def _deliver(self, piece: Sequence[Action]) -> None:
        """Send a request until each of its documents is taken or refused."""
        pauses = iter(self._backoff)
        while piece:
            with self._waits.asking():
                found = await self._try(piece)
                if len(found.again) < len(piece):
                    self._waits.answered()
                    pauses = iter(self._backoff)  # it makes way, however slowly
            if found.halve:
                await self._halve(piece, found.why)
                return
            piece = found.again
            if piece:
                self._waits.troubled(found.why)
                await self._pause(max(next(pauses), found.wait), found.why)

    async def _pause(self, seconds: float, why: str) -> None:
        with anyio.move_on_after(seconds):
            await self._left.wait()
            raise SinkError(f"index {self._index} had no room for all when the job was left: {why}")

    async def _try(self, piece: Sequence[Action]) -> Outcome:
        """Send a request once. Raises SinkError, ApiError for what sending it again will not mend."""
        body = b"".join(action.lines for action in piece)
        try:
            found = outcome(
                await self._ml.request("POST", f"{self._target.path}/_bulk", body=body, headers=NDJSON), piece
            )
        except MLCommonsError as error:
            if error.transient:
                return Outcome(again=list(piece), why=str(error), wait=error.retry_after or 0.0)
            if isinstance(error, ApiError) and error.status in WHOLE:
                return Outcome(halve=True, why=str(error))
            raise
        if found.hopeless:
            raise SinkError(f"index {self._index} takes no documents: {found.why}")
        return found

    async def _halve(self, piece: Sequence[Action], why: str) -> None:
        """Find the document that is too large, or that the server cannot read, among others that it can."""
        if len(piece) == 1:
            piece[0].refuse(why)
            return
        middle = len(piece) // 2
        await self._deliver(piece[:middle])
        await self._deliver(piece[middle:])

    def _check_open(self) -> None:
        if not self._is_open:
            raise SinkError(f"index {self._index} is not open")
