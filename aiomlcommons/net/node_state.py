"""The state of a session's nodes, as ``ml.nodes`` shows it."""

from __future__ import annotations

import attrs

from aiomlcommons.display.shown import Readable


@attrs.frozen(repr=False)
class NodeState(Readable):
    """The state of a node of ``ml.nodes``.

    Attributes:
        url: Its URL.
        is_live: Whether it takes calls; False while it is set aside after failures.
        aside_for: Seconds until a call tries it again; 0 if it is live.
        failures: Failures in a row: no response, or a 502, 503 or 504 of the cluster itself, or refusals (429) only.
        calls: The requests sent to it so far.
        in_flight: The requests that it has not responded to yet.
        error: The last failure, if it is not live; else empty.
    """

    url: str
    is_live: bool
    aside_for: float
    failures: int
    calls: int
    in_flight: int
    error: str


class NodeStates(tuple[NodeState, ...]):
    """The states of the nodes of a session; a table in a notebook."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from aiomlcommons.display.html_tables import several  # only notebooks need it

        return several(f"Nodes: {len(self)}", self)
