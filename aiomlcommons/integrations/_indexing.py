"""Writing of batches into an index, for workers of Ray."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sinks import IndexSink
from aiomlcommons.ingest.types import Documents, Refused
from aiomlcommons.integrations._actors import Worker, session_of
from aiomlcommons.integrations._columns import Columns
from aiomlcommons.integrations._documents import divided, documents_of
from aiomlcommons.integrations.errors import RowsFailed


@attrs.frozen
class Where:
    """The index that is written into, as it can be pickled: options of a session and of IndexSink."""

    index: str
    url: str | None
    field: str
    session: dict[str, Any] = attrs.field(repr=False)  # a password may be in it
    sink: dict[str, Any]

    def __attrs_post_init__(self) -> None:
        if self.sink.get("replicas_off"):
            raise InvalidRequest(
                "replicas_off is for jobs, whose checkpoint knows what to put back if a process dies: "
                "set index.number_of_replicas before and after the write instead"
            )


class Writer(Worker[Documents, Sequence[Refused]]):
    """Writes batches into an index, with the column ``id`` for ids. Can be pickled.

    ``error`` is the column of the reasons why rows failed before; None if a row that fails is to raise. With
    ``refresh`` the index is refreshed when it is closed, so that searches see the documents.
    """

    def __init__(self, where: Where, id: str, error: str | None, *, refresh: bool) -> None:
        super().__init__()
        self.where, self.id, self.error, self._refresh = where, id, error, refresh

    def __call__(self, batch: Columns) -> dict[int, str]:
        """Write a batch; return the reasons of the rows that are not written.

        Raises as ``documents_of`` does, SinkError if the index cannot hold the vectors or accepts no documents, and
        without ``error`` RowsFailed with the rows that the index refuses.
        """
        if self.error is None:
            documents = documents_of(batch, self.id, self.where.field)
            if refused := self._refused(documents):
                raise RowsFailed.of({one.index: one.why for one in refused}, documents.ids)
            return {}
        found = divided(batch, self.id, self.where.field, self.error)
        numbers = found.documents.numbers
        return {**found.reasons, **{numbers[one.index]: one.why for one in self._refused(found.documents)}}

    def _refused(self, documents: Documents) -> Sequence[Refused]:
        return self._run(documents) if len(documents) else ()

    def _working(self) -> AbstractAsyncContextManager[Callable[[Documents], Awaitable[Sequence[Refused]]]]:
        return _indexing(self.where, self._refresh)


@asynccontextmanager
async def _indexing(where: Where, refresh: bool) -> AsyncGenerator[Callable[[Documents], Awaitable[Sequence[Refused]]]]:
    """Open a session and the index; give a function that writes documents."""
    async with session_of(where.url, where.session) as ml:
        sink = IndexSink(ml, where.index, field=where.field, **where.sink)
        await sink.open(None)
        yield partial(_write, sink)
        sink.leave()
        await sink.close(complete=refresh)


async def _write(sink: IndexSink, documents: Documents) -> Sequence[Refused]:
    """Write a batch, then check that the index is still the same one: an actor may be killed before it is closed."""
    refused = await sink.write(documents)
    await sink.flush()
    return refused
