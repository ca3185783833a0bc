"""The tables of an evaluation: plain text, Markdown and HTML."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from aiomlcommons.display.html_tables import grid
from aiomlcommons.display.text_tables import text_table
from aiomlcommons.progress import words as texts

if TYPE_CHECKING:
    from aiomlcommons.evaluating.comparison import Comparison, Difference, Figures

# Queries whose loss is the greatest that are named, and characters of their texts.
_LOST, _SHOWN = 3, 60


def plain_table(result: Comparison) -> str:
    """Return the figures as tables of plain text: one for each system that is compared with the first one."""
    return "\n\n".join(
        text_table(titles, [[_line(cell) for cell in row] for row in rows]) for titles, rows in _all(result)
    )


def words(result: Comparison) -> str:
    """Return the tables, and what is to be known of them."""
    return "\n".join([plain_table(result), "", *_notes(result)])


def markdown(result: Comparison) -> str:
    """Return the tables as Markdown, and what is to be known of them."""
    found = []
    for titles, rows in _all(result):
        lines = [titles, ["---"] * len(titles), *rows]
        found.append(
            "\n".join(f"| {' | '.join(_line(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in lines)
        )
    return "\n\n".join([*found, "\n".join(f"- {note}" for note in _notes(result))])


def html(result: Comparison) -> str:
    """Return the tables as HTML, for notebooks."""
    notes = "".join(f"<div>{escape(note)}</div>" for note in _notes(result))
    return "".join(grid("Evaluation", titles, rows) for titles, rows in _all(result)) + notes


def _all(result: Comparison) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the titles and the rows of each table."""
    first = result[result.first]
    for name, differences in result.differences.items() or [(result.first, {})]:
        both = [first, result[name]] if differences else [first]
        titles = ["metric", *(one.name for one in both)]
        titles += [f"{name} - {first.name}", "95 % interval", "better", "worse", "same"] if differences else []
        yield titles, [*_metrics(both, differences), *_others(both, len(titles))]


def _metrics(both: Sequence[Figures], differences: Mapping[str, Difference]) -> Iterator[list[str]]:
    for metric in both[0]:
        row = [metric, *(f"{one[metric]:.4f}" for one in both)]
        if found := differences.get(metric):
            ends = f"{found.low:+.4f} to {found.high:+.4f}"
            row += [f"{found.mean:+.4f}", ends, f"{found.better:,}", f"{found.worse:,}", f"{found.same:,}"]
        yield row


def _others(both: Sequence[Figures], width: int) -> Iterator[list[str]]:
    for row in (
        ["nothing found", *(f"{one.nothing:,}" for one in both)],
        ["median time", *(f"{one.seconds * 1000:,.1f} ms" for one in both)],
    ):
        yield row + [""] * (width - len(row))


def _notes(result: Comparison) -> Iterator[str]:
    yield f"{len(result.texts):,} queries{_left_out(result)}"
    metric = result.telling
    judged = metric.replace("ndcg", "judged")
    for name, differences in result.differences.items():
        yield _verdict(name, result.first, metric, differences[metric])
        if result.tells_unjudged and differences[judged].high < 0:
            before, after = result[result.first][judged], result[name][judged]
            yield (
                f"fewer of the documents that {name} found were judged ({after:.0%}, {before:.0%} of those of "
                f"{result.first}), and the others count as not relevant: judge them before you decide"
            )
        for change in result.changes(metric, name)[:_LOST]:
            if change.after < change.before:
                text = texts.plain(change.text, _SHOWN)
                yield f"{name} lost {metric} {change.before:.2f} -> {change.after:.2f} for the query {text!r}"


def _verdict(name: str, first: str, metric: str, found: Difference) -> str:
    if found.low <= 0 <= found.high:
        return f"{name} and {first} do not differ in {metric} beyond chance"
    return f"{name} is {'better' if found.mean > 0 else 'worse'} than {first} in {metric}, beyond chance"


def _left_out(result: Comparison) -> str:
    counts = {"without judgments": result.without_judgments, "without a relevant document": result.without_relevant}
    left = [f"{count:,} {what}" for what, count in counts.items() if count]
    return f"; left out: {', '.join(left)}" if left else ""


def _line(cell: str) -> str:
    return texts.plain(cell, sys.maxsize)
