"""The nodes of a cluster: which of them gets the next request, and which are set aside after failures."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Collection, Iterable

import anyio
import attrs

from aiomlcommons.errors import ConnectError
from aiomlcommons.net.events import Events
from aiomlcommons.net.node_state import NodeState, NodeStates

# Seconds for which a node is set aside after its first failure in a row; each further one doubles them.
FIRST, LONGEST = 1.0, 30.0
# A longer Retry-After of a node is not believed: it is tried again after so many seconds.
LONGEST_ASKED = 60.0
# A node that owes responses gets no further calls while others respond, once it has sent none for so many seconds, or
# each of the others has had so many successes. To prefer the node with the fewest requests in flight would be simpler,
# but then one that fails fast would get them all.
SILENT, BEHIND = 2.0, 4
# Refusals (429, 503) in a row after which a node is set aside, and calls to it are spaced.
REFUSES = 5


@attrs.define(eq=False)
class Node:
    """A node of a cluster. Times are in seconds of the pool's clock.

    ``since`` is when it was tried last, ``until`` how long it is set aside, ``failed_at`` its last failure; ``heard``
    is when it responded last, or since when it owes a response, ``mark`` the successes of the pool at that time. One
    in ``reserve`` is called only if no other is live; ``is_seed`` is whether the session was opened with its URL.
    """

    url: str
    is_seed: bool = True
    reserve: bool = False
    failures: int = 0
    refusals: int = 0
    calls: int = 0
    in_flight: int = 0
    since: float = 0.0
    until: float = 0.0
    failed_at: float = -math.inf
    heard: float = 0.0
    mark: int = 0
    error: str = ""
    trying: bool = False
    turn: float = 0.0


@attrs.define
class NodePool:
    """Round robin over the live nodes. ``clock`` returns seconds.

    A node that fails is set aside for 1 to 30 s. After that a single call tries it, while the others still avoid it.
    """

    nodes: list[Node]
    clock: Callable[[], float] = time.monotonic
    events: Events = attrs.field(factory=Events)
    _turns: int = 0
    _successes: int = 0

    @classmethod
    def of(cls, urls: Iterable[str], events: Events | None = None) -> NodePool:
        """Return the pool of the nodes at some URLs, in which the first turn is drawn by lot.

        Else many short-lived sessions would all call the first node.
        """
        nodes = [Node(url, turn=-random.random()) for url in urls]  # noqa: S311 - spreading load is not cryptography
        return cls(nodes, events=events or Events())

    def next(self, tried: Collection[Node] = (), *, trial: bool = True) -> Node:
        """Return the node whose turn is next: a live one, if possible one that is not among ``tried``.

        If there is none, it is the one that was tried least recently. ``trial`` is whether the request may try a node
        whose time aside is over.
        """
        if len(self.nodes) == 1:
            return self.nodes[0]
        live = [node for node in self.nodes if self._takes(node, trial=trial)]
        if live:
            return min(live, key=lambda node: (node in tried, self._is_late(node), node.reserve, node.turn))
        return min(self.nodes, key=lambda node: (node in tried, node.since))

    def turn(self, tried: Collection[Node] = (), *, trial: bool = True) -> Turn:
        """Take the turn of the next node. If that is set aside, no other request tries it until this one has ended."""
        return Turn(self, tried, trial)

    def watching(self, node: Node) -> Watch:
        """Watch a request to a node until its response, and give the time; a ConnectError sets the node aside."""
        return Watch(self, node)

    def begin_turn(self, tried: Collection[Node], *, trial: bool) -> tuple[Node, bool]:
        """Return the next node, and whether the request that gets it is alone to try it."""
        node = self.next(tried, trial=trial)
        self._turns += 1
        node.turn, node.since = self._turns, self.clock()
        is_alone = node.failures > 0 and not node.trying
        node.trying = node.trying or is_alone
        return node, is_alone

    def end_trial(self, node: Node) -> None:
        """Let others try a node that one request alone has tried."""
        node.trying = False
        if node.failures:  # nor may the next one try it at once, if this one was cancelled
            node.until = max(node.until, self.clock() + _span(node))

    def sending(self, node: Node) -> float:
        """Count a request that is sent to a node, and return the time."""
        began = self.clock()
        if not node.in_flight:
            node.heard, node.mark = began, self._successes
        node.calls += 1
        node.in_flight += 1
        return began

    def broken(self, node: Node, error: BaseException, began: float) -> None:
        """Judge a node by what ended a request to it without a response."""
        if isinstance(error, ConnectError):
            self.failed(node, error, began)
        # Callers with deadlines of their own would else be sent to a hanging node for ever.
        elif isinstance(error, anyio.get_cancelled_exc_class()) and self._is_silent(node) and len(self.nodes) > 1:
            waited = f"no response for {self.clock() - node.heard:.1f} s, after which the call was cancelled"
            self.failed(node, TimeoutError(waited), began)

    def has_other(self, tried: Collection[Node]) -> bool:
        """Return whether there is a live node that is not among ``tried``."""
        return any(self._takes(node, trial=True) and node not in tried for node in self.nodes)

    def failed(self, node: Node, error: Exception, began: float = math.inf) -> None:
        """Set a node aside, because a request that was sent at ``began`` failed."""
        if began < node.failed_at:
            return  # sent before another one failed: requests that fail together are one failure
        now = self.clock()
        node.failures += 1
        node.failed_at, node.heard, node.error = now, now, str(error)
        node.until = now + max(_span(node), min(getattr(error, "retry_after", None) or 0.0, LONGEST_ASKED))
        if self._has_choice(node):
            self.events.set_aside(node.url, error, seconds=node.until - now, failures=node.failures)

    def refused(self, node: Node, error: Exception, began: float) -> None:
        """Count a refusal; a node that does nothing else is set aside, if there are others."""
        refusals = node.refusals + 1
        if refusals < REFUSES or len(self.nodes) == 1:
            self.responded(node)
        else:
            self.failed(node, error, began)
        node.refusals = refusals

    def succeeded(self, node: Node) -> None:
        """Count a success of a node, and take it back."""
        self._successes += 1
        self.responded(node)

    def responded(self, node: Node) -> None:
        """Take a node back: it responded with something else than a refusal."""
        node.heard, node.mark = self.clock(), self._successes
        if node.failures and self._has_choice(node):
            self.events.back(node.url)
        node.failures, node.refusals, node.error = 0, 0, ""

    def states(self) -> tuple[NodeState, ...]:
        """Return the state of each node."""
        return NodeStates(map(self._state, self.nodes))

    def _has_choice(self, node: Node) -> bool:
        return len(self.nodes) > 1 and node in self.nodes

    def _takes(self, node: Node, *, trial: bool) -> bool:
        return not node.failures or (trial and not node.trying and self.clock() >= node.until)

    def _is_late(self, node: Node) -> bool:
        return self._is_silent(node) or self._is_behind(node)

    def _is_silent(self, node: Node) -> bool:
        return node.in_flight > 0 and self.clock() - node.heard >= SILENT

    def _is_behind(self, node: Node) -> bool:
        return node.in_flight > 0 and self._successes - node.mark >= BEHIND * (len(self.nodes) - 1)

    def _state(self, node: Node) -> NodeState:
        is_live = not node.failures
        rest = 0.0 if is_live else max(0.0, node.until - self.clock())
        return NodeState(node.url, is_live, rest, node.failures, node.calls, node.in_flight, node.error)


class Turn:
    """The turn of a node, as a context."""

    # A class, as the next one: each call makes both, and a generator as a context takes three times as long.
    __slots__ = ("_is_alone", "_node", "_pool", "_trial", "_tried")

    def __init__(self, pool: NodePool, tried: Collection[Node], trial: bool) -> None:
        self._pool, self._tried, self._trial = pool, tried, trial

    def __enter__(self) -> Node:
        self._node, self._is_alone = self._pool.begin_turn(self._tried, trial=self._trial)
        return self._node

    def __exit__(self, *_: object) -> None:
        if self._is_alone:
            self._pool.end_trial(self._node)


class Watch:
    """The time between a request to a node and its response, as a context."""

    __slots__ = ("_began", "_node", "_pool")

    def __init__(self, pool: NodePool, node: Node) -> None:
        self._pool, self._node = pool, node

    def __enter__(self) -> float:
        self._began = self._pool.sending(self._node)
        return self._began

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is not None:
                self._pool.broken(self._node, error, self._began)
        finally:
            self._node.in_flight -= 1


def _span(node: Node) -> float:
    """Return the seconds for which the last failure sets a node aside."""
    # Bounded before it is a power: thousands of failures in a row would overflow.
    return min(LONGEST, FIRST * 2.0 ** min(node.failures - 1, 10))
