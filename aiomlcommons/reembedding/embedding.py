"""The job that embeds the documents of a round: the engine of ``ml.ingest``, from rows that are found to an index."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.sinks.conditional import Conditional, ConditionalSink
from aiomlcommons.ingest.start import start_job
from aiomlcommons.ingest.types import Rows
from aiomlcommons.progress.telling import Progressing
from aiomlcommons.reembedding.counts import Round

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# What the rows come from is called by this where a job names it.
SOURCE = "documents without a vector"


@attrs.frozen
class _Found:
    """The rows of a round as a source, of which the ``first`` are known already."""

    name: str
    first: Sequence[Conditional]
    rows: AsyncGenerator[list[Conditional]]
    total: int | None

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:  # noqa: ARG002 - of a Source
        """Yield the rows, once. A job that is not finished begins with another round."""
        yield Rows(0, self.first, None)
        start = len(self.first)
        async for rows in self.rows:
            yield Rows(start, rows, None)
            start += len(rows)

    async def count(self) -> int | None:
        """Return how many there will be, as far as that is known."""
        return self.total


async def embed(
    models: Client,
    model: str,
    rows: AsyncGenerator[list[Conditional]],
    sink: ConditionalSink,
    counts: Round,
    *,
    options: JobOptions,
    total: int | None = None,
    tell: Progressing = False,
) -> None:
    """Embed the texts of rows, and write them into an index; count it. Without rows nothing is asked of the model.

    Raises what ``ml.ingest`` raises.
    """
    async with aclosing(rows):
        if (first := await anext(rows, None)) is None:
            return
        source = _Found(SOURCE, first, rows, total)
        async with start_job(models, source, model=model, sink=sink, options=options, progress=tell) as job:
            report = await job
    embedded = report.written - len(sink.superseded)
    counts.embedded += embedded
    counts.written += embedded + sink.kept
    counts.failed += report.failed
