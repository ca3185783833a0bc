"""What was written in an index after marks, shard by shard, and which of its documents lack a vector of their text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from aiomlcommons.ingest.sinks.conditional import Conditional, ConditionalWrites
from aiomlcommons.reembedding.changes import over, put, update
from aiomlcommons.reembedding.counts import Round
from aiomlcommons.reembedding.pairs import Pairs
from aiomlcommons.reembedding.reading import FETCHED, Found, Reader
from aiomlcommons.reembedding.task import Task
from aiomlcommons.reembedding.texts import text_in
from aiomlcommons.reembedding.verdicts import check_version
from aiomlcommons.reembedding.versions import fingerprint, seq_no_of

if TYPE_CHECKING:
    from aiomlcommons.client import Client


async def checked(task: Task, pairs: Pairs) -> Pairs:
    """Yield pairs. Raises ForeignVersions if writers of the source give versions of their own."""
    async with aclosing(pairs):
        async for source, target in pairs:
            if source is not None and not task.any_version:
                check_version(source, task.source)
            yield source, target


async def ids_since(ml: Client, index: str, marks: Mapping[int, int]) -> set[str]:
    """Return the ids of what was written in an index after the marks."""
    async with aclosing(Reader(ml, index).scan(marks, marks)) as pages:
        return {one.id async for page in pages for one in page}


async def without_vectors(
    ml: Client, task: Task, marks: Mapping[int, int], shards: Iterable[int], counts: Round, writes: ConditionalWrites
) -> AsyncGenerator[list[Conditional]]:
    """Yield what others wrote in the target after the marks, and which has no vector of its text; count the rest.

    What has no text any more, but a vector still, loses it at once.
    """
    source = {"includes": task.text_of.names}
    reader = Reader(ml, task.target, task.of)
    async with aclosing(reader.scan(shards, marks, source=source, size=FETCHED)) as pages:
        async for page in pages:
            rows, bare = _sorted(task, page, counts)
            if bare:
                await put(writes, await _without_fields(ml, task, bare), counts)
            if rows:
                yield rows


def _sorted(task: Task, page: Sequence[Found], counts: Round) -> tuple[list[Conditional], list[str]]:
    """Return the documents that need a vector, and the ids of those that must lose it."""
    rows: list[Conditional] = []
    bare: list[str] = []
    for one in page:
        counts.compared += 1
        if task.in_place and not task.any_version:
            check_version(one, task.target)
        text = text_in(task.text_of, one.fields)
        counts.without_text += text is None
        wanted = None if text is None else fingerprint(task.model, text)
        # A copy without a vector is for ``whole``; an update would make it one of others.
        copied = not task.in_place and seq_no_of(one.version) is not None
        if copied or one.fingerprint == wanted:
            counts.same += 1
        elif text is None:
            bare.append(one.id)
        else:
            rows.append(Conditional(one.fields, update(one)))
    return rows, bare


async def _without_fields(ml: Client, task: Task, ids: Sequence[str]) -> list[Conditional]:
    found = await Reader(ml, task.target).fetch(ids, {"excludes": [task.field, task.of]})
    # One that has got a text meanwhile is for the next round.
    bare = [one for one in found.values() if text_in(task.text_of, one.fields) is None]
    return [Conditional(one.fields, over(one, one)) for one in bare]
