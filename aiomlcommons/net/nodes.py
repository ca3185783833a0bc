"""The nodes of a cluster: which of them gets the next request, and which are set aside after failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

import attrs

# Seconds for which a node is set aside after its first failure in a row; each further one doubles them.
FIRST, LONGEST = 1.0, 30.0


@attrs.frozen
class NodeState:
    """The state of a node of ``ml.nodes``.

    Attributes:
        url: Its URL.
        is_live: Whether it takes calls; False while it is set aside after failures.
        aside_for: Seconds until a call tries it again; 0 if it is live.
        failures: Failures in a row: no response, or a 502, 503 or 504 of the cluster itself.
        calls: The requests sent to it so far.
        error: The last failure, if it is not live; else empty.
    """

    url: str
    is_live: bool
    aside_for: float
    failures: int
    calls: int
    error: str


@attrs.define(eq=False)
class Node:
    """A node of a cluster: ``since`` and ``until`` say for which time it is set aside, in seconds of the clock."""

    url: str
    failures: int = 0
    calls: int = 0
    since: float = 0.0
    until: float = 0.0
    error: str = ""

    @property
    def span(self) -> float:
        """The seconds for which the last failure sets the node aside."""
        return min(LONGEST, FIRST * 2.0 ** (self.failures - 1))


@attrs.define
class NodePool:
    """Round robin over the live nodes. ``clock`` returns seconds.

    A node that fails is set aside for 1 to 30 s. After that a single call tries it, while the others still avoid it.
    """

    nodes: list[Node]
    clock: Callable[[], float] = time.monotonic
    _turn: int = 0

    @classmethod
    def of(cls, urls: Iterable[str]) -> NodePool:
        """Return the pool of the nodes at some URLs."""
        return cls([Node(url) for url in urls])

    def pick(self, tried: Collection[Node] = (), *, trial: bool = True) -> Node:
        """Return the node for the next request: a live one in turn, if possible one that is not among ``tried``.

        If there is none, it is the one that was tried least recently. ``trial`` is whether the request may try a node
        whose time aside is over.
        """
        node = self._next([node for node in self.nodes if self._takes(node, trial=trial)], tried)
        if node.failures:  # this call tries it, and the others wait for the outcome
            node.since = self.clock()
            node.until = node.since + node.span
        node.calls += 1
        return node

    def has_other(self, tried: Collection[Node]) -> bool:
        """Return whether there is a live node that is not among ``tried``."""
        return any(self._takes(node, trial=True) and node not in tried for node in self.nodes)

    def failed(self, node: Node, error: Exception) -> None:
        """Set a node aside."""
        node.failures += 1
        node.since = self.clock()
        node.until = node.since + node.span
        node.error = str(error)

    def succeeded(self, node: Node) -> None:
        """Take a node back: it responded."""
        node.failures, node.error = 0, ""

    def states(self) -> tuple[NodeState, ...]:
        """Return the state of each node."""
        return tuple(map(self._state, self.nodes))

    def _takes(self, node: Node, *, trial: bool) -> bool:
        return not node.failures or (trial and self.clock() >= node.until)

    def _next(self, live: list[Node], tried: Collection[Node]) -> Node:
        found = [node for node in live if node not in tried] or live
        if not found:
            aside = [node for node in self.nodes if node not in tried] or self.nodes
            return min(aside, key=lambda node: node.since)
        self._turn += 1
        return found[self._turn % len(found)]

    def _state(self, node: Node) -> NodeState:
        is_live = not node.failures
        rest = 0.0 if is_live else max(0.0, node.until - self.clock())
        return NodeState(node.url, is_live, rest, node.failures, node.calls, node.error)
