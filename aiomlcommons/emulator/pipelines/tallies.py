"""What pipelines have done since the node was started: how many documents, for how long, and how many failed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.pipelines.drafts import Draft


@attrs.define
class Tally:
    """The documents that something was done to: all, those that failed, those under way, and the time in seconds."""

    count: int = 0
    failed: int = 0
    current: int = 0
    seconds: float = 0.0

    @asynccontextmanager
    async def counted(self, clock: Callable[[], float], drafts: Sequence[Draft]) -> AsyncGenerator[None]:
        """Count the drafts that have not failed yet, and those that do within the block."""
        good, began = [draft for draft in drafts if draft.error is None], clock()
        self.current += len(good)
        try:
            yield
        finally:
            self.current -= len(good)
            self.count += len(good)
            self.failed += sum(draft.error is not None for draft in good)
            self.seconds += clock() - began

    def add(self, other: Tally) -> None:
        """Add what another one has counted."""
        self.count += other.count
        self.failed += other.failed
        self.current += other.current
        self.seconds += other.seconds

    def shown(self) -> dict[str, int]:
        """Return the counts as the server shows them."""
        millis = round(self.seconds * 1000)
        return {"count": self.count, "time_in_millis": millis, "current": self.current, "failed": self.failed}


@attrs.frozen
class Tallies:
    """The counts of a pipeline, and of each of its processors, which are of these types."""

    kinds: Sequence[str]
    whole: Tally
    processors: Sequence[Tally]

    def shown(self) -> dict[str, Any]:
        """Return the counts as the server shows them."""
        pairs = zip(self.kinds, self.processors, strict=True)
        return {
            **self.whole.shown(),
            "processors": [{kind: {"type": kind, "stats": tally.shown()}} for kind, tally in pairs],
        }


def tallies_of(cluster: Cluster, pipeline_id: str, kinds: Sequence[str]) -> Tallies:
    """Return the counts of a pipeline with processors of these types; one that was changed begins anew."""
    known: Tallies | None = cluster.ingested.get(pipeline_id)
    if known is None or known.kinds != kinds:
        known = cluster.ingested[pipeline_id] = Tallies(kinds, Tally(), [Tally() for _ in kinds])
    return known
