"""A call under way: what is sent, where it was sent, and what it waits for."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import attrs

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.http import HttpRequest
from aiomlcommons.net.nodes import Node


@attrs.define
class Call:
    """A call under way. ``tried`` are the nodes that it was sent to, in this order; ``error`` is its last failure.

    ``attempt`` counts from 1; going to another node at once is no attempt of its own. ``began`` is the time on the
    clock of the nodes, ``failed`` that of its first failure; ``pauses`` are those before its next attempts.
    """

    sent: HttpRequest
    began: float
    tried: list[Node] = attrs.field(factory=list)
    attempt: int = 1
    waits_for: str = "its response"
    error: MLCommonsError | None = None
    failed: float | None = None
    pauses: Iterator[float] | None = None

    @contextmanager
    def waiting_for(self, what: str) -> Generator[None]:
        """Say what the call waits for. If it is cancelled meanwhile, that stays."""
        before, self.waits_for = self.waits_for, what
        yield
        self.waits_for = before
