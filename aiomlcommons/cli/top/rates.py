"""The rates between two looks at a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from aiomlcommons.cli.top.snapshot import Counts, Look, ModelLook, NodeLook


@attrs.frozen
class Rates:
    """Requests, failures and openings of breakers a second. None is a rate that two looks do not tell."""

    requests: float | None = None
    failures: float | None = None
    tripped: float | None = None


UNKNOWN = Rates()


@attrs.frozen
class Change:
    """The rates of nodes and models by id, between two looks."""

    nodes: Mapping[str, Rates] = attrs.field(factory=dict)
    models: Mapping[str, Rates] = attrs.field(factory=dict)


def change(before: Look | None, now: Look) -> Change:
    """Return the rates since an earlier look; none if there was no earlier one, or the cluster did not respond."""
    if before is None or not (before.responds and now.responds) or now.at <= before.at:
        return Change()
    seconds = now.at - before.at
    return Change(_rates(before.nodes, now.nodes, seconds), _rates(before.models, now.models, seconds))


def _rates(
    before: Iterable[NodeLook] | Iterable[ModelLook], now: Iterable[NodeLook] | Iterable[ModelLook], seconds: float
) -> dict[str, Rates]:
    old = {one.id: one.counts for one in before}
    return {one.id: _rate(old[one.id], one.counts, seconds) for one in now if one.id in old}


def _rate(old: Counts, new: Counts, seconds: float) -> Rates:
    if new.requests < old.requests:
        return UNKNOWN  # the node was restarted, and counts anew
    return Rates(
        (new.requests - old.requests) / seconds,
        max(0, new.failures - old.failures) / seconds,
        max(0, new.tripped - old.tripped) / seconds,
    )
