"""The figures of systems, by which they differ, and for which queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.display.brief import Part
from aiomlcommons.display.shown import Shown
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.evaluating.intervals import Numbers
from aiomlcommons.spelling import did_you_mean, some_of

# Names that an error lists.
_LISTED = 12


@attrs.frozen(eq=False, repr=False)
class Figures(Shown, Mapping[str, float]):
    """The figures of a system: a mapping from metrics, such as ``ndcg@10``, to their means over all queries.

    Attributes:
        name: The name of the system.
        means: The mean of each metric.
        lows, highs: The ends of the 95 % interval of each mean.
        seconds: The median of the seconds that a search took.
        nothing: For how many queries nothing was found.
        found: The ids of the documents found, by the ids of the queries.
        by_query: The values of each metric, in the order of the queries.
    """

    name: str
    means: Mapping[str, float]
    lows: Mapping[str, float]
    highs: Mapping[str, float]
    seconds: float
    nothing: int
    found: Mapping[str, Sequence[str]] = attrs.field(repr=False)
    by_query: Mapping[str, Numbers] = attrs.field(repr=False)

    def __getitem__(self, metric: str) -> float:
        if metric not in self.means:
            raise KeyError(_unknown(metric, self.means))
        return self.means[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self.means)

    def __len__(self) -> int:
        return len(self.means)

    def _parts(self) -> Iterable[Part]:
        means = [Part(metric, round(mean, 4)) for metric, mean in self.means.items()]
        return [Part("name", self.name, is_key=True), *means]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON data, without those of each query."""
        ends = {metric: [self.lows[metric], self.highs[metric]] for metric in self.means}
        return {**self.means, "intervals": ends, "seconds": self.seconds, "nothing": self.nothing}


@attrs.frozen(repr=False)
class Difference(Shown):
    """By how much a system differs from another in a metric, as the mean over all queries.

    ``low`` and ``high`` are the ends of the 95 % interval: if 0 is within, it may be chance. For ``better`` of the
    queries the metric is higher than that of the other system, for ``worse`` it is lower, for ``same`` equal.
    """

    mean: float
    low: float
    high: float
    better: int
    worse: int
    same: int


@attrs.frozen(repr=False)
class Change(Shown):
    """What differs for one query: the value of a metric for two systems."""

    query: str
    text: str
    before: float
    after: float


@attrs.frozen(eq=False, repr=False)
class Comparison(Shown, Mapping[str, Figures]):
    """The figures of each system by its name, compared with those of the first one.

    Attributes:
        systems: The figures of each system.
        metrics: The names of what was measured.
        texts: The texts of the queries by their ids.
        differences: By how much each further system differs from the first one, by its name and by metric.
        without_judgments: Queries that were left out, because no judgment is of them.
        without_relevant: Queries that were left out, because no document was judged to be relevant.
        tells_unjudged: Whether some documents were judged to be not relevant. If none was, all of those are unjudged.
    """

    systems: Mapping[str, Figures]
    metrics: Sequence[str]
    texts: Mapping[str, str] = attrs.field(repr=False)
    differences: Mapping[str, Mapping[str, Difference]] = attrs.field(repr=False)
    without_judgments: int = 0
    without_relevant: int = 0
    tells_unjudged: bool = attrs.field(default=False, repr=False)

    def __getitem__(self, system: str) -> Figures:
        if system not in self.systems:
            raise KeyError(_unknown(system, self.systems))
        return self.systems[system]

    def __iter__(self) -> Iterator[str]:
        return iter(self.systems)

    def __len__(self) -> int:
        return len(self.systems)

    @property
    def first(self) -> str:
        """The system that the others are compared with."""
        return next(iter(self.systems))

    @property
    def last(self) -> str:
        """The system that is to be what is required."""
        return list(self.systems)[-1]

    @property
    def telling(self) -> str:
        """The metric that queries are told apart by: nDCG of the most hits."""
        return next(metric for metric in reversed(self.metrics) if metric.startswith("ndcg@"))

    def changes(self, metric: str, system: str | None = None) -> list[Change]:
        """Return the queries for which a metric differs from that of the first system, the greatest loss first."""
        before, after = self[self.first], self[self.last if system is None else system]
        if metric not in before:
            raise InvalidRequest(f"{metric!r} was not measured: {_unknown(metric, before)}")
        pairs = zip(self.texts.items(), before.by_query[metric], after.by_query[metric], strict=True)
        found = [Change(key, text, float(old), float(new)) for (key, text), old, new in pairs if old != new]
        return sorted(found, key=lambda change: change.after - change.before)


def _unknown(name: object, known: Iterable[str]) -> str:
    return f"{name!r}; {did_you_mean(str(name), known, f'there are {some_of(known, _LISTED)}')}"
