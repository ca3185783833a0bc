"""Blocks of several lines at the foot of a terminal, drawn by rich: title, bar, figures, and what is waited for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from aiomlcommons.progress.event import Progress
from aiomlcommons.progress.words import plain, span

_BAR, _NARROW = 40, 66


class Blocks:
    """The blocks of all calls under way, one below the other."""

    def __init__(self, out: TextIO) -> None:
        self._console = Console(file=out)
        # Redrawn at each change only; its own redirection would take what goes from standard output to a pipe, too.
        live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        live._redirect_stderr = False
        self._live, self._spinner = live, Spinner("dots")
        live.start()

    def draw(self, states: Collection[Progress]) -> None:
        """Draw the blocks over those before."""
        self._live.update(Group(*(Block(state, self._spinner) for state in states)), refresh=True)

    def say(self, text: str) -> None:
        """Print a text above the blocks; its colours stay."""
        self._console.print(Text.from_ansi(text.removesuffix("\n")), soft_wrap=True)

    def show_cursor(self) -> None:
        """Show the cursor."""
        self._console.show_cursor(True)

    def close(self) -> None:
        """Erase the blocks, and show the cursor again."""
        self._live.stop()


class Block:
    """The block of one call, as wide as the terminal allows."""

    def __init__(self, progress: Progress, spinner: Spinner | None = None) -> None:
        self._progress, self._spinner = progress, spinner or Spinner("dots")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        progress, width = self._progress, options.max_width
        yield _line(Text.assemble((plain(progress.name) or str(progress.phase), "bold")))
        if progress.has_bar:
            yield _bar(progress, width)
            yield _table(progress) if width >= _NARROW else _list(progress)
            if progress.words:
                yield _line(Text(plain(progress.words), "yellow"))
        else:
            yield self._busy()

    def _busy(self) -> RenderableType:
        """Return a line for what has no count: a spinner, the phase and the time."""
        words = f"{self._progress.phase} {plain(self._progress.words)}".strip()
        row = Table.grid(padding=(0, 1))
        row.add_row(self._spinner, _line(Text(words)), Text(span(self._progress.seconds), "dim", no_wrap=True))
        return row


def _line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _bar(progress: Progress, width: int) -> RenderableType:
    done = progress.done or 0
    words = ", ".join(filter(None, (progress.counted, progress.percent)))
    room = max(4, min(_BAR, width - len(words) - 2))
    row = Table.grid(padding=(0, 2))
    bar = ProgressBar(
        progress.total or None,
        min(done, progress.total or done),
        room,
        complete_style="cyan",
        finished_style="green",
        pulse_style="cyan",
    )
    row.add_row(bar, _line(Text(words)))
    return row


def _table(progress: Progress) -> RenderableType:
    """Return the figures below their names."""
    figures = Table.grid(padding=(0, 3))
    figures.add_row(*(Text(name, "dim", no_wrap=True) for name in progress.figures))
    figures.add_row(*(Text(value, _style(name, value), no_wrap=True) for name, value in progress.figures.items()))
    return figures


def _list(progress: Progress) -> RenderableType:
    """Return the figures behind their names, for a terminal that is too narrow for the table."""
    words = Text()
    for name, value in progress.figures.items():
        words.append(f"{name} ", "dim").append(value, _style(name, value)).append("  ")
    return words


def _style(name: str, value: str) -> str:
    return "bold red" if name == "failed" and value != "0" else ""
