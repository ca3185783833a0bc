"""The tables of a look, for the width and the height that there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import attrs

from aiomlcommons.cli.top.rates import UNKNOWN, Change
from aiomlcommons.cli.top.snapshot import Look, ModelLook, NodeLook, TaskLook
from aiomlcommons.progress.words import plain

WIDE = 110
"""From this width on, tables have all their columns."""
Cell: TypeAlias = tuple[str, str]
"""The text of a cell, and its style."""


@attrs.frozen
class Column:
    """A column: its title, the cell of a thing, whether it is only shown where there is room, and how it is aligned."""

    title: str
    cell: Callable[[Any, Change], Cell]
    wide: bool = False
    left: bool = False


@attrs.frozen
class Table:
    """A table: its title, which says if there was no room for all rows, and its rows as cells."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


def tables(look: Look, change: Change, width: int, height: int | None) -> list[Table]:
    """Return the tables of a look; without ``height`` with all rows."""
    nodes = sorted(look.nodes, key=lambda node: (node.is_gone, node.name))
    models = sorted(look.models, key=lambda model: _busy(model, change), reverse=True)
    tasks = sorted(look.tasks, key=lambda task: task.created or 0)
    # Each table has a title, a line of column titles, and an empty line after it; one line is the header.
    rows = None if height is None else max(3, height - 1 - 3 * 3 - len(look.trouble))
    of_nodes, of_tasks, of_models = _shares(rows, len(nodes), len(tasks))
    return [
        _table("nodes", _NODES, nodes, change, width, of_nodes),
        _table("models", _MODELS, models, change, width, of_models),
        _table("tasks", _TASKS, tasks, change, width, of_tasks),
    ]


def _shares(rows: int | None, nodes: int, tasks: int) -> tuple[int | None, int | None, int | None]:
    """Share the lines: a third each for nodes and tasks at most, the rest for models."""
    if rows is None:
        return None, None, None
    third = max(1, rows // 3)
    of_nodes, of_tasks = min(nodes, third), min(tasks, third)
    return of_nodes, of_tasks, max(1, rows - of_nodes - of_tasks)


def _table(
    title: str, columns: Sequence[Column], things: Sequence[Any], change: Change, width: int, most: int | None
) -> Table:
    shown = [column for column in columns if width >= WIDE or not column.wide]
    kept = things if most is None else things[:most]
    cells = ([column.cell(one, change) for column in shown] for one in kept)
    rows = [[(plain(words), style) for words, style in row] for row in cells]
    cut = f", {len(kept)} shown" if len(kept) < len(things) else ""
    return Table(f"{title}: {len(things)}{cut}", shown, rows)


def _busy(model: ModelLook, change: Change) -> tuple[float, int, str]:
    return change.models.get(model.id, UNKNOWN).requests or 0.0, model.counts.requests, model.name


# ---- cells -----------------------------------------------------------------------------------------------------------


def _text(get: Callable[[Any], object], style: str = "") -> Callable[[Any, Change], Cell]:
    def cell(one: Any, _: Change) -> Cell:
        value = get(one)
        return ("-", "dim") if value is None else (f"{value:,}" if isinstance(value, int) else str(value), style)

    return cell


def _percent(get: Callable[[NodeLook], float | None]) -> Callable[[NodeLook, Change], Cell]:
    def cell(node: NodeLook, _: Change) -> Cell:
        value = get(node)
        if value is None:
            return "-", "dim"
        return f"{value:.0f} %", "bold red" if value >= 90 else "yellow" if value >= 75 else ""

    return cell


def _number(get: Callable[[Any], float | None], form: str) -> Callable[[Any, Change], Cell]:
    def cell(one: Any, _: Change) -> Cell:
        value = get(one)
        return ("-", "dim") if value is None else (format(value, form), "")

    return cell


def _rate(of: str, what: str, *, bad: bool = False) -> Callable[[Any, Change], Cell]:
    def cell(one: Any, change: Change) -> Cell:
        value = getattr(getattr(change, of).get(one.id, UNKNOWN), what)
        if value is None:
            return "-", "dim"
        return f"{value:,.1f}", "bold red" if bad and value else "" if value else "dim"

    return cell


def _count(get: Callable[[Any], int]) -> Callable[[Any, Change], Cell]:
    def cell(one: Any, _: Change) -> Cell:
        value = get(one)
        return f"{value:,}", "red" if value else "dim"

    return cell


def _node_name(node: NodeLook, _: Change) -> Cell:
    if node.is_gone:
        return f"{node.name} (gone)", "bold red"
    return node.name + (" (ml)" if node.is_ml else ""), "bold"


def _places(model: ModelLook, _: Change) -> Cell:
    return f"{model.nodes}/{model.planned}", "yellow" if model.nodes < model.planned else ""


def _since(task: TaskLook, _: Change) -> Cell:
    if task.created is None:
        return "-", "dim"
    return datetime.fromtimestamp(task.created / 1000, UTC).strftime("%H:%M:%SZ"), ""


_NODES = (
    Column("NODE", _node_name, left=True),
    Column("CPU", _percent(lambda node: node.cpu)),
    Column("LOAD", _number(lambda node: node.load, ".1f"), wide=True),
    Column("MEMORY", _percent(lambda node: node.memory)),
    Column("HEAP", _percent(lambda node: node.heap)),
    Column("MODELS", _text(lambda node: node.models)),
    Column("TASKS", _text(lambda node: node.tasks)),
    Column("REQUESTS", _text(lambda node: node.counts.requests), wide=True),
    Column("REQ/S", _rate("nodes", "requests")),
    Column("FAILED", _count(lambda node: node.counts.failures), wide=True),
    Column("FAIL/S", _rate("nodes", "failures", bad=True)),
    Column("REJECTED", _count(lambda node: node.counts.tripped)),
    Column("REJ/S", _rate("nodes", "tripped", bad=True), wide=True),
)
_MODELS = (
    Column("MODEL", _text(lambda model: model.name, "bold"), left=True),
    Column("ID", _text(lambda model: model.id, "dim"), wide=True, left=True),
    Column("STATE", _text(lambda model: model.state), left=True),
    Column("NODES", _places),
    Column("REQUESTS", _text(lambda model: model.counts.requests), wide=True),
    Column("REQ/S", _rate("models", "requests")),
    Column("FAIL/S", _rate("models", "failures", bad=True)),
    Column("AVG ms", _number(lambda model: model.average, ",.1f"), wide=True),
    Column("P50 ms", _number(lambda model: model.p50, ",.1f")),
    Column("P90 ms", _number(lambda model: model.p90, ",.1f")),
)
_TASKS = (
    Column("TASK", _text(lambda task: task.type, "bold"), left=True),
    Column("ID", _text(lambda task: task.id, "dim"), wide=True, left=True),
    Column("STATE", _text(lambda task: task.state), left=True),
    Column("MODEL", _text(lambda task: task.model), left=True),
    Column("NODE", _text(lambda task: task.node), left=True),
    Column("SINCE", _since),
)
