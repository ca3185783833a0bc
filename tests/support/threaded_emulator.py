"""An emulator for callers without an event loop."""

from __future__ import annotations

from aiomlcommons.emulator import Emulator
from aiomlcommons.portal import Portal


class ThreadedEmulator:
    """An emulator that is served from a thread of its own, and its URL."""

    def __init__(self, emulator: Emulator | None = None) -> None:
        self.emulator = emulator or Emulator()
        self._portal = Portal(self.emulator.serve(), self)
        self.url: str = self._portal.value

    def close(self) -> None:
        """End the thread."""
        self._portal.close()
