"""A served emulator and a session on it."""

from __future__ import annotations

import attrs

from aiomlcommons import Backoff, Session
from aiomlcommons.api.model_records import Model
from aiomlcommons.emulator import Emulator

NOW = Backoff(first=0)


@attrs.frozen
class ServedEmulator:
    """An emulator, its URL, and a session on it."""

    emulator: Emulator
    url: str
    ml: Session

    async def models(self) -> list[tuple[str, Model]]:
        """Return every model of the cluster."""
        return [(hit.id, hit.source) async for hit in self.ml.models.search()]
