"""What is required of a system before it takes the place of another, such as ``"ndcg@10 >= old - 0.02"``."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.record import kind_of
from aiomlcommons.spelling import did_you_mean

OF_EVALUATION = ("recall@k", "ndcg@k", "mrr@k", "judged@k")
"""What ``ml.evaluate`` measures, each for a number of hits in the place of k."""
OF_REEMBEDDING = ("overlap@k", "self@k", "cosine")
"""What the check of a re-embedded index measures; it compares two indices already, and is required to be a number."""
_FORM = re.compile(
    r"(?P<name>[a-z]+)(?:@(?P<k>[1-9]\d*))?\s*>=\s*"
    r"(?:(?P<other>[^\W\d][\w.-]*)(?:\s*(?P<sign>[-+])\s*(?P<margin>\d*\.?\d+))?|(?P<number>-?\d*\.?\d+))"
)
_FORMS = "'METRIC >= NUMBER' or 'METRIC >= old - NUMBER', such as 'ndcg@10 >= old - 0.02'"
# Figures are sums of floats: one that is as required on paper must not fail for its last bit.
_SLACK = 1e-9


@attrs.frozen
class Requirement:
    """One requirement: a metric of a system is at least a number, or another system's less (or plus) a margin.

    Attributes:
        words: It as it was written.
        metric: What is measured, such as ``ndcg@10``.
        k: The number of hits of the metric; None if it has none.
        other: The system that it is compared with; None if ``number`` is the bound itself.
        number: The least value, or what is added to the value of ``other``.
    """

    words: str
    metric: str
    k: int | None
    other: str | None
    number: float

    def unmet(self, figures: Mapping[str, Mapping[str, float]], system: str) -> str | None:
        """Return what is wrong with the figures of a system, in words; None if it is as required."""
        found, bound = self._figure(figures, system), self.number
        if self.other is not None:
            bound += self._figure(figures, self.other)
        if found >= bound - _SLACK:
            return None
        if math.isnan(found - bound):
            return f"{self.words}: {self.metric} of {system} could not be measured"
        other = "" if self.other is None else f" (that of {self.other} is {bound - self.number:.4f})"
        return f"{self.words}: {self.metric} of {system} is {found:.4f}, at least {bound:.4f} is required{other}"

    def _figure(self, figures: Mapping[str, Mapping[str, float]], system: str) -> float:
        if system not in figures:
            raise InvalidRequest(
                f"{self.words!r}: there is no system {system!r}; {did_you_mean(system, figures, _listed(figures))}"
            )
        if self.metric not in figures[system]:
            raise InvalidRequest(
                f"{self.words!r}: {self.metric} of {system} was not measured; {_listed(figures[system])}"
            )
        return figures[system][self.metric]


def requirements(
    require: str | Iterable[str], *, known: Sequence[str] = (*OF_EVALUATION, *OF_REEMBEDDING)
) -> tuple[Requirement, ...]:
    """Read requirements as they are written; ``known`` are the metrics that there are. Raises InvalidRequest."""
    written = [require] if isinstance(require, str) else require
    if not isinstance(written, Iterable) or isinstance(written, Mapping):
        raise InvalidRequest(f"require must be a list of requirements, not {kind_of(require)}: write {_FORMS}")
    return tuple(_requirement(words, known) for words in written)


def unmet(required: Iterable[Requirement], figures: Mapping[str, Mapping[str, float]], system: str) -> list[str]:
    """Return in words what a system does not fulfil; empty if it is as required.

    ``figures`` are those of each system by metric. Raises InvalidRequest if one that is needed was not measured.
    """
    return [words for one in required if (words := one.unmet(figures, system)) is not None]


def _requirement(words: object, known: Sequence[str]) -> Requirement:
    if not isinstance(words, str):
        raise InvalidRequest(f"require must hold texts, not {kind_of(words)}: write {_FORMS}")
    if (found := _FORM.fullmatch(words.strip())) is None:
        raise InvalidRequest(f"require: {words!r} cannot be read: write {_FORMS}")
    name, k, other = found["name"], found["k"], found["other"]
    form = f"{name}@k" if k else name
    if form not in known:
        raise InvalidRequest(f"require: {words!r}: {_unknown(name, known)}")
    if other is not None and form in OF_REEMBEDDING:
        raise InvalidRequest(
            f"require: {words!r}: {name} compares the old index with the new one already: require a number of it, "
            f"such as '{name}{f'@{k}' if k else ''} >= 0.9'"
        )
    number = float((found["sign"] or "") + (found["margin"] or "0") if other else found["number"])
    if abs(number) > 1:
        raise InvalidRequest(f"require: {words!r}: no metric is above 1: 2 percent of it is 0.02")
    return Requirement(words.strip(), f"{name}@{k}" if k else name, int(k) if k else None, other, number)


def _unknown(name: str, known: Sequence[str]) -> str:
    if with_k := next((one for one in known if one.partition("@")[0] == name), None):
        number = "a number of hits, such as" if "@" in with_k else "no number of hits:"
        return f"{name} takes {number} {with_k.replace('@k', '@10')}"
    return f"there is no metric {name!r}; {did_you_mean(name, known, _listed(known))}"


def _listed(known: Collection[str]) -> str:
    return f"there are {', '.join(known)}" if known else "there is none"
