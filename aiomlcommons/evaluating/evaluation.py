"""The result of an evaluation: a comparison as a table, a plot and data, and what it does not fulfil."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from statistics import median
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from aiomlcommons.display.brief import Part
from aiomlcommons.evaluating.comparison import Comparison, Difference, Figures
from aiomlcommons.evaluating.intervals import Numbers, intervals
from aiomlcommons.evaluating.judgments import Grades
from aiomlcommons.evaluating.metrics import measured, names_of
from aiomlcommons.evaluating.requirements import OF_EVALUATION, requirements, unmet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@attrs.frozen(eq=False, repr=False)
class Evaluation(Comparison):
    """The figures of each system by its name: ``result["new"]["ndcg@10"]``; ``print(result)`` is a table.

    Systems are compared with the first one. See ``Comparison`` for its attributes.
    """

    def require(self, require: str | Iterable[str], system: str | None = None) -> list[str]:
        """Return in words what a system does not fulfil of ``["ndcg@10 >= old - 0.02"]``; empty if it does all.

        Args:
            require: ``METRIC >= NUMBER``, ``METRIC >= SYSTEM`` or ``METRIC >= SYSTEM - NUMBER``.
            system: The system that is to fulfil it. Default: the last one.

        Raises InvalidRequest for a requirement that cannot be read, or a metric that was not measured.
        """
        return unmet(requirements(require, known=OF_EVALUATION), self.systems, self.last if system is None else system)

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


def _by(metrics: Sequence[str], values: Numbers) -> dict[str, float]:
    return dict(zip(metrics, values.tolist(), strict=True))


def _differences(values: Numbers, lows: Numbers, highs: Numbers) -> Iterator[Difference]:
    for column, low, high in zip(values.T, lows.tolist(), highs.tolist(), strict=True):
        better, worse = int((column > 0).sum()), int((column < 0).sum())
        yield Difference(float(column.mean()), low, high, better, worse, len(column) - better - worse)
