"""An OpenSearch index as a sink, over ``_bulk``."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import anyio.to_thread

from aiomlcommons.backoff import Backoff
from aiomlcommons.errors import ApiError, BadRequest, MLCommonsError, NotFound
from aiomlcommons.ingest.patience import Patience
from aiomlcommons.ingest.sinks.bulk import Action, Load, Outcome, Trip, actions, loads, outcome, together
from aiomlcommons.ingest.sinks.mapping import check_index, holds_floats, index_body
from aiomlcommons.ingest.sinks.parts import SinkError
from aiomlcommons.ingest.types import Documents, Refused, Sparse
from aiomlcommons.vectors import Vectors
from aiomlcommons.version import Version

if TYPE_CHECKING:
    from aiomlcommons.session import Session

log = logging.getLogger("aiomlcommons")
NDJSON = {"content-type": "application/x-ndjson"}
# The request as a whole: too large, or with something in it that cannot be read.
WHOLE = {400, 413}
# The first k-NN that reads a vector from base64.
READS_BASE64 = Version(3, 9)


class IndexSink:
    """Documents of an index: each row with its vector as ``field`` (default ``embedding``), under its own id.

    What a row has as ``_id`` is left out, for no document may hold that.

    The field must be a ``knn_vector`` of the vectors' dimension, or ``rank_features`` with ``sparse``. ``create`` makes
    the index where there is none: True, or the body to create it with, to which the field is added. With ``dimension``
    a wrong mapping is found out before the first text is embedded, else with the first vector.

    ``concurrency`` requests (default 4) of up to ``bulk_bytes`` (default 5 MB) are under way at once; what other calls
    of ``write`` have to send meanwhile travels together in the next one. What the server has no room for, or does not
    get, is sent again with ``backoff``, until it has taken nothing at all for ``patience`` seconds (default 600; a job
    sets its own). What it has answered is durable, unless the index's ``translog.durability`` is ``async``.

    Servers of 3.9 and newer get vectors of floats as base64, which is half the bytes; ``base64`` decides it in
    place of the server's version, for a cluster of several versions say.
    """

    concurrent = True

    def __init__(
        self,
        ml: Session,
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
        patience: float = 600.0,
    ) -> None:
        self._ml, self._index, self.field, self._create = ml, index, field, create
        self._path = "/" + quote(index, safe="")
        self.dimension, self.sparse, self.patience = dimension, sparse, patience
        self._base64, self._bulk_bytes, self._backoff = base64, bulk_bytes, backoff
        self._places, self._preparing = anyio.Semaphore(concurrency), anyio.Lock()
        self._waiting: deque[Load] = deque()
        self._mappings: dict[str, Any] | None = None
        self._is_open = self._is_fit = self._in_base64 = False
        self._taken = 0

    @property
    def name(self) -> str:
        """The index."""
        return self._index

    async def target(self) -> str:
        """The index and its cluster, or the URL where that may not be asked: an index elsewhere is another one."""
        try:
            cluster = (await self._ml.info()).cluster_uuid
        except ApiError:
            cluster = self._ml.url
        return f"{cluster} {self._index}"

    async def open(self, state: Any) -> None:
        """See that the index can take the vectors, or create it.

        Raises SinkError where it cannot, or where it is gone and ``state`` says that it was written to; ApiError.
        """
        self._taken = 0 if state is None else state["documents"]
        self._waits = Patience(self.patience, lambda what: SinkError(f"index {self._index} takes nothing: {what}"))
        self._left = anyio.Event()
        self._mappings = await self._found()
        if self._mappings is None and self._taken:
            raise SinkError(f"index {self._index} is gone, and {self._taken:,} documents were written to it")
        if self._mappings is None and not self._create:
            raise SinkError(f"there is no index {self._index}: create it, or let the sink do so with create=True")
        if self._mappings is not None or self.sparse or self.dimension is not None:
            await self._fit(self.dimension)
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
        """How many documents were taken; they are durable already."""
        self._check_open()
        return {"documents": self._taken}

    async def close(self, *, complete: bool) -> None:
        """Let searches see what was written, if it is ``complete``."""
        if not (complete and self._mappings is not None):
            return
        try:
            # GET, which the session may repeat.
            await self._ml.request("GET", f"{self._path}/_refresh")
        except MLCommonsError as error:
            log.warning("index %s could not be refreshed and will do so by itself: %s", self._index, error)

    # ---- the index --------------------------------------------------------------------------------------------------

    async def _prepare(self, vectors: Vectors | Sparse) -> None:
        """With the first vectors, see that they fit, and create the index where that waited for them."""
        if isinstance(vectors, list) is not self.sparse:
            raise SinkError(f"index {self._index}: the sink has sparse={self.sparse}, and the vectors are otherwise")
        async with self._preparing:
            if not self._is_fit:
                await self._fit(None if isinstance(vectors, list) else int(vectors.shape[1]))
                self._in_base64 = await self._reads_base64()
                self._is_fit = True

    async def _fit(self, dimension: int | None) -> None:
        if self._mappings is None:
            await self._make(dimension)
        for name, mappings in (self._mappings or {}).items():
            check_index(name, mappings, self.field, dimension, sparse=self.sparse)

    async def _reads_base64(self) -> bool:
        """Whether vectors may be sent as base64; where that is not known, as numbers, which every server reads."""
        floats = all(holds_floats(mappings, self.field) for mappings in (self._mappings or {}).values())
        if self.sparse or not floats:
            return False
        if self._base64 is not None:
            return self._base64
        version = await self._ml.version()
        return version is not None and version >= READS_BASE64

    async def _found(self) -> dict[str, Any] | None:
        """The mappings of the index, or of each one that an alias stands for."""
        try:
            got = await self._ml.request("GET", f"{self._path}/_mapping")
        except NotFound:
            return None
        return {name: index["mappings"] for name, index in got.json().items()}

    async def _make(self, dimension: int | None) -> None:
        given = self._create if isinstance(self._create, Mapping) else {}
        body = index_body(given, self.field, dimension)
        check_index(self._index, body["mappings"], self.field, dimension, sparse=self.sparse)
        try:
            await self._ml.request("PUT", self._path, body=body)
            self._mappings = {self._index: body["mappings"]}
        except BadRequest as error:
            if error.type != "resource_already_exists_exception":
                raise
            # Somebody else was quicker, or the first answer was lost.
            self._mappings = await self._found()

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
            found = outcome(await self._ml.request("POST", f"{self._path}/_bulk", body=body, headers=NDJSON), piece)
        except MLCommonsError as error:
            if isinstance(error, ApiError) and error.status in WHOLE:
                return Outcome(halve=True, why=str(error))
            if not error.transient:
                raise
            return Outcome(again=list(piece), why=str(error), wait=error.retry_after or 0.0)
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
