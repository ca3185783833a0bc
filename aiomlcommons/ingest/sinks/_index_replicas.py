"""Replicas that are off while a job loads an index, and are put back whatever ends it: its checkpoint knows them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.indices.replicas import Replicas
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.wire.features import Feature

if TYPE_CHECKING:
    from aiomlcommons.client import Client
    from aiomlcommons.ingest.sinks._index_target import Target

log = logging.getLogger("aiomlcommons")
# Their place in the state of the sink.
KEY = "replicas"


@attrs.define(eq=False)
class ReplicasOff:
    """Switches the replicas of an index off for a load.

    They go off only once a checkpoint on disk knows them, that is with the first write after a ``flush`` has told
    them: after ``kill -9`` the job that resumes puts them back.

    Attributes:
        wanted: Whether they are to be off.
        before: What they were; in each state of the sink from when they are known.
        left_off: What an earlier run said that they were, which may have been killed before it put them back.
    """

    wanted: bool
    before: Replicas | None = None
    left_off: Replicas | None = None
    _told: bool = False
    _off: bool = False
    _lock: anyio.Lock = attrs.field(factory=anyio.Lock)

    def learn(self, state: Any) -> None:
        """Take from the state of an earlier run what the replicas were; it may be that of another sink."""
        if isinstance(state, Mapping) and KEY in state:
            self.left_off = Replicas(**state[KEY])

    async def begin(self, target: Target) -> None:
        """Look at the replicas, if there is an index already, and put back what an earlier run left off.

        Raises SinkError if the user may not see or the server has no such settings, ApiError.
        """
        self.before, self._told, self._off = None, False, False
        if not self.wanted:
            await self.put_back(target.ml, must=True)
            return
        target.ml.flavor.need(Feature.CLUSTER_SETTINGS, "replicas_off=True")
        self.before = await _shown(target)
        if self.left_off is not None and self.before is not None and self.left_off.uuid == self.before.uuid:
            if self.before.are_off:
                self.before, self._off = self.left_off, True
            # Else they are not as the earlier run left them: what somebody has set since counts.
            self.left_off = None

    async def told(self, target: Target) -> dict[str, Any]:
        """Return what a state of the sink says of the replicas."""
        if not self.wanted:
            return {}
        self.before = self.before or await _shown(target)
        if self.before is None:
            return {}
        self._told = True
        return {KEY: attrs.asdict(self.before)}

    async def switch_off(self, ml: Client) -> None:
        """Switch the replicas off, if a checkpoint knows them and they are not off. Raises ApiError."""
        if self.before is None or not self._told or self._off or self.before.are_off:
            return
        async with self._lock:
            if not self._off:
                await self.before.switch_off(ml)
                self._off = True
                log.info("index %s has no replicas during the load (before: %s)", self.before.index, self.before)

    async def put_back(self, ml: Client, *, must: bool) -> None:
        """Put the replicas back, those too that an earlier run left off.

        A failure is a warning, or with ``must`` a SinkError: the job that resumes from the checkpoint does it then.
        """
        for known in (self.before if self._off else None, self.left_off):
            if known is not None:
                await _put_back(known, ml, must=must)
        self._off, self.left_off = False, None


async def _shown(target: Target) -> Replicas | None:
    """Return the replicas of a target; None as long as there is no index."""
    return None if target.mappings is None else Replicas.shown(*await target.settings())


async def _put_back(known: Replicas, ml: Client, *, must: bool) -> None:
    try:
        if await known.put_back(ml):
            log.info("index %s has its replicas back: %s", known.index, known)
    except MLCommonsError as error:
        words = (
            f"the replicas of index {known.index}, which were off during the load, could not be put back to {known}; "
            f"the job that resumes from its checkpoint does it: {error}"
        )
        if must:
            raise SinkError(words) from error
        log.warning("%s", words)
