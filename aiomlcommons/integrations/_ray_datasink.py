"""An OpenSearch index as a Datasink of Ray Data, which needs Ray itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias, get_args

import attrs

from aiomlcommons.integrations._actors import session_of
from aiomlcommons.integrations._columns import check_on_error
from aiomlcommons.integrations._extras import needs
from aiomlcommons.integrations._indexing import Where, Writer

with needs("Ray Data", "ray"):
    from ray.data import Datasink
    from ray.data.block import BlockAccessor
    from ray.data.datasource import WriteResult

OnRefusal: TypeAlias = Literal["raise", "report"]
# Rows that are made documents together: a dozen requests of 384 dimensions, which the sink sends several at once.
ROWS = 10_000


@attrs.frozen
class Refusal:
    """A row that was not written: its id, and why."""

    id: str
    why: str


@attrs.frozen
class _Written:
    """What a write task says when it ends."""

    rows: int
    refused: list[Refusal]


class OpenSearchDatasink(Datasink[_Written]):
    """An OpenSearch index for ``write_datasink`` of Ray Data::

        sink = OpenSearchDatasink("docs", "https://host:9200", create=True)
        dataset.map_batches(Embed, ...).write_datasink(sink, concurrency=2)
        print(sink.written)

    A row becomes a document with all its columns. Each write task has a session of its own, and is done once the index
    has taken its documents. Writing is idempotent by id: a task that Ray runs again overwrites its documents. At the
    end the index is refreshed, so that searches see them; the driver needs access to the cluster for that.

    After ``write_datasink`` the attributes ``written``, the number of documents, and ``refused``, the rows that were
    not written, tell how it went.

    Args:
        index: The name of the index, or an alias with a write index.
        url: The URL of the cluster. Default: that of the environment, as ``Session.from_env`` reads it, of the workers
            and of the driver.
        id: The column of the ids.
        field: The column of the vectors, and the field for them in the index.
        on_error: What becomes of rows without a vector or a usable id, or that the index refuses: ``"raise"`` fails
            the write and names them, ``"report"`` writes the others and lists them in ``refused``, with the reasons
            that ``Embed(on_error="column")`` gave. For very many refused rows, use ``Index(on_error="column")``.
        error: With ``on_error="report"`` the column of those reasons, if there is one; it is no field of the documents.
        session: Further options of Session.
        **sink: Further options of IndexSink: ``create``, ``sparse``, ``concurrency``, ``stall_timeout``.

    Raises:
        InvalidRequest: An option is invalid, the dataset does not have the columns, or ``field`` does not hold vectors
            of one dimension.
        SinkError: The index cannot hold the vectors, or accepts no documents.
        RowsFailed: These rows were not written; others are.
    """

    def __init__(
        self,
        index: str,
        url: str | None = None,
        *,
        id: str = "id",
        field: str = "embedding",
        on_error: OnRefusal = "raise",
        error: str = "error",
        session: Mapping[str, Any] | None = None,
        **sink: Any,
    ) -> None:
        check_on_error(on_error, error, id, field, choices=get_args(OnRefusal))
        self.written, self.refused = 0, list[Refusal]()
        self._where = Where(index, url, field, dict(session or {}), sink)
        self._id, self._error = id, error if on_error == "report" else None

    def write(self, blocks: Iterable[Any], ctx: Any) -> _Written:  # noqa: ARG002 - the words of Ray
        """Write blocks, in a write task."""
        writer, rows, refused = Writer(self._where, self._id, self._error, refresh=False), 0, list[Refusal]()
        try:
            for batch in _batches(blocks):
                reasons = writer(batch)
                rows += batch.num_rows - len(reasons)
                refused += [Refusal(str(batch[self._id][row].as_py()), why) for row, why in sorted(reasons.items())]
        finally:
            writer.close()
        return _Written(rows, refused)

    def on_write_complete(self, write_result: WriteResult[_Written]) -> None:
        """Sum up what the write tasks say, and refresh the index, on the driver."""
        done = write_result.write_returns
        self.written = sum(one.rows for one in done)
        self.refused = [refusal for one in done for refusal in one.refused]
        asyncio.run(self._refresh())

    async def _refresh(self) -> None:
        async with session_of(self._where.url, self._where.session) as ml:
            if self.written:
                await ml.indices.refresh(self._where.index)

    def __repr__(self) -> str:
        where = self._where
        return f"OpenSearchDatasink({where.index!r}, {where.url!r}, id={self._id!r}, field={where.field!r})"


def _batches(blocks: Iterable[Any]) -> Iterator[Any]:
    """Yield Arrow tables of at most ROWS rows."""
    for block in blocks:
        table = BlockAccessor.for_block(block).to_arrow()
        for start in range(0, table.num_rows, ROWS):
            yield table.slice(start, ROWS)
