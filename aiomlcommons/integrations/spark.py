"""Embedding on Spark: a function for ``DataFrame.mapInArrow``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Unpack

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sinks.arrow_tables import arrow
from aiomlcommons.integrations._columns import with_column
from aiomlcommons.integrations._embedding import EmbedColumn, EmbedOptions
from aiomlcommons.integrations._extras import needs
from aiomlcommons.integrations.errors import RowsFailed
from aiomlcommons.lifecycle.spec import Spec

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

__all__ = ["EmbedInArrow", "RowsFailed", "embed_in_arrow"]


def embed_in_arrow(
    model: Spec | str, url: str | None = None, *, sparse: bool = False, **options: Unpack[EmbedOptions]
) -> EmbedInArrow:
    """Return a function for ``mapInArrow`` that adds a column of vectors to a data frame of Spark::

        embed = embed_in_arrow("all-MiniLM-L6-v2", "https://host:9200", on_error="column")
        embedded = frame.mapInArrow(embed, embed.schema(frame.schema))

    The new column is ``array<float>``, of a sparse model ``map<string, float>``. Each task of Spark, which is a
    partition, opens a session when it begins and closes it when it ends; what a rate limits is a task, so that a quota
    has to be divided by the tasks that run at once. A row that fails, unless ``on_error="column"``, fails its task,
    which Spark may run again.

    Args:
        model: An id, a name or a spec, as ``ml.models.ensure`` takes it; each task ensures it with its first batch.
        url: The URL of the cluster. Default: that of the executor's environment, as ``Session.from_env`` reads it.
        sparse: Whether the model is a sparse one, which the schema has to know before the model is asked.
        **options: Those of ``aiomlcommons.integrations.ray.Embed``, with the same defaults: ``text``, ``output``,
            ``id``, ``on_error``, ``error``, ``batch``, ``concurrency``, ``requests_per_minute``,
            ``tokens_per_minute``, ``count_tokens``, ``content_type``, ``retry_budget``, ``stall_timeout``,
            ``redeploy``, ``session``.

    Raises:
        InvalidRequest: An option is invalid; in a task, if there is no such column or the model is of the other kind.
        RowsFailed: In a task: texts are not strings or cannot be embedded.
        MLCommonsError: In a task: as ``ml.models.ensure`` does.
    """
    return EmbedInArrow(model, url, sparse=sparse, **options)


class EmbedInArrow:
    """The function that ``embed_in_arrow`` returns, and the schema of what it returns. Spark pickles it."""

    def __init__(
        self, model: Spec | str, url: str | None = None, *, sparse: bool = False, **options: Unpack[EmbedOptions]
    ) -> None:
        self._embed, self._sparse = EmbedColumn(model, url, **options), sparse

    def schema(self, schema: StructType) -> StructType:
        """Return the schema of the result: that of the data frame, with the new columns at its end or in their place.

        Raises ImportError if PySpark is not installed.
        """
        with needs("PySpark", "spark"):
            from pyspark.sql.types import ArrayType, DataType, FloatType, MapType, StringType, StructField, StructType
        vectors: DataType = MapType(StringType(), FloatType()) if self._sparse else ArrayType(FloatType())
        new = {self._embed.output: StructField(self._embed.output, vectors)}
        if self._embed.error is not None:
            new[self._embed.error] = StructField(self._embed.error, StringType())
        fields = [new.pop(field.name, field) for field in schema.fields]
        return StructType([*fields, *new.values()])

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Embed the batches of a task, which are record batches of Arrow."""
        try:
            for batch in batches:
                if batch.num_rows:
                    yield from self._embedded(batch).to_batches()
        finally:
            self._embed.close()

    def _embedded(self, batch: Any) -> Any:
        """Return a table with a column of lists of any length, the only ones that Spark knows."""
        pa = arrow()
        table = self._embed(pa.Table.from_batches([batch]))
        vectors = table[self._embed.output]
        if pa.types.is_map(vectors.type) is not self._sparse:
            raise InvalidRequest(f"the model is {'dense' if self._sparse else 'sparse'}: set sparse={not self._sparse}")
        return table if self._sparse else with_column(table, self._embed.output, vectors.cast(pa.list_(pa.float32())))

    def __repr__(self) -> str:
        return f"EmbedInArrow({self._embed!r})"
