"""An index sink for dry runs, which reads the index but does not write to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs

from aiomlcommons.indices.mapping import index_body
from aiomlcommons.indices.vector_field import Field
from aiomlcommons.ingest.sinks._index_actions import Actions
from aiomlcommons.ingest.sinks._index_bulk import Outcome
from aiomlcommons.ingest.sinks._index_delivery import Delivery
from aiomlcommons.ingest.sinks._index_target import Target
from aiomlcommons.ingest.sinks.index import IndexSink


@attrs.define(eq=False)
class _DryRunDelivery(Delivery):
    """A delivery that sends nothing, and counts the bytes that it would send."""

    sent: int = 0

    async def _try(self, pending: Actions, **_: bool) -> Outcome:
        self.sent += len(pending.body)
        return Outcome()


class DryRunIndexSink(IndexSink):
    """An IndexSink that checks the mapping and encodes documents, but neither creates the index nor sends them."""

    _delivering: ClassVar[type[Delivery]] = _DryRunDelivery

    @property
    def sent(self) -> int:
        """The bytes of the requests that it would send."""
        return self._delivery.sent if isinstance(self._delivery, _DryRunDelivery) else 0

    async def close(self, *, complete: bool) -> None:
        """Do nothing: no refresh is needed without writes."""

    def _target_of(self, uuid: str | None) -> Target:
        target = super()._target_of(uuid)
        return _DryRunTarget(target.ml, target.name, target.field, target.create, target.vectors)


class _DryRunTarget(Target):
    """A target that stands in for an index that would be created."""

    async def check_same(self, taken: int) -> None:
        """Do nothing: without writes it need not stay the same index."""

    async def _make(self, fields: Mapping[str, Field]) -> None:
        self.mappings = {self.name: index_body({}, fields)["mappings"]}
