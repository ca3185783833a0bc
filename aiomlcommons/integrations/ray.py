"""Embedding and indexing on Ray: classes for ``map_batches`` of Ray Data, and a sink for ``write_datasink``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomlcommons.integrations._columns import Columns, OnError, check_on_error, with_reasons, without_column
from aiomlcommons.integrations._embedding import EmbedColumn
from aiomlcommons.integrations._indexing import Where, Writer
from aiomlcommons.integrations.errors import RowsFailed
from aiomlcommons.lazy import lazily

if TYPE_CHECKING:
    from aiomlcommons.integrations._ray_datasink import OpenSearchDatasink as OpenSearchDatasink
    from aiomlcommons.integrations._ray_datasink import Refusal as Refusal

__all__ = ["Embed", "Index", "OpenSearchDatasink", "Refusal", "RowsFailed"]


class Embed(EmbedColumn):
    """A callable class for ``map_batches`` that adds a column of vectors to the batches of a Ray dataset.

    Pass the class, not an object: Ray makes an object in each actor, which has one session and event loop::

        dataset.map_batches(
            Embed,
            fn_constructor_kwargs={"model": "all-MiniLM-L6-v2", "url": "https://host:9200"},
            batch_format="pyarrow",
            batch_size=1024,
            compute=ray.data.ActorPoolStrategy(size=2),
        )

    With ``batch_format="pyarrow"`` the new column is ``FixedSizeList<float32>``, with ``"numpy"`` a float32 array of
    shape ``(rows, dimension)``. Sparse models give ``map<string, float>``, or lists of
    ``{"token": ..., "weight": ...}``. The session is closed with the actor, or by ``close``. An object can be pickled;
    the copy opens a session of its own.

    Args:
        model: An id, a name or a spec, as ``ml.models.ensure`` takes it; each actor ensures it with its first batch.
        url: The URL of the cluster. Default: that of the actor's environment, as ``Session.from_env`` reads it.
        text: The column of the texts.
        output: The new column of vectors; a column of that name is replaced.
        id: A column that names rows in errors.
        on_error: What becomes of rows whose text is no string or cannot be embedded: ``"raise"`` fails the batch and
            names them, ``"column"`` gives them null for a vector (NaN with ``"numpy"``) and a reason. What is no row's
            fault, such as a missing model, fails the batch in any case.
        error: With ``on_error="column"`` the new column of reasons, null where all went well; a column of that name is
            replaced.
        batch: Texts in a request.
        concurrency: Requests at once of an actor: a number, or the two bounds that a limiter finds it between.
        requests_per_minute: The most requests per minute of an actor, evenly spaced: a provider's quota divided by the
            number of actors.
        tokens_per_minute: The most tokens per minute of an actor, likewise.
        count_tokens: Counts the tokens of a text; Ray pickles it. Default: a quarter of its characters.
        content_type: Tells an asymmetric model whether the texts are a ``query`` or a ``passage``.
        retry_budget: Retries that all requests of an actor together have ahead (a retry token bucket).
        stall_timeout: Seconds without any response after which a batch fails.
        redeploy: Deploy a model again that is gone from the nodes.
        session: Further options of Session.

    Raises:
        InvalidRequest: An option is invalid, or the batch (and so each later one) does not have the column.
        TypeError: The batch has another format.
        RowsFailed: Texts are not strings or cannot be embedded.
        MLCommonsError: As ``ml.models.ensure`` does.
    """


class Index:
    """A callable class for ``map_batches`` that writes the batches of a Ray dataset into an OpenSearch index.

    Each actor has one session and event loop::

        dataset.map_batches(Embed, ...).map_batches(
            Index,
            fn_constructor_kwargs={"index": "docs", "url": "https://host:9200", "create": True},
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=1),
        ).count()

    A row becomes a document with all its columns. Writing is idempotent by id: a batch that Ray sends again, because
    its actor died, overwrites its documents. The call returns the batch without its vectors. Searches see the documents
    after a refresh of the index. Where nothing follows, ``OpenSearchDatasink`` is the shorter way.

    Args:
        index: The name of the index, or an alias with a write index.
        url: The URL of the cluster. Default: that of the actor's environment, as ``Session.from_env`` reads it.
        id: The column of the ids.
        field: The column of the vectors, and the field for them in the index.
        on_error: What becomes of rows without a vector or a usable id, or that the index refuses: ``"raise"`` fails
            the batch and names them, ``"column"`` gives them a reason. Rows that have one already, from ``Embed``,
            keep it and are not written.
        error: With ``on_error="column"`` the column of reasons, null where all went well; it is no field of the
            documents.
        session: Further options of Session.
        **sink: Further options of IndexSink: ``create``, ``sparse``, ``concurrency``, ``stall_timeout``.

    Raises:
        InvalidRequest: An option is invalid, the batch does not have the columns, or ``field`` does not hold vectors
            of one dimension.
        TypeError: The batch has another format.
        SinkError: The index cannot hold the vectors, or accepts no documents.
        RowsFailed: The index refuses these rows; the others of the batch are written.
    """

    def __init__(
        self,
        index: str,
        url: str | None = None,
        *,
        id: str = "id",
        field: str = "embedding",
        on_error: OnError = "raise",
        error: str = "error",
        session: Mapping[str, Any] | None = None,
        **sink: Any,
    ) -> None:
        check_on_error(on_error, error, id, field)
        where, reasons = Where(index, url, field, dict(session or {}), sink), error if on_error == "column" else None
        self._write = Writer(where, id, reasons, refresh=True)

    def __call__(self, batch: Columns) -> Columns:
        """Write the batch; return it without its vectors."""
        reasons, rest = self._write(batch), without_column(batch, self._write.where.field)
        return rest if self._write.error is None else with_reasons(rest, self._write.error, reasons)

    def close(self) -> None:
        """Close the session and end its thread; a later call opens a new one."""
        self._write.close()

    def __repr__(self) -> str:
        where = self._write.where
        return f"Index({where.index!r}, {where.url!r}, id={self._write.id!r}, field={where.field!r})"


if not TYPE_CHECKING:  # a type checker would take ``__getattr__`` for every name; only the datasink needs Ray itself
    __getattr__, __dir__ = lazily(
        __name__, __all__, {"aiomlcommons.integrations._ray_datasink": "OpenSearchDatasink Refusal"}
    )
