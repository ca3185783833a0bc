"""The owner of what is open: an event loop of one process. On another loop, or in a forked process, it is refused."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Callable

from aiomlcommons.errors import SessionClosed

_owners: weakref.WeakSet[Owner] = weakref.WeakSet()
# What a forked process inherited. It is kept, since asyncio's finalizers would unregister sockets of the parent: both
# processes have one epoll, so that the parent would hear nothing of them any more.
_inherited: list[object] = []


class Owner:
    """The event loop that runs now, in this process, as the owner of something that it opens.

    Args:
        keeps: What only the owner may close: in a forked process it is kept as it is.
        abandon: Called in a forked process, before anything else runs there. It must not refer to who has the Owner.
    """

    __slots__ = ("__weakref__", "_abandon", "_keeps", "is_forked", "loop")

    def __init__(self, keeps: object = None, abandon: Callable[[], object] | None = None) -> None:
        self.loop: object = asyncio.get_running_loop()
        self.is_forked = False
        self._keeps, self._abandon = keeps, abandon
        _owners.add(self)

    def check(self, what: str) -> None:
        """Raise SessionClosed unless this is the loop, and the process, that owns ``what``, such as "the session"."""
        if self.is_forked:
            raise SessionClosed(
                f"{what} belongs to the process that this one was forked from: open a session of its own here"
            )
        if asyncio._get_running_loop() is not self.loop:
            over = ", which is closed" if self.is_over else ""
            raise SessionClosed(f"{what} belongs to another event loop{over}: open one session for each loop")

    @property
    def is_over(self) -> bool:
        """Whether the loop is closed, as after ``asyncio.run``, so that nothing can be closed on it any more."""
        return isinstance(self.loop, asyncio.AbstractEventLoop) and self.loop.is_closed()

    def fork(self) -> None:
        """Note that this process is not the one that owns it, but a fork of it."""
        _inherited.append((self.loop, self._keeps))
        # An object that is no loop, so that whoever compares loops need not ask for the process.
        self.loop, self.is_forked = object(), True
        if self._abandon is not None:
            self._abandon()


def _fork() -> None:
    for owner in list(_owners):
        owner.fork()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_fork)
