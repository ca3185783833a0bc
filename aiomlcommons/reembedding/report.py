"""What a re-embedding has done: to be read, sent to colleagues, and kept."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence

import attrs

from aiomlcommons.display.shown import Readable
from aiomlcommons.progress.words import span
from aiomlcommons.reembedding.state import Step


@attrs.frozen(kw_only=True, repr=False)
class Report(Readable):
    """What was done, when, and how to go back. Its ``str`` and ``markdown()`` are for people.

    Attributes:
        source: The old index.
        target: The new one; the same one if the vectors became a second field of it.
        alias: The alias that is switched.
        field: The field of the new vectors.
        model_id: The new model.
        model_name: Its name.
        phase: How far it is.
        steps: The phases that were reached, with their times.
        counts: How many documents were compared, embedded, written, deleted and so on, in all rounds.
        differences: How many documents differed when both indices were compared last, by kind.
        differing: The ids of some of these.
        figures: What was measured of the new index, and of the old one.
        sampled: The documents of the sample that was measured.
        unmet: What is not as required, in words.
        conflicts: The ids of documents that were changed in both indices, so that a person has to look at them.
        warnings: What is good to know.
        next: The command that goes on.
        back: The command that goes back; empty if there is no way back.
    """

    source: str
    target: str
    alias: str | None = None
    field: str
    model_id: str
    model_name: str = ""
    phase: str
    steps: tuple[Step, ...] = ()
    counts: Mapping[str, int] = attrs.field(factory=dict)
    differences: Mapping[str, int] = attrs.field(factory=dict)
    differing: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    figures: Mapping[str, Mapping[str, float]] = attrs.field(factory=dict)
    sampled: int = 0
    unmet: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    next: str = ""
    back: str = ""

    @property
    def title(self) -> str:
        """What it is about, in one line."""
        where = f"the field {self.field}" if self.source == self.target else self.target
        return f"{self.source} -> {where} by {self.model_name or self.model_id}: {self.phase}"

    def __str__(self) -> str:
        lines = [f"{name:<13}{words}".rstrip() for name, words in self._lines()]
        return "\n".join([self.title, *lines])

    def markdown(self) -> str:
        """Return the report as Markdown, to be sent or kept."""
        rows = [f"| {name} | {_cell(words)} |" for name, words in self._lines() if name]
        return "\n".join([f"# Re-embedding {self.title}", "", "| | |", "| --- | --- |", *rows, ""])

    def _lines(self) -> Iterator[tuple[str, str]]:
        if self.alias is not None:
            yield "alias", self.alias
        yield "model", f"{self.model_name} ({self.model_id})".strip()
        for step, before in zip(self.steps, (None, *self.steps), strict=False):
            took = "" if before is None else f", {span(max(0.0, step.at - before.at))} later"
            yield str(step.phase), f"{_moment(step.at)}{took}"
        if done := _counted(self.counts):
            yield "documents", done
        yield from self._found()
        for words in self.unmet:
            yield "NOT AS ASKED", words
        if self.conflicts:
            yield "look at", f"changed in both indices: {', '.join(self.conflicts)}"
        for words in self.warnings:
            yield "note", words
        yield from ((name, words) for name, words in (("go on", self.next), ("go back", self.back)) if words)

    def _found(self) -> Iterator[tuple[str, str]]:
        if self.differences:
            wrong = _counted(self.differences)
            yield "differences", wrong or "none"
            for kind, ids in self.differing.items():
                yield f"  {kind}", ", ".join(ids)
        for system, figures in self.figures.items():
            shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items() if not math.isnan(value))
            if shown:
                yield f"{system} index", shown + (f" ({self.sampled} documents)" if system == "new" else "")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count)


def _moment(seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _cell(words: str) -> str:
    return " ".join(words.replace("|", "\\|").split())
