"""Stall timeout: a watchdog over concurrent calls to one server, restarted by every response to any of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from types import TracebackType

import anyio
import attrs

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.ingest.pacing.clock import loop_time

# Seconds: less than that is left only by rounding, and a timer for it could go off again and again at the same time.
_TICK = 1e-6


@attrs.define(eq=False)
class StallTimeout:
    """A watchdog that cancels all calls once ``seconds`` have passed without a response to any of them.

    Time counts from the first request without a response, through its failures, retries and pauses; a response to any
    request restarts it for all. It is stopped while no request is outstanding. Cancelled calls raise
    ``stalled(message)``, with a message such as ``no response for 600 s, the last error was: ...``
    """

    seconds: float
    stalled: Callable[[str], Exception]
    clock: Callable[[], float] = loop_time
    _silent_since: float = math.inf
    _in_flight: int = 0
    _last_error: MLCommonsError | str = ""
    _calls: dict[anyio.CancelScope, None] = attrs.field(factory=dict)
    # One timer for all calls, set anew only when it goes off: a response costs no more than to note its time.
    _timer: asyncio.TimerHandle | None = None

    def call(self) -> Call:
        """Watch one call: its requests, retries and the pauses between them. Raises the ``stalled`` error."""
        return Call(self)

    def asking(self) -> Asking:
        """Count a request of a call as in flight; start the watchdog if it is stopped."""
        return Asking(self)

    def answered(self) -> None:
        """Restart the watchdog after a response, be it an error; stop it if no other request is in flight."""
        self._last_error = ""
        self._silent_since = self.clock() if self._in_flight > 1 else math.inf

    def troubled(self, error: MLCommonsError | str) -> None:
        """Record a failed request that may be retried. Raises the ``stalled`` error if time is up."""
        self._last_error = error
        if self.clock() - self._silent_since >= self.seconds:
            raise self._error()

    def _watch(self) -> None:
        if self._timer is None and self._silent_since < math.inf:
            self._timer = asyncio.get_running_loop().call_later(self._left(), self._on_time)

    def _left(self) -> float:
        return self._silent_since + self.seconds - self.clock()

    def _on_time(self) -> None:
        self._timer = None
        if self._left() > _TICK:
            self._watch()
            return
        for scope in self._calls:
            scope.cancel()

    def _unwatch(self) -> None:
        self._silent_since = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _error(self) -> Exception:
        last = f", the last error was: {self._last_error}" if self._last_error else ""
        error = self.stalled(f"no response for {self.seconds:g} s{last}")
        error.__cause__ = self._last_error if isinstance(self._last_error, MLCommonsError) else None
        return error


class Call:
    """A call that ``StallTimeout`` watches, as a context manager."""

    # Classes with slots, not generators: each request enters both.
    __slots__ = ("_scope", "_stall")

    def __init__(self, stall: StallTimeout) -> None:
        self._stall = stall
        self._scope = anyio.CancelScope()

    def __enter__(self) -> None:
        self._scope.__enter__()
        self._stall._calls[self._scope] = None
        self._stall._watch()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stall = self._stall
        del stall._calls[self._scope]
        if not stall._calls:
            stall._unwatch()
        # It swallows its own cancellation only, in place of which the error is raised.
        self._scope.__exit__(kind, error, trace)
        if self._scope.cancelled_caught:
            raise stall._error()


class Asking:
    """A request in flight, as a context manager."""

    __slots__ = ("_stall",)

    def __init__(self, stall: StallTimeout) -> None:
        self._stall = stall

    def __enter__(self) -> None:
        stall = self._stall
        if stall._silent_since == math.inf:
            stall._silent_since = stall.clock()
            stall._watch()
        stall._in_flight += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stall._in_flight -= 1
