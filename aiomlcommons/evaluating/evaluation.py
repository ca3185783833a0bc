"""The result of an evaluation: the figures of each system, by which they differ, and for which queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from statistics import median
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from aiomlcommons.display.brief import Part
from aiomlcommons.display.shown import Shown
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.evaluating.intervals import Numbers, intervals
from aiomlcommons.evaluating.judgments import Grades
from aiomlcommons.evaluating.metrics import measured, names_of
from aiomlcommons.evaluating.requirements import OF_EVALUATION, requirements, unmet
from aiomlcommons.spelling import did_you_mean, some_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
class Evaluation(Shown, Mapping[str, Figures]):
    """The figures of each system by its name: ``result["new"]["ndcg@10"]``; ``print(result)`` is a table.

    Systems are compared with the first one.

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

    def require(self, require: str | Iterable[str], system: str | None = None) -> list[str]:
        """Return in words what a system does not fulfil of ``["ndcg@10 >= old - 0.02"]``; empty if it does all.

        Args:
            require: ``METRIC >= NUMBER``, ``METRIC >= SYSTEM`` or ``METRIC >= SYSTEM - NUMBER``.
            system: The system that is to fulfil it. Default: the last one.

        Raises InvalidRequest for a requirement that cannot be read, or a metric that was not measured.
        """
        return unmet(requirements(require, known=OF_EVALUATION), self.systems, self.last if system is None else system)

    def changes(self, metric: str, system: str | None = None) -> list[Change]:
        """Return the queries for which a metric differs from that of the first system, the greatest loss first."""
        before, after = self[self.first], self[self.last if system is None else system]
        if metric not in before:
            raise InvalidRequest(f"{metric!r} was not measured: {_unknown(metric, before)}")
        pairs = zip(self.texts.items(), before.by_query[metric], after.by_query[metric], strict=True)
        found = [Change(key, text, float(old), float(new)) for (key, text), old, new in pairs if old != new]
        return sorted(found, key=lambda change: change.after - change.before)

    @property
    def table(self) -> str:
        """The figures as a table of plain text."""
        from aiomlcommons.evaluating import tables

        return tables.plain_table(self)

    def to_markdown(self) -> str:
        """Return the figures as a table of Markdown, and what is to be known of them."""
        from aiomlcommons.evaluating import tables

        return tables.markdown(self)

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Return a plot of the figures, and write it to a file, if one is named: .svg, .png or .pdf.

        Raises ImportError without matplotlib, which the extra ``notebook`` has.
        """
        from aiomlcommons.evaluating import plots

        return plots.plot(self, path)

    def to_dict(self, *, by_query: bool = False) -> dict[str, Any]:
        """Return the figures as JSON data; ``by_query`` adds what each system found for each query."""
        data: dict[str, Any] = {
            "queries": len(self.texts),
            "without_judgments": self.without_judgments,
            "without_relevant": self.without_relevant,
            "systems": {name: figures.to_dict() for name, figures in self.systems.items()},
            "differences": {
                name: {metric: difference.to_dict() for metric, difference in found.items()}
                for name, found in self.differences.items()
            },
        }
        if by_query:
            data["by_query"] = {key: self._of_query(number, key) for number, key in enumerate(self.texts)}
        return data

    def _of_query(self, number: int, key: str) -> dict[str, Any]:
        return {
            "text": self.texts[key],
            "systems": {
                name: {
                    **{metric: float(values[number]) for metric, values in figures.by_query.items()},
                    "found": list(figures.found[key]),
                }
                for name, figures in self.systems.items()
            },
        }

    def _parts(self) -> Iterable[Part]:
        return [Part("queries", len(self.texts)), *(Part(name, figures) for name, figures in self.systems.items())]

    def _repr_html_(self) -> str:
        from aiomlcommons.evaluating import tables

        return tables.html(self)

    def __str__(self) -> str:
        from aiomlcommons.evaluating import tables

        return tables.words(self)


def evaluated(
    ks: Sequence[int],
    texts: Mapping[str, str],
    grades: Mapping[str, Grades],
    found: Mapping[str, Mapping[str, Sequence[str]]],
    seconds: Mapping[str, Sequence[float]],
    **left_out: int,
) -> Evaluation:
    """Measure what systems found for each query: ``found`` are ids, by systems and queries, ``seconds`` by systems."""
    metrics = names_of(ks)
    values = {name: np.array([measured(ids[key], grades[key], ks) for key in texts]) for name, ids in found.items()}
    first = next(iter(values))
    # The intervals of all are those of the same draws.
    columns = [*values.values(), *(values[name] - values[first] for name in values)]
    ends = [np.split(end, len(columns)) for end in intervals(np.hstack(columns))]
    of_each = zip(values, *ends, strict=False)
    of_differences = zip(values, *(end[len(values) :] for end in ends), strict=True)
    systems = {
        name: Figures(
            name,
            means=_by(metrics, values[name].mean(axis=0)),
            lows=_by(metrics, low),
            highs=_by(metrics, high),
            seconds=median(seconds[name]),
            nothing=sum(not ids for ids in found[name].values()),
            found={key: found[name][key] for key in texts},
            by_query=dict(zip(metrics, values[name].T, strict=True)),
        )
        for name, low, high in of_each
    }
    differences = {
        name: dict(zip(metrics, _differences(values[name] - values[first], low, high), strict=True))
        for name, low, high in of_differences
        if name != first
    }
    tells_unjudged = any(grade <= 0 for key in texts for grade in grades[key].values())
    return Evaluation(systems, metrics, texts, differences, **left_out, tells_unjudged=tells_unjudged)


def _unknown(name: object, known: Iterable[str]) -> str:
    return f"{name!r}; {did_you_mean(str(name), known, f'there are {some_of(known, _LISTED)}')}"


def _by(metrics: Sequence[str], values: Numbers) -> dict[str, float]:
    return dict(zip(metrics, values.tolist(), strict=True))


def _differences(values: Numbers, lows: Numbers, highs: Numbers) -> Iterator[Difference]:
    for column, low, high in zip(values.T, lows.tolist(), highs.tolist(), strict=True):
        better, worse = int((column > 0).sum()), int((column < 0).sum())
        yield Difference(float(column.mean()), low, high, better, worse, len(column) - better - worse)
