"""The choice of a display: that of a notebook, of a terminal with rich or without, or plain lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from contextlib import suppress
from importlib import import_module
from typing import Any, TextIO

from aiomlcommons.progress.display import Display
from aiomlcommons.progress.event import Phase
from aiomlcommons.progress.lines import Lines


def display_here(*, hide: Collection[Phase] = (), says_end: bool = True) -> Display:
    """Return the display that suits: a notebook's, a terminal's with rich or without, or plain lines.

    Args:
        hide: Steps that are not said.
        says_end: Say how the call ended if it did not succeed.
    """
    hidden = {Phase.FOUND, *hide}
    if _is_notebook():
        from aiomlcommons.progress.notebook import NotebookDisplay

        return NotebookDisplay(hidden)
    out = sys.stderr
    if not _is_terminal(out):
        return Lines(out, hidden, says_end=says_end)
    from aiomlcommons.progress.terminal import TerminalDisplay, board_on

    return TerminalDisplay(board_on(out, with_rich=_has_rich()), hidden, says_end=says_end)


def _is_notebook() -> bool:
    """Return whether this is the kernel of a notebook: a shell of IPython in a terminal has none."""
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def _has_rich() -> bool:
    """Return whether rich is there, by importing it, so that a job does not fail in the middle for want of it."""
    try:
        import_module("aiomlcommons.progress.blocks")
    except ImportError:
        return False
    return True


def _is_terminal(out: TextIO | None) -> bool:
    with suppress(ValueError):  # it is closed
        return out is not None and out.isatty() and os.environ.get("TERM") != "dumb"
    return False
