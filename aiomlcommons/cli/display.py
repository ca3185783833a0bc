"""The progress of a bulk job on standard error: a live block, one live line, or lines if it is not a terminal."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from aiomlcommons.cli.progress import Progress
from aiomlcommons.ingest.stats import Stats

if TYPE_CHECKING:
    from rich.console import RenderableType

_BAR = 40


@contextmanager
def display(title: str, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[Stats], None]]:
    """Give a function that shows the statistics of a job: a block with rich, a line without, lines off a terminal."""
    if sys.stderr.isatty() and find_spec("rich") is not None:
        with _live(title) as show:
            yield show
    else:
        with Progress("documents", clock=clock) as line:
            yield lambda stats: line.show(str(stats))


@contextmanager
def _live(title: str) -> Iterator[Callable[[Stats], None]]:
    from rich.console import Console
    from rich.live import Live

    # Redrawn on each call, and erased at the end, when the report replaces it.
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield lambda stats: live.update(block(title, stats), refresh=True)


def block(title: str, stats: Stats) -> RenderableType:
    """Render the statistics with rich: the title, a bar, and the figures under their names."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    bar = Table.grid(padding=(0, 2))
    bar.add_row(ProgressBar(stats.total or None, min(stats.settled, stats.total or stats.settled), _BAR), _done(stats))
    found = _figures(stats)
    figures = Table.grid(padding=(0, 3))
    figures.add_row(*(Text(name, "dim") for name in found))
    figures.add_row(
        *(Text(value, "bold red" if name == "failed" and stats.failed else "") for name, value in found.items())
    )
    return Group(Text(title, "bold"), bar, figures)


def span(seconds: float | None) -> str:
    """Format a duration: ``45 s``, ``13 min 20 s``, ``2 h 5 min``; ``-`` if it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _done(stats: Stats) -> str:
    return stats.done + (f", {min(100, 100 * stats.settled // stats.total)} %" if stats.total else "")


def _figures(stats: Stats) -> dict[str, str]:
    return {
        "documents/s": f"{stats.rate:,.0f}",
        "latency": f"{stats.latency * 1000:,.0f} ms" if stats.latency else "-",
        "requests": f"{stats.in_flight} of {stats.limit}",
        "retried": f"{stats.retried:,}",
        "failed": f"{stats.failed:,}",
        "to go": span(stats.eta),
    }
