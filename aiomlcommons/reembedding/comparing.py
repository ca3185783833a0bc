"""The comparison of source and target, which proves that the one is the other's copy, with the right vectors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from aiomlcommons.inference.fields import TextFrom
from aiomlcommons.reembedding.counts import Differences
from aiomlcommons.reembedding.pairs import Pairs
from aiomlcommons.reembedding.reading import Found
from aiomlcommons.reembedding.texts import text_in
from aiomlcommons.reembedding.verdicts import Verdict
from aiomlcommons.reembedding.versions import fingerprint, seq_no_of

if TYPE_CHECKING:
    from aiomlcommons.reembedding.task import Task


async def compared(
    task: Task,
    text_of: TextFrom,
    pairs: Pairs,
    judge: Callable[[Found | None, Found | None], Verdict],
) -> Differences:
    """Return what the target differs in. The texts are those of the source."""
    found = Differences()
    async with aclosing(pairs):
        async for one, other in pairs:
            found.compared += 1
            if other is not None and not task.in_place and seq_no_of(other.version) is None:
                _note_of_others(found, other, judge(one, other))
            else:
                _note(found, task, text_of, one, other)
    return found


def _note_of_others(found: Differences, other: Found, verdict: Verdict) -> None:
    """Note a document that others wrote in the target, unless the source has a newer one, or none."""
    kinds = {Verdict.DELETE: found.extra, Verdict.COPY: found.stale}
    kinds.get(verdict, found.by_others).add(other.id)


def _note(found: Differences, task: Task, text_of: TextFrom, one: Found | None, other: Found | None) -> None:
    """Note what the target has of a document of the source, or in its place."""
    copied = None if other is None else seq_no_of(other.version)
    if other is None:
        if one is not None:
            found.missing.add(one.id)
    elif one is None:
        found.extra.add(other.id)
    elif copied != one.seq_no and not task.in_place:
        found.stale.add(one.id)
    elif (text := text_in(text_of, one.fields)) is None:
        found.without_text.add(one.id)
    elif other.fingerprint != fingerprint(task.model, text):
        found.unembedded.add(one.id)
