"""Looks on a terminal: drawn in place by rich, or printed one after the other."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from aiomlcommons.cli import tables as plain
from aiomlcommons.cli.top.rates import Change
from aiomlcommons.cli.top.snapshot import Look
from aiomlcommons.cli.top.tables import Table, tables

if TYPE_CHECKING:
    from rich.console import RenderableType

Draw = Callable[[str, Look, Change], None]


@contextmanager
def drawn() -> Iterator[Draw]:
    """Give a function that draws a look: on the whole terminal with rich, which is restored at the end."""
    if not sys.stdout.isatty() or find_spec("rich") is None:
        yield lambda title, look, change: print(text(title, look, change), end="\n\n", flush=True)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:

        def draw(title: str, look: Look, change: Change) -> None:
            width, height = console.size
            live.update(block(title, look, change, width, height), refresh=True)

        yield draw


def text(title: str, look: Look, change: Change) -> str:
    """Return a look as text, with all rows."""
    width = shutil.get_terminal_size().columns
    parts = [title, *(f"! {words}" for words in look.trouble)]
    for table in tables(look, change, width, None):
        parts += ["", table.title]
        if table.rows:
            titles = [column.title for column in table.columns]
            parts.append(plain.table(titles, [[words for words, _ in row] for row in table.rows]))
    return "\n".join(parts)


def block(title: str, look: Look, change: Change, width: int, height: int) -> RenderableType:
    """Render a look with rich."""
    from rich.console import Group
    from rich.text import Text

    style = "" if look.responds else "dim"
    parts: list[RenderableType] = [Text(title, "bold reverse" if look.responds else "bold white on red")]
    parts += [Text(f"! {words}", "red", no_wrap=True, overflow="ellipsis") for words in look.trouble]
    for table in tables(look, change, width, height):
        parts += [Text(table.title, "bold cyan"), _rendered(table, style), Text()]
    return Group(*parts)


def _rendered(table: Table, style: str) -> RenderableType:
    from rich.table import Table as Grid
    from rich.text import Text

    if not table.rows:
        return Text("  none", "dim")
    grid = Grid(box=None, padding=(0, 2, 0, 0), header_style="dim", style=style, pad_edge=False)
    for column in table.columns:
        grid.add_column(
            column.title, justify="left" if column.left else "right", no_wrap=True, overflow="ellipsis", ratio=None
        )
    for row in table.rows:
        grid.add_row(*(Text(words, cell_style) for words, cell_style in row))
    return grid
