"""What a display of progress is, and what stands between it and a call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import attrs

from aiomlcommons.progress.event import Phase, Progress
from aiomlcommons.progress.words import span

log = logging.getLogger("aiomlcommons")


@runtime_checkable
class Display(Protocol):
    """Shows the progress of one call."""

    def heard(self, progress: Progress, *, step: bool) -> Any:
        """Show an event: a step, which is said once, or the present state, which comes some times a second.

        What it returns is awaited if it is awaitable.
        """

    def ended(self, error: BaseException | None) -> None:
        """Leave terminal and notebook in order; the call ended, with this error if it failed or was cancelled."""


def trouble(progress: Progress, error: BaseException | None) -> str:
    """Return how a call ended that did not succeed: it failed, or was cancelled or left; empty if it succeeded."""
    if isinstance(error, Exception):
        return f"failed with {type(error).__name__} after {span(progress.seconds)}"
    stopped = error is not None or progress.phase in {Phase.EMBEDDING, Phase.FINISHING}
    return f"stopped after {span(progress.seconds)}" if stopped else ""


@attrs.define
class ToCallback:
    """Calls a function with each step, and with counts that have changed."""

    function: Callable[[Progress], Any]
    _last: Progress | None = None

    def heard(self, progress: Progress, *, step: bool) -> Any:
        """Call the function; return what it returns, which may be awaitable."""
        timeless = attrs.evolve(progress, seconds=0.0, rate=None, eta=None)
        if not step and timeless == self._last:
            return None
        self._last = timeless
        return self.function(progress)

    def ended(self, error: BaseException | None) -> None:
        """Do nothing: the call itself returns or raises."""


@attrs.define
class Harmless:
    """A display that ends no call: if it fails, that is logged, and nothing more is shown."""

    display: Display
    _failed: bool = False

    def heard(self, progress: Progress, *, step: bool) -> None:
        """Show an event."""
        if not self._failed:
            try:
                self.display.heard(progress, step=step)
            except Exception as failure:
                self._fail(failure)

    def ended(self, error: BaseException | None) -> None:
        """Leave terminal and notebook in order."""
        try:
            self.display.ended(error)
        except Exception as failure:
            self._fail(failure)

    def _fail(self, failure: Exception) -> None:
        if not self._failed:
            log.warning("progress can be shown no more", exc_info=failure)
        self._failed = True
