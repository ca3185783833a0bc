"""Stall timeout: a watchdog over concurrent calls to one server, restarted by every response to any of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import attrs

from aiomlcommons.errors import MLCommonsError


@attrs.define(eq=False)
class StallTimeout:
    """A watchdog that cancels all calls once ``seconds`` have passed without a response to any of them.

    Time counts from the first request without a response, through its failures, retries and pauses; a response to any
    request restarts it for all. It is stopped while no request is outstanding. Cancelled calls raise
    ``stalled(message)``, with a message such as ``no response for 600 s, the last error was: ...``
    """

    seconds: float
    stalled: Callable[[str], Exception]
    clock: Callable[[], float] = anyio.current_time
    _silent_since: float = math.inf
    _in_flight: int = 0
    _last_error: MLCommonsError | str = ""
    _calls: dict[anyio.CancelScope, None] = attrs.field(factory=dict)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Watch one call: its requests, retries and the pauses between them. Raises the ``stalled`` error."""
        with anyio.CancelScope() as scope:
            self._calls[scope] = None
            try:
                yield
            finally:
                del self._calls[scope]
                if not self._calls:
                    self._silent_since = math.inf
                self._set_deadline()
        if scope.cancelled_caught:
            raise self._error()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Count a request of a call as in flight; start the watchdog if it is stopped."""
        if self._silent_since == math.inf:
            self._silent_since = self.clock()
            self._set_deadline()
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1

    def answered(self) -> None:
        """Restart the watchdog after a response, be it an error; stop it if no other request is in flight."""
        self._last_error = ""
        self._silent_since = self.clock() if self._in_flight > 1 else math.inf
        self._set_deadline()

    def troubled(self, error: MLCommonsError | str) -> None:
        """Record a failed request that may be retried. Raises the ``stalled`` error if time is up."""
        self._last_error = error
        if self.clock() - self._silent_since >= self.seconds:
            raise self._error()

    def _set_deadline(self) -> None:
        # Only the oldest call has a deadline, so that a restart costs the same for many calls as for one. When it is
        # cancelled the next one becomes the oldest, and its deadline has passed too.
        for scope in self._calls:
            scope.deadline = anyio.current_time() + self._silent_since + self.seconds - self.clock()
            break

    def _error(self) -> Exception:
        last = f", the last error was: {self._last_error}" if self._last_error else ""
        error = self.stalled(f"no response for {self.seconds:g} s{last}")
        error.__cause__ = self._last_error if isinstance(self._last_error, MLCommonsError) else None
        return error
