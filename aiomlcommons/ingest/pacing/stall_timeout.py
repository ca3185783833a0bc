"""How long those who ask a server together go without any answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import attrs

from aiomlcommons.errors import MLCommonsError


@attrs.define(eq=False)
class StallTimeout:
    """Cuts calls short when nothing was answered for ``seconds``, counted from when the first of them asked.

    An answer to anybody begins it anew for all. While nobody has asked, or all who did are answered, no time counts.
    A call is cut with what ``stalled`` makes of a few words: ``no answer for 600 s, the last trouble was: ...``
    """

    seconds: float
    stalled: Callable[[str], Exception]
    clock: Callable[[], float] = anyio.current_time
    _since: float = math.inf
    _asking: int = 0
    _trouble: MLCommonsError | str = ""
    _calls: dict[anyio.CancelScope, None] = attrs.field(factory=dict)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Something that is asked for, with its tries and the pauses between them. Raises what ``stalled`` makes."""
        with anyio.CancelScope() as scope:
            self._calls[scope] = None
            try:
                yield
            finally:
                del self._calls[scope]
                if not self._calls:
                    self._since = math.inf
                self._wind()
        if scope.cancelled_caught:
            raise self._ended()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """A request that is under way, within a call."""
        if self._since == math.inf:
            self._since = self.clock()
            self._wind()
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1

    def answered(self) -> None:
        """A request that is under way was answered: the others have as much time again."""
        self._trouble = ""
        self._since = self.clock() if self._asking > 1 else math.inf
        self._wind()

    def troubled(self, trouble: MLCommonsError | str) -> None:
        """A request came to nothing, and may be sent again. Raises what ``stalled`` makes where it is too late."""
        self._trouble = trouble
        if self.clock() - self._since >= self.seconds:
            raise self._ended()

    def _wind(self) -> None:
        # The oldest call keeps the time for all: it costs as little for many calls as for one. When it is cut, the next
        # one is the oldest, and its time is over too.
        for scope in self._calls:
            scope.deadline = anyio.current_time() + self._since + self.seconds - self.clock()
            break

    def _ended(self) -> Exception:
        last = f", the last trouble was: {self._trouble}" if self._trouble else ""
        error = self.stalled(f"no answer for {self.seconds:g} s{last}")
        error.__cause__ = self._trouble if isinstance(self._trouble, MLCommonsError) else None
        return error
