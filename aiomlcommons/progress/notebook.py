"""A display in a notebook: one output of the cell, which is updated in place."""

from __future__ import annotations

from collections.abc import Collection
from html import escape
from importlib import import_module
from typing import Any

import attrs

from aiomlcommons.display.html_tables import GRAY, TABLE, TITLE
from aiomlcommons.progress.display import trouble
from aiomlcommons.progress.event import Phase, Progress
from aiomlcommons.progress.words import plain, span

_STEPS = 8
"""Steps that are shown, the newest ones."""
_BLUE, _GREEN, _RED = "#3987e5", "#2e9e5b", "#d9534f"
_TITLE = f"{TITLE};overflow-wrap:anywhere"
_GREY = "opacity:0.7;overflow-wrap:anywhere"
_BAR = f"width:24em;max-width:100%;height:0.5em;margin:0.4em 0;border-radius:0.25em;overflow:hidden;background:{GRAY}"
_CELL = "border:none;text-align:left;padding:0.1em 1.4em 0.1em 0;background:transparent"
_ROW = "background:transparent"  # Jupyter stripes the rows of tables


class NotebookDisplay:
    """One call: its title, a bar and figures where something is counted, and its last steps."""

    def __init__(self, hidden: Collection[Phase] = ()) -> None:
        self._hidden = hidden
        self._steps: list[Progress] = []
        self._last: Progress | None = None
        self._handle: Any = None

    def heard(self, progress: Progress, *, step: bool) -> None:
        """Update the output; a step is shown until newer ones take its place."""
        if step and progress.phase not in self._hidden:
            self._steps.append(progress)
        self._last = progress
        self._show(HtmlBlock(progress, self._steps))

    def ended(self, error: BaseException | None) -> None:
        """Show how the call ended."""
        if self._last is not None:
            self._show(HtmlBlock(self._last, self._steps, ended=True, error=error))

    def _show(self, block: HtmlBlock) -> None:
        display: Any = import_module("IPython.display").display  # which has no types
        if self._handle is None:
            self._handle = display(block, display_id=True)
        else:
            self._handle.update(block)


class HtmlBlock:
    """The block of one call as HTML, and as a line of text where there is none."""

    def __init__(
        self, progress: Progress, steps: list[Progress], *, ended: bool = False, error: BaseException | None = None
    ) -> None:
        self._progress, self._steps, self._ended = progress, steps, ended
        self._trouble = trouble(progress, error) if ended else ""

    def __repr__(self) -> str:
        return plain(f"{self._trouble}: {self._progress}" if self._trouble else str(self._progress))

    def _repr_html_(self) -> str:
        progress = self._progress
        parts = [_div(_TITLE, f"<b>{_safe(progress.name) or progress.phase}</b> {self._state()}")]
        if progress.has_bar:
            parts += [
                self._bar(),
                _div("", _safe(", ".join(filter(None, (progress.counted, progress.percent))))),
                _figures(progress),
            ]
            if progress.words and not self._ended:
                parts.append(_div(_GREY, _safe(progress.words)))
        return "".join([*parts, *(_div(f"{_GREY};font-size:0.9em", _safe(line)) for line in self._said())])

    def _said(self) -> list[str]:
        """Return the last steps, without the present one and what the title says."""
        now = None if self._ended else (self._progress.phase, self._progress.words)
        told = [step for step in self._steps if step.phase is not Phase.EMBEDDING and (step.phase, step.words) != now]
        return [_without(self._progress.name, step) for step in told[-_STEPS:]]

    def _state(self) -> str:
        """Return what is being done, and since when; or how it ended."""
        seconds = span(self._progress.seconds)
        if self._trouble:
            return f'<span style="color:{_RED}">{_safe(self._trouble)}</span>'
        if self._ended:
            return f'<span style="color:{_GREEN}">done in {seconds}</span>'
        words = "" if self._progress.has_bar else self._progress.words
        return f"<span>{_safe(f'{self._progress.phase} {words}'.strip())} … {seconds}</span>"

    def _bar(self) -> str:
        share = self._progress.share
        color = _RED if self._trouble else _GREEN if self._ended else _BLUE
        # Without a total the bar only tells that there is one no more: full at the end, faint before.
        width, faint = (100 * share, 1.0) if share is not None else (100.0, 1.0 if self._ended else 0.35)
        return _div(_BAR, _div(f"width:{width:.1f}%;height:100%;background:{color};opacity:{faint}", ""))


def _figures(progress: Progress) -> str:
    shown = progress.figures
    names = "".join(
        f'<th scope="col" style="{_CELL};font-weight:normal;opacity:0.7">{_safe(name)}</th>' for name in shown
    )
    values = "".join(f'<td style="{_CELL}{_warning(name, value)}">{_safe(value)}</td>' for name, value in shown.items())
    return f'<table style="{TABLE};margin:0"><tr style="{_ROW}">{names}</tr><tr style="{_ROW}">{values}</tr></table>'


def _without(title: str, step: Progress) -> str:
    """Return a step as a line, without its name if that is the title."""
    if step.phase is Phase.FINISHED and step.words:
        return step.words
    return str(attrs.evolve(step, name="") if step.name == title else step).removesuffix(":")


def _warning(name: str, value: str) -> str:
    return f";color:{_RED};font-weight:600" if name == "failed" and value != "0" else ""


def _div(style: str, content: str) -> str:
    return f'<div style="{style}">{content}</div>'


def _safe(text: str) -> str:
    return escape(plain(text))
