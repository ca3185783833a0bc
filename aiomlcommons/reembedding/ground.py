"""What the rounds of a re-embedding share: what they read, how they write, and the job that embeds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from aiomlcommons.ingest.sinks.conditional import NO_PIPELINE, Conditional, ConditionalSink, ConditionalWrites
from aiomlcommons.progress.telling import Progressing
from aiomlcommons.reembedding.changes import Changes
from aiomlcommons.reembedding.counts import Round, timed
from aiomlcommons.reembedding.embedding import embed
from aiomlcommons.reembedding.pairs import Pairs, beside, both, gone
from aiomlcommons.reembedding.reading import Found, Reader
from aiomlcommons.reembedding.shards import checkpoints, refreshed
from aiomlcommons.reembedding.task import Pace, Task, of
from aiomlcommons.reembedding.verdicts import Verdict
from aiomlcommons.reembedding.versions import fingerprint

if TYPE_CHECKING:
    from aiomlcommons.client import Client

Judge: TypeAlias = "Callable[[Found | None, Found | None], Verdict]"


class Ground:
    """The two indices of a task, with readers, writers and the model: what Rounds stand on."""

    def __init__(self, ml: Client, task: Task, pace: Pace, tell: Progressing, models: Client) -> None:
        self._ml, self._task, self._pace, self._tell, self._models = ml, task, pace, tell, models
        self._patient = ml.options(wait=pace.stall_timeout)
        self._text_of = task.text_of

    async def marks(self) -> dict[int, int]:
        """Return the global checkpoint of each shard of the source: up to there all copies have all writes."""
        return await checkpoints(self._patient, self._task.source)

    @asynccontextmanager
    async def _between(self) -> AsyncGenerator[tuple[Reader, Reader, Round]]:
        """Give readers of source and target, which see all that is written by now, and the counts of a round."""
        task, counts = self._task, Round()
        with timed(counts):
            await refreshed(self._patient, task.source, task.target)
            yield Reader(self._patient, task.source), Reader(self._patient, task.target, task.of), counts

    async def _all(self, source: Reader, target: Reader, fields: Any = False) -> Pairs:
        """Return all documents of both, side by side."""
        here, there = await self.marks(), await checkpoints(self._patient, self._task.target)
        found = beside(source, target, here, source=fields)
        return found if self._task.in_place else both(found, gone(source, target, there))

    async def _forward(
        self,
        counts: Round,
        source: Reader,
        target: Reader,
        pairs: Pairs,
        judge: Judge,
        *,
        total: int | None = None,
        known: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        """Carry verdicts out from the source to the target; return what was superseded, with the server's words.

        ``known`` are further arguments of ``Changes``.
        """
        task = self._task
        async with self._writes(task.target) as writes:
            changes = Changes(
                counts=counts,
                source=source,
                target=target,
                writes=writes,
                fields={"excludes": not_copied(task)},
                text_of=self._text_of,
                **(known or {}),
            )
            sink = self._sink(task.target, task.field, task.model)
            await self._embed(counts, changes.rows(pairs, judge), sink, task.model, total)
            superseded = writes.superseded | sink.superseded
        counts.superseded += len(superseded)
        return superseded

    @asynccontextmanager
    async def _writes(self, index: str, pipeline: str | None = NO_PIPELINE) -> AsyncGenerator[ConditionalWrites]:
        writes = ConditionalWrites(self._ml, index, pipeline=pipeline, stall_timeout=self._pace.stall_timeout)
        try:
            yield writes
        finally:
            writes.close()

    def _sink(self, index: str, field: str, model: str) -> ConditionalSink:
        """Return the sink of a field; in the source only where it has fingerprints they are written."""
        task = self._task
        if index != task.target and not task.old_fingerprints:
            return ConditionalSink(self._ml, index, field=field)
        return ConditionalSink(self._ml, index, field=field, besides=lambda text: {of(field): fingerprint(model, text)})

    async def _embed(
        self,
        counts: Round,
        rows: AsyncGenerator[list[Conditional]],
        sink: ConditionalSink,
        model: str,
        total: int | None = None,
    ) -> None:
        options = self._pace.options(self._task.text)
        await embed(self._models, model, rows, sink, counts, options=options, total=total, tell=self._tell)


def not_copied(task: Task) -> list[str]:
    """Return the fields that the copies do not get from the source: the old vectors, and what is made for the new."""
    old = task.old_field
    marked = [of(old)] if old is not None and old in task.dropped and task.old_fingerprints else []
    return [*{*task.dropped, *marked, task.field, task.of}]
