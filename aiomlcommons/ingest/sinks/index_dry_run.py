"""An index that is asked about and not written to."""

from __future__ import annotations

from collections.abc import Sequence

from aiomlcommons.ingest.sinks._index_bulk import Action, Outcome
from aiomlcommons.ingest.sinks._index_mapping import index_body
from aiomlcommons.ingest.sinks._index_target import Target
from aiomlcommons.ingest.sinks.index import IndexSink


class IndexRehearsal(IndexSink):
    """What an IndexSink does, up to the point where it would create the index or send documents to it.

    ``sent`` is how many bytes the requests would have had. A mapping that does not fit is found out.
    """

    sent = 0

    async def close(self, *, complete: bool) -> None:
        """Nothing was written that a search could see."""

    def _target_of(self, uuid: str | None) -> Target:
        target = super()._target_of(uuid)
        return _Imagined(target.ml, target.name, target.field, target.create, target.sparse)

    async def _try(self, piece: Sequence[Action]) -> Outcome:
        self.sent += sum(len(action.lines) for action in piece)
        return Outcome()


class _Imagined(Target):
    """Where there is no such index, one as it would be made."""

    async def check_same(self, taken: int) -> None:
        """Nothing is written, so it may be any."""

    async def _make(self, dimension: int | None) -> None:
        self.mappings = {self.name: index_body({}, self.field, dimension)["mappings"]}
