"""The rounds of a re-embedding: each makes the target as it should be, as far as it looks, and can be repeated.

What a round did stands in the indices, so that one which was killed is simply run again. A document is written on the
condition that it is as it was found, so that no round replaces what is newer. Around the switch a process also keeps in
mind what it brought over and gave back itself; a new one, which does not know it, may report a conflict more.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from aiomlcommons.ingest.sinks.conditional import NO_PIPELINE, Conditional
from aiomlcommons.progress.telling import Progressing
from aiomlcommons.reembedding import verdicts
from aiomlcommons.reembedding.asking import count_of
from aiomlcommons.reembedding.changes import Changes, over, put
from aiomlcommons.reembedding.comparing import compared
from aiomlcommons.reembedding.counts import Differences, Round, timed
from aiomlcommons.reembedding.ground import Ground, Judge, not_copied
from aiomlcommons.reembedding.pairs import Pairs, beside, both, gone
from aiomlcommons.reembedding.reading import FETCHED, Found, Reader
from aiomlcommons.reembedding.scanning import checked, ids_since, without_vectors
from aiomlcommons.reembedding.shards import checkpoints, refreshed
from aiomlcommons.reembedding.task import Pace, Task, of
from aiomlcommons.reembedding.verdicts import Verdict
from aiomlcommons.reembedding.versions import NOTHING, dropped_at, seq_no_of

if TYPE_CHECKING:
    from aiomlcommons.client import Client

Marks = Mapping[int, int]
"""Sequence numbers by shard: what has a higher one was written later."""


class Rounds(Ground):
    """The rounds of one task, of which one runs at a time.

    Args:
        ml: The session whose cluster has the indices.
        task: What is made of what.
        pace: How fast, and how patiently.
        tell: What is told of the progress, as ``progress=`` of ``ml.ingest``.
        models: The session whose cluster has the models. Default: ``ml``.
    """

    def __init__(
        self, ml: Client, task: Task, pace: Pace, tell: Progressing = False, models: Client | None = None
    ) -> None:
        super().__init__(ml, task, pace, tell, models or ml)
        # What this process did since the switch, by ids. Brought over: version and sequence number in the source.
        self._brought: dict[str, tuple[int, int]] = {}
        # Deleted in the target, and in the source on the way back: the version of the delete.
        self._deleted: dict[str, int] = {}
        self._withdrawn: dict[str, int] = {}
        # Given back: the sequence number in the target.
        self._given: dict[str, int] = {}

    async def written_after(self, marks: Marks) -> set[str]:
        """Return the ids of the documents of the source that were written after ``marks``."""
        await refreshed(self._patient, self._task.source)
        return set(await ids_since(self._patient, self._task.source, marks))

    async def whole(self, *, again: bool = False) -> Round:
        """Make the target what the source is, before the switch: copy, embed, and delete what is gone.

        ``again`` is for a further switch: what others wrote in the target was given back by ``back``, and what the
        source got since then counts.
        """
        async with self._between() as (source, target, counts):
            pairs = checked(self._task, await self._all(source, target))
            total = await count_of(self._patient, self._task.source) - await count_of(self._patient, self._task.target)
            superseded = await self._forward(counts, source, target, pairs, _judge(again), total=max(0, total))
            if again and superseded:  # deletes of others keep copies away, which the source has after all
                pairs = _alone(await source.fetch(list(superseded)))
                await self._forward(counts, source, target, pairs, lambda _, __: Verdict.WRITE)
        return counts

    async def since(self, marks: Marks, *, again: bool = False) -> tuple[Round, dict[int, int]]:
        """Copy what was written in the source after ``marks``, before the switch; return the next marks too.

        Deletes leave nothing to be found by: ``whole`` finds them.
        """
        new = await self.marks()  # before the refresh, which shows what is up to there
        async with self._between() as (source, target, counts):
            pairs = checked(self._task, beside(source, target, new, marks))
            await self._forward(counts, source, target, pairs, _judge(again))
        return counts, new

    async def late(self, marks: Marks) -> Round:
        """After the switch, bring over what the source got after ``marks`` (deletes too), unless others wrote it since.

        ``marks`` are those up to which the source was copied when the alias was switched: always the same ones.
        """
        async with self._between() as (source, target, counts):
            judge = verdicts.Late(marks, self._brought, self._deleted)
            superseded = await self._bring(counts, source, target, await self._all(source, target), judge)
            # A delete of ours, before the switch, keeps nothing away that was written in the source after it.
            ours = {key: version for key, why in superseded.items() if (version := dropped_at(why)) is not None}
            if ours:
                pairs = _alone(await source.fetch(list(ours)))
                await self._bring(counts, source, target, pairs, lambda _, __: Verdict.BRING, ours)
        return counts

    async def _bring(
        self,
        counts: Round,
        source: Reader,
        target: Reader,
        pairs: Pairs,
        judge: Judge,
        versions: Mapping[str, int] | None = None,
    ) -> dict[str, str]:
        """Carry verdicts out after the switch, and keep in mind what was done."""
        wanted: dict[str, tuple[int, int]] = {}
        absent: set[str] = set()

        def about(found: Found, other: Found | None) -> None:
            if other is None:
                absent.add(found.id)
            first = (versions or {}).get(found.id, NOTHING)
            wanted[found.id] = (first if other is None else other.version + 1, found.seq_no)

        known = {"about": about, "deleted": self._deleted, "versions": versions or {}}
        superseded = await self._forward(counts, source, target, pairs, judge, known=known)
        # Of what others have deleted, the target has all that there will be.
        deleted = {key for key in absent & superseded.keys() if dropped_at(superseded[key]) is None}
        self._brought |= {key: wanted[key] for key in (wanted.keys() - superseded.keys()) | deleted}
        return superseded

    async def follow(self, marks: Marks | None = None) -> tuple[Round, dict[int, int]]:
        """Embed what others wrote into the target without a right vector after ``marks`` (of the target; None: all).

        It returns the next marks too. A document that the model refuses is tried again only where it is looked at.
        """
        task, counts = self._task, Round()
        with timed(counts):
            new = await checkpoints(self._patient, task.target)
            await refreshed(self._patient, task.target)
            async with self._writes(task.target) as writes:
                rows = without_vectors(self._patient, task, marks or {}, new, counts, writes)
                sink = self._sink(task.target, task.field, task.model)
                await self._embed(counts, rows, sink, task.model)
                counts.superseded += len(writes.superseded) + len(sink.superseded)
        return counts, new

    async def back(self, marks: Marks, until: Marks | None = None) -> Round:
        """Bring what others wrote in the target since the switch into the source, with vectors of the old model.

        Args:
            marks: As for ``late``.
            until: The marks of the source just before the alias went back to it: what was written there later is
                newer. None: the alias has not gone back.
        """
        task, given, brought = self._task, dict[str, int](), set[str]()

        def about(found: Found, other: Found | None) -> None:
            given[found.id] = found.seq_no
            if other is None and until is not None:
                brought.add(found.id)

        async with self._between() as (source, target, counts):
            judge = verdicts.Back(marks, until, self._given, self._brought)
            old, new = await self.marks(), await checkpoints(self._patient, task.target)
            changed = beside(target, source, new, by_shard=[*old], wanted=lambda one: seq_no_of(one.version) is None)
            pairs = both(changed, gone(target, source, old))
            embeds = task.old_model is not None and not task.old_pipeline
            pipeline = None if task.old_pipeline else NO_PIPELINE
            async with self._writes(task.source, pipeline) as writes:
                changes = Changes(
                    counts=counts,
                    source=target,
                    target=source,
                    writes=writes,
                    fields={"excludes": _of_models(task, made=embeds or task.old_pipeline)},
                    text_of=self._text_of if embeds else None,
                    deleted=self._withdrawn,
                    versions=dict(self._withdrawn),
                    about=about,
                )
                rows = changes.rows(pairs, lambda new, old: judge(old, new))
                sink = self._sink(task.source, task.old_field or task.field, task.old_model or "")
                await self._embed(counts, rows, sink, task.old_model or "")
                superseded = {*writes.superseded, *sink.superseded}
            counts.superseded += len(superseded)
            # Others have deleted these in the source, some time ago or just now.
            for key in sorted(superseded & brought):
                counts.conflict(key)
            lost = task.old_field in {*not_copied(task)} and not (embeds or task.old_pipeline)
            counts.without_vector += counts.written if lost else 0
        self._given |= {key: given[key] for key in given.keys() - superseded}
        return counts

    async def clear(self) -> Round:
        """Remove the vectors of the second field, and their fingerprints, from all documents."""
        task, counts = self._task, Round()
        either = {"bool": {"should": [{"exists": {"field": name}} for name in (task.field, task.of)]}}
        reader, rest = Reader(self._patient, task.target), {"excludes": [task.field, task.of]}
        with timed(counts):
            await refreshed(self._patient, task.target)
            pages = reader.scan(await self.marks(), query=either, source=rest, size=FETCHED)
            async with self._writes(task.target) as writes, aclosing(pages):
                async for page in pages:
                    counts.compared += len(page)
                    await put(writes, [Conditional(one.fields, over(one, one)) for one in page], counts)
                counts.superseded += len(writes.superseded)
        return counts

    async def differences(self, *, again: bool = False) -> Differences:
        """Compare source and target, and write nothing."""
        async with self._between() as (source, target, counts):
            pairs = await self._all(source, target, {"includes": self._text_of.names})
            found = await compared(self._task, self._text_of, pairs, _judge(again))
        found.seconds = counts.seconds
        return found


async def _alone(found: Mapping[str, Found]) -> Pairs:
    """Yield documents of which nothing is on the other side."""
    for one in found.values():
        yield one, None


def _judge(again: bool) -> Judge:
    return verdicts.again if again else verdicts.whole


def _of_models(task: Task, *, made: bool) -> list[str]:
    """Return the fields that the source does not get back: those that are ``made`` anew are not the writers' own."""
    old = [task.old_field, of(task.old_field)] if made and task.old_field is not None else []
    return [*{*not_copied(task), *old}]
