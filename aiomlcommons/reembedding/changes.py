"""From verdicts to writes: documents that need a vector are handed on, and all others are written at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import attrs

from aiomlcommons.inference.fields import TextFrom
from aiomlcommons.ingest.sinks.conditional import Conditional, ConditionalWrites, Write
from aiomlcommons.reembedding.counts import Round
from aiomlcommons.reembedding.pairs import Pairs
from aiomlcommons.reembedding.reading import FETCHED, Found, Reader
from aiomlcommons.reembedding.texts import text_in
from aiomlcommons.reembedding.verdicts import Verdict
from aiomlcommons.reembedding.versions import NOTHING, dropped, version_of

COMPARING = (Verdict.COMPARE, Verdict.DIFFER)


def over(found: Found | None, of: Found) -> Write:
    """Return the write of a document over what was found of it, or to where nothing was found."""
    if found is None:
        return Write(op="create", id=of.id, routing=of.routing)
    return _on("index", found)


def _on(op: Any, found: Found) -> Write:
    return Write(op=op, id=found.id, routing=found.routing, seq_no=found.seq_no, primary_term=found.primary_term)


def copy(found: Found) -> Write:
    """Return the write of the copy of a document."""
    return Write(op="index", id=found.id, routing=found.routing, version=version_of(found.seq_no))


def bring(found: Found, version: int) -> Write:
    """Return the write of a document to where nothing is, and where nothing of a higher version was deleted."""
    return Write(op="index", id=found.id, routing=found.routing, version=version)


def drop(found: Found) -> Write:
    """Return the delete of a copy."""
    return Write(op="delete", id=found.id, routing=found.routing, version=dropped(found.version))


def update(found: Found) -> Write:
    """Return the write of some fields of a document."""
    return _on("update", found)


def delete(found: Found) -> Write:
    """Return the delete of a document."""
    return _on("delete", found)


@attrs.define(kw_only=True)
class Changes:
    """Carries out verdicts on pairs of documents.

    Attributes:
        counts: Where it is counted.
        source: Where documents come from.
        target: Where they go, for the verdict COMPARE.
        writes: What writes documents without vectors.
        fields: What of a document is copied, as ``_source`` of a search.
        text_of: The text of a document. None: there is no model, and none gets a vector.
        about: What is known of each document that is written: called with what was found of it on both sides.
        deleted: Where documents are added that were deleted on the other side, with the versions of their deletes.
        versions: The versions of documents of the verdict BRING. Default: that of what was never there.
    """

    counts: Round
    source: Reader
    target: Reader
    writes: ConditionalWrites
    fields: Any
    text_of: TextFrom | None
    about: Callable[[Found, Found | None], None] = lambda _, __: None
    deleted: dict[str, int] = attrs.field(factory=dict)
    versions: Mapping[str, int] = attrs.field(factory=dict)

    async def rows(
        self, pairs: Pairs, judge: Callable[[Found | None, Found | None], Verdict]
    ) -> AsyncGenerator[list[Conditional]]:
        """Yield the documents that need a vector, some at a time. Raises SinkError, ApiError."""
        waiting: list[tuple[Verdict, Found, Found | None]] = []
        deletes: list[Conditional] = []
        deleted_at: dict[str, int] = {}
        async with aclosing(pairs):
            async for one, other in pairs:
                self.counts.compared += 1
                verdict = judge(one, other)
                if verdict in (Verdict.SAME, Verdict.LEAVE):
                    self.counts.same += verdict is Verdict.SAME
                elif verdict in (Verdict.DELETE, Verdict.DROP) and other is not None:
                    deletes.append(Conditional({}, (drop if verdict is Verdict.DROP else delete)(other)))
                    deleted_at[other.id] = other.version + 1
                elif verdict is Verdict.CONFLICT and one is not None:
                    self.counts.conflict(one.id)
                elif one is not None:
                    waiting.append((verdict, one, other))
                if len(waiting) >= FETCHED:
                    if found := await self._fetched(waiting):
                        yield found
                    waiting = []
                if len(deletes) >= FETCHED:
                    await self._delete(deletes, deleted_at)
                    deletes = []
        await self._delete(deletes, deleted_at)
        if waiting and (found := await self._fetched(waiting)):
            yield found

    async def _fetched(self, waiting: Sequence[tuple[Verdict, Found, Found | None]]) -> list[Conditional]:
        """Return the documents that need a vector, with their fields; write the others."""
        fetched = await self.source.fetch([one.id for _, one, _ in waiting], self.fields)
        compared = [other.id for verdict, _, other in waiting if verdict in COMPARING and other is not None]
        others = await self.target.fetch(compared, self.fields) if compared else {}
        rows: list[Conditional] = []
        plain: list[Conditional] = []
        for verdict, one, other in waiting:
            found = fetched.get(one.id)
            if found is None:
                continue  # deleted meanwhile, which the next round sees
            text = None if self.text_of is None else text_in(self.text_of, found.fields)
            if self._is_done(verdict, found, text, others):
                continue
            self.about(found, other)
            (plain if text is None else rows).append(Conditional(found.fields, self._write(verdict, found, other)))
        await put(self.writes, plain, self.counts)
        return rows

    def _write(self, verdict: Verdict, found: Found, other: Found | None) -> Write:
        if verdict is Verdict.BRING:
            return bring(found, self.versions.get(found.id, NOTHING))
        return copy(found) if verdict in (Verdict.COPY, Verdict.LOOK) else over(other, found)

    def _is_done(self, verdict: Verdict, found: Found, text: str | None, others: dict[str, Found]) -> bool:
        """Return whether nothing is to be done after all, now that the fields are known; count it."""
        self.counts.without_text += text is None and self.text_of is not None
        same = text is None if verdict is Verdict.LOOK else False
        if verdict in COMPARING and found.id in others:
            same = others[found.id].fields == found.fields
            if not same and verdict is Verdict.DIFFER:
                self.counts.conflict(found.id)
                return True
        self.counts.same += same
        return same

    async def _delete(self, rows: Sequence[Conditional], versions: Mapping[str, int]) -> None:
        self.counts.deleted += await _accepted(self.writes, rows, self.counts)
        done = {row.write.id for row in rows} - self.writes.superseded.keys()
        self.deleted |= {key: versions[key] for key in done}


async def put(writes: ConditionalWrites, rows: Sequence[Conditional], counts: Round) -> None:
    """Write documents without vectors, and count them."""
    counts.written += await _accepted(writes, rows, counts)


async def _accepted(writes: ConditionalWrites, rows: Sequence[Conditional], counts: Round) -> int:
    """Send writes; return how many the index accepted."""
    if not rows:
        return 0
    before = len(writes.superseded)
    refused = await writes.put(rows)
    counts.failed += len(refused)
    return len(rows) - len(refused) - (len(writes.superseded) - before)
