"""What a display of progress is."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from aiomlcommons.progress.event import Phase, Progress
from aiomlcommons.progress.words import span


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
