"""An index that is asked about and not written to."""

from __future__ import annotations

from collections.abc import Sequence

from aiomlcommons.ingest.sinks.bulk import Action, Outcome
from aiomlcommons.ingest.sinks.mapping import index_body
from aiomlcommons.ingest.sinks.opensearch import IndexSink


class IndexRehearsal(IndexSink):
    """What an IndexSink does, up to the point where it would create the index or send documents to it.

    ``sent`` is how many bytes the requests would have had. A mapping that does not fit is found out.
    """

    sent = 0

    async def close(self, *, complete: bool) -> None:
        """Nothing was written that a search could see."""

    async def _make(self, dimension: int | None) -> None:
        self._mappings = {self.name: index_body({}, self.field, dimension)["mappings"]}

    async def _try(self, piece: Sequence[Action]) -> Outcome:
        self.sent += sum(len(action.lines) for action in piece)
        return Outcome()
