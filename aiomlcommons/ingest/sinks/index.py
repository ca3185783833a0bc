"""An OpenSearch index as a sink, over ``_bulk``: at-least-once delivery, idempotent writes by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import anyio
import anyio.to_thread

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.indices.vector_field import Method, VectorField
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.sinks._index_actions import Actions, actions, unfit
from aiomlcommons.ingest.sinks._index_delivery import Delivery
from aiomlcommons.ingest.sinks._index_ids import other_ids, tell_no_ids
from aiomlcommons.ingest.sinks._index_replicas import ReplicasOff
from aiomlcommons.ingest.sinks._index_served import ServedIndex, check_pipeline
from aiomlcommons.ingest.sinks._index_target import Target
from aiomlcommons.ingest.types import Documents, Refused, Row, Sparse, check_session
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.typed import typed

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# Numbers of vectors that take one or two milliseconds to encode. The event loop does that itself: a thread would be no
# faster, because it holds the interpreter's lock too, and costs as much as several documents.
AT_ONCE = 50_000


class IndexSink(ServedIndex):
    """An OpenSearch index as a sink: each row becomes a document under its id, with its vector as ``field``.

    A key ``_id`` of a row is dropped, because the server refuses it as a field. An acknowledged document is durable,
    unless the ``translog.durability`` of the index is ``async``. Calls of ``write`` while requests are under way are
    shared out among the next ones.

    The server creates a missing index on the first write, with a mapping of its own. So the index must stay the same
    one, by its UUID, while the sink is open and when a job resumes.

    Args:
        ml: The session whose cluster holds the index.
        index: The name of the index, or an alias with a write index.
        field: The field of the vector, a ``knn_vector`` of its dimension, or ``rank_features`` with ``sparse``.
        pipeline: The ingest pipeline that the documents go through. In a job with ``model=None`` it embeds them.
        create: Create the index if it is missing: True, or the body to create it with, to which the field is added.
        engine: The engine of the field, like ``"lucene"``. Default: the server's own.
        method: Its method: a name, or a mapping with parameters. Default: HNSW with the server's parameters.
        space_type: How it compares vectors. Default: as suits the model. An index that exists must have what is named.
        ids: ``"auto"`` lets the server make the ids: a document that is sent twice is there twice then.
        id_field: The field that keeps a document's id where the server takes no ids of a caller, as collections for
            vectors of Amazon OpenSearch Serverless do. Delivery is at-least-once there: a document may be there twice
            after a lost response or a crash; a job that resumes leaves out those that a search finds.
        overwrite: Replace documents of earlier jobs whose ids are the numbers of rows, as those of the job are.
        dimension: The dimension of the vectors, so that ``open`` checks the mapping; else the first vector does. A job
            sets it.
        sparse: Whether the vectors are sparse. A job sets it.
        base64: Send float vectors as base64, which halves the bytes. Default: if all nodes have a k-NN that reads it
            (3.8 or newer), as far as the user may see that.
        replicas_off: Have no replicas during the load, and put them back whatever ends it: after ``kill -9`` when the
            job resumes, whose checkpoint knows them.
        concurrency: Requests at once.
        bulk_bytes: Bytes in a request.
        backoff: The pauses between retries of documents that were rejected for now, or of a lost request.
        stall_timeout: Seconds in which no document is accepted or refused, after which ``write`` raises SinkError;
            also how long other requests are retried. A job sets its own.
    """

    concurrent = True
    _delivering: ClassVar[type[Delivery]] = Delivery

    @typed(own="ml engine method space_type")
    def __init__(
        self,
        ml: Client,
        index: str,
        *,
        field: str = "embedding",
        pipeline: str | None = None,
        create: bool | Mapping[str, Any] = False,
        engine: str | None = None,
        method: Method | None = None,
        space_type: str | None = None,
        ids: Literal["auto"] | None = None,
        id_field: str = "ingest_id",
        overwrite: bool = False,
        dimension: int | None = None,
        sparse: bool = False,
        base64: bool | None = None,
        replicas_off: bool = False,
        concurrency: int = 4,
        bulk_bytes: int = 5_000_000,
        backoff: Backoff = Backoff(first=0.5, cap=30),
        stall_timeout: float = 600.0,
    ) -> None:
        check_session(ml)
        if not index.strip() or index == "_all" or set("*?,") & set(index):
            raise InvalidRequest(f"{index!r} is not the name of one index or alias to write into")
        check_pipeline(pipeline)
        self._ml, self._index, self.field, self.pipeline, self._create = ml, index, field, pipeline, create
        self.ids, self.id_field, self.overwrite = ids, id_field, overwrite
        self.dimension, self.sparse, self.stall_timeout = dimension, sparse, stall_timeout
        self._base64, self._preparing = base64, anyio.Lock()
        self._delivery = self._delivering(ml, index, id_field, bulk_bytes, backoff, concurrency, self._query)
        self._asked: dict[str, Any] = {"engine": engine, "method": method, "space_type": space_type}
        self.suits: tuple[str, ...] = ()  # the spaces that suit the model, which a job sets
        self.replicas = ReplicasOff(replicas_off)
        self._is_open = self._is_fit = self._in_base64 = self._resumed = False
        self._target, self._taken = self._target_of(None), 0

    @property
    def name(self) -> str:
        """The name of the index."""
        return self._index

    @property
    def waiting(self) -> str:
        """Why documents that the index did not accept are sent again later; empty if there are none."""
        return f"the index pauses: {self._delivery.why}" if self._delivery.why else ""

    @property
    def kept_in(self) -> str | None:
        """The field that keeps the id of a document, if the server takes no ids; else None."""
        refused = self._delivery.ids_refused or not (self._ml.flavor.takes_ids or self.sparse)
        return self.id_field if refused and self.ids is None else None

    async def target(self) -> str:
        """Identify the index: its name and the UUID of its cluster, or the URL if the user may not read that."""
        return await self._target_of(None).identity()

    async def check_numbers(self) -> None:
        """Raise InvalidRequest if the ids are row numbers, which documents of the index have already; ApiError."""
        if self.ids is None and self.kept_in is None and not self.overwrite:
            await self._target_of(None).check_numbers()

    async def open(self, state: Any) -> None:
        """Look the index up; check its mapping, or create it, if the dimension is known already.

        Raises SinkError if it cannot hold the vectors, or is not the index of ``state``; ApiError.
        """
        self._taken = 0 if state is None else state["documents"]
        self._resumed = state is not None
        self._target = target = self._target_of(state.get("uuid") if state and self._taken else None)
        self._delivery.begin(target.path, self.stall_timeout)
        await target.find(self._taken)
        self.replicas.learn(state)
        await self.replicas.begin(target)
        if self._served is not None:
            await target.fit_all(self._served)
        elif target.mappings is not None or self.sparse or self.dimension is not None:
            await target.fit(self.dimension)
        self._is_open = True
        if self.kept_in is not None:
            tell_no_ids(self._index, self.id_field)

    def screen(self, ids: Sequence[str], rows: Sequence[Row], /) -> Sequence[Refused]:
        """Return the documents that no index can hold: a field, its name or the id is none."""
        if self.kept_in is not None:
            return [*unfit((), rows, self.field), *other_ids(ids, rows, self.kept_in)]
        return unfit(ids if self.ids is None else (), rows, self.field)

    async def write(self, batch: Documents, /) -> Sequence[Refused]:
        """Index a batch; return the documents that the server refuses, with its reasons. May be called concurrently.

        Raises SinkError if the index accepts no documents or the stall timeout is over, ApiError.
        """
        self._check_open()
        await self._prepare(batch.vectors)
        await self.replicas.switch_off(self._target.ml)
        made, refused = await self._encoded(batch)
        if self._resumed and self.kept_in is not None:
            there = await self._target.holding(self.kept_in, batch.ids)
            made = made.chosen([at for at, i in enumerate(made.indices) if batch.ids[i] not in there])
        await self._delivery.deliver(made)
        self._taken += len(batch) - len(refused)
        return refused

    def leave(self) -> None:
        """Stop retrying: the context of the job is being left."""
        self._delivery.left.set()

    async def flush(self) -> Any:
        """Return the number of documents that were accepted and the UUID of the index; they are durable already.

        Raises SinkError if it is another index now, ApiError.
        """
        self._check_open()
        # Not when the job is being left, which must not wait for a cluster: ``open`` checks it when the job resumes.
        if self._target.mappings is not None and not self._delivery.left.is_set():
            await self._target.check_same(self._taken)
        replicas = await self.replicas.told(self._target)
        return {"documents": self._taken, "uuid": self._target.uuid, **replicas}

    async def close(self, *, complete: bool) -> None:
        """Put the replicas back; refresh the index if it is ``complete``, so that searches see the documents."""
        self._delivery.events.lines.close()
        # A job that is being left does not wait for the cluster.
        ml = self._ml if self._delivery.left.is_set() else self._target.ml
        await self.replicas.put_back(ml, must=complete)
        if complete and self._target.mappings is not None and self._ml.flavor.refreshes:
            await self._target.refresh(ml)

    # ---- the index --------------------------------------------------------------------------------------------------

    def _target_of(self, uuid: str | None) -> Target:
        """Return the target; ``uuid`` is that of the index that an earlier run wrote to."""
        ml = self._ml.options(wait=self.stall_timeout)
        vectors = VectorField(sparse=self.sparse, suits=self.suits, **self._asked)
        more: dict[str, Any] = {"id_field": self.kept_in, "served": self._served, "pipelines": self._watched}
        return Target(ml, self._index, self.field, self._create, vectors, uuid, **more)

    async def _encoded(self, batch: Documents) -> tuple[Actions, list[Refused]]:
        encoding = partial(
            actions, batch, self.field, self._in_base64, auto=self.ids is not None, id_field=self.kept_in
        )
        if isinstance(batch.vectors, list) or batch.vectors.size > AT_ONCE:
            return await anyio.to_thread.run_sync(encoding)
        return encoding()

    async def _prepare(self, vectors: Vectors | Sparse) -> None:
        """Check the mapping against the first vectors, or create the index if their dimension was unknown before."""
        if (sparse := isinstance(vectors, list)) is not self.sparse:
            kind = "sparse" if sparse else "dense"
            raise SinkError(
                f"index {self._index}: the sink has sparse={self.sparse}, but the vectors are {kind}: "
                f"set sparse={sparse}"
            )
        if self._is_fit:
            return
        async with self._preparing:
            if not self._is_fit:
                await self._target.fit(None if isinstance(vectors, list) else int(vectors.shape[1]))
                self._in_base64 = await self._target.reads_base64(self._base64)
                self._is_fit = True

    def _check_open(self) -> None:
        if not self._is_open:
            raise SinkError(f"index {self._index} is not open")
