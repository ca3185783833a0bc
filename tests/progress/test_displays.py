"""Displays in terminals and elsewhere: what is left to see, whatever the names, the width, and what else is printed."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.console import Console

from aiomlcommons import Phase, Progress
from aiomlcommons.progress.blocks import Block
from aiomlcommons.progress.display import Display
from aiomlcommons.progress.here import display_here
from aiomlcommons.progress.lines import Lines
from tests.support.screen import Terminal

STEP = Progress(phase=Phase.EMBEDDING, name="in.jsonl -> out.npy")
JOB: dict[str, Any] = {
    "phase": Phase.EMBEDDING,
    "name": "in.jsonl -> out.npy",
    "done": 1_250,
    "total": 5_000,
    "unit": "documents",
    "rate": 125.0,
    "eta": 30.0,
    "counts": {"retried": 7, "failed": 50},
    "in_flight": 3,
    "limit": 8,
    "latency": 0.0342,
    "seconds": 10.0,
}


def drawn(width: int, **fields: Any) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(Block(Progress(**{**JOB, **fields})))
    return out.getvalue().splitlines()


def test_the_block_has_all_that_one_watches() -> None:
    title, bar, names, values = drawn(80)
    assert title.strip() == "in.jsonl -> out.npy"
    assert "  1,250 of 5,000 documents, 25 %" in bar
    assert names.split("   ") == ["documents/s", "latency", "requests", "retried", "failed", "time", "to go"]
    assert values.split() == ["125", "34", "ms", "3", "of", "8", "7", "50", "10", "s", "30", "s"]


@pytest.mark.parametrize("width", [12, 20, 40, 65, 66, 80, 140])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"total": None, "eta": None},
        {"total": 0, "done": 0},
        {"done": 7_000},
        {"name": "/a/very/long/" + 40 * "path/" + "in.jsonl -> x"},
        {"words": "12 requests pause: " + 30 * "why "},
        {"done": None, "phase": Phase.DEPLOYING, "words": 30 * "why "},
        {"done": 0, "total": 3, "unit": "nodes"},
    ],
)
def test_a_block_keeps_to_the_width_of_its_terminal(width: int, fields: dict[str, Any]) -> None:
    lines = drawn(width, **fields)
    assert max(map(len, lines)) <= width
    assert len(lines) <= (14 if width < 20 else 10)


@pytest.mark.parametrize("name", ["[red]x[/red]", "[/]", "[link=http://x]y", "\x1b[31mred", "a\nb", ":smile:"])
def test_a_name_is_shown_as_it_is_and_changes_no_terminal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = name.replace("\n", " ").replace("\x1b", "\N{REPLACEMENT CHARACTER}")
    assert drawn(80, name=name)[0].strip() == shown
    for rich in (True, False):
        terminal, display = on_terminal(monkeypatch, rich=rich)
        display.heard(Progress(phase=Phase.DEPLOYING, name=name, words=name), step=True)
        assert terminal.screen.lines[0] == f"deploying: {shown} {shown}"
        display.ended(None)


# ---- terminals -------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    before = sys.stdout, sys.stderr
    yield
    assert (sys.stdout, sys.stderr) == before, "a display left its streams in place"


def on_terminal(monkeypatch: pytest.MonkeyPatch, *, rich: bool) -> tuple[Terminal, Display]:
    """Return a terminal that is standard error, and the display that suits it."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("aiomlcommons.progress.here._has_rich", lambda: rich)
    return terminal, display_here()


@pytest.mark.parametrize("rich", [True, False])
def test_steps_stay_and_the_state_is_gone_in_the_end(monkeypatch: pytest.MonkeyPatch, rich: bool) -> None:
    terminal, display = on_terminal(monkeypatch, rich=rich)
    display.heard(STEP, step=True)
    display.heard(Progress(**JOB), step=False)
    assert any("1,250 of 5,000 documents, 25 %" in line for line in terminal.screen.lines)
    assert terminal.screen.cursor is not rich
    display.heard(Progress(phase=Phase.FINISHED, name="x"), step=True)
    display.ended(None)
    assert terminal.screen.lines == ["embedding: in.jsonl -> out.npy", "finished: x"]
    assert terminal.screen.cursor


@pytest.mark.parametrize("rich", [True, False])
@pytest.mark.parametrize(
    ("error", "how"),
    [(KeyError("x"), "failed with KeyError"), (KeyboardInterrupt(), "stopped"), (None, "stopped")],
)
def test_how_a_call_ended_that_did_not_succeed_is_said(
    monkeypatch: pytest.MonkeyPatch, rich: bool, error: BaseException | None, how: str
) -> None:
    terminal, display = on_terminal(monkeypatch, rich=rich)
    display.heard(Progress(**JOB), step=False)
    display.ended(error)
    (line, *_) = terminal.screen.lines
    assert line.startswith(f"{how} after 10 s: embedding: in.jsonl -> out.npy 1,250 of 5,000")
    assert terminal.screen.cursor


@pytest.mark.parametrize("rich", [True, False])
def test_what_is_printed_and_logged_meanwhile_stays_above(monkeypatch: pytest.MonkeyPatch, rich: bool) -> None:
    terminal, display = on_terminal(monkeypatch, rich=rich)
    piped = io.StringIO()
    monkeypatch.setattr(sys, "stdout", piped)
    handler = logging.StreamHandler()  # made before the display is there
    logger = logging.getLogger("tests.progress")
    logger.addHandler(handler)
    try:
        display.heard(Progress(**JOB), step=False)
        logger.warning("a warning")
        print("half a ", end="", file=sys.stderr)
        display.heard(Progress(**JOB), step=False)
        print("line", file=sys.stderr)
        print("\x1b[31mred\x1b[0m", file=sys.stderr)
        print("to a pipe")
        assert terminal.screen.lines[:3] == ["a warning", "half a line", "red"]
        assert any("1,250 of 5,000" in line for line in terminal.screen.lines[3:])
        print("not whole", end="", file=sys.stderr)
        display.ended(None)
        logger.warning("later")
    finally:
        logger.removeHandler(handler)
    lines = terminal.screen.lines
    assert lines[0:3] == ["a warning", "half a line", "red"]
    assert "later" in lines[-1]
    assert any(line.startswith("not whole") for line in lines)
    assert piped.getvalue() == "to a pipe\n"
    assert "\x1b[31mred" in terminal.getvalue()


@pytest.mark.parametrize("rich", [True, False])
def test_two_calls_at_once_share_the_terminal(monkeypatch: pytest.MonkeyPatch, rich: bool) -> None:
    terminal, one = on_terminal(monkeypatch, rich=rich)
    one.heard(Progress(**{**JOB, "name": "one"}), step=False)
    two = display_here()  # while standard error is that of the first display
    two.heard(Progress(**{**JOB, "name": "two", "done": 77}), step=False)
    shown = "\n".join(terminal.screen.lines)
    assert ("one" in shown, "two" in shown, len(terminal.screen.lines)) == (True, True, 8 if rich else 1)
    one.heard(Progress(phase=Phase.FINISHED, name="one"), step=True)
    one.ended(None)
    assert "77 of 5,000" in "\n".join(terminal.screen.lines)
    two.heard(Progress(phase=Phase.FINISHED, name="two"), step=True)
    two.ended(None)
    assert terminal.screen.lines == ["finished: one", "finished: two"]


@pytest.mark.parametrize("columns", ["10", "40"])
def test_one_line_keeps_to_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    terminal, display = on_terminal(monkeypatch, rich=False)
    for _ in range(3):
        display.heard(Progress(**JOB), step=False)
    (line,) = terminal.screen.lines
    assert len(line) < int(columns)
    display.ended(KeyError())


class Broken(Terminal):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("make", [Broken, io.StringIO])
@pytest.mark.parametrize("rich", [True, False])
def test_a_job_goes_on_where_nothing_can_be_shown(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], io.StringIO], rich: bool
) -> None:
    out = make()
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setattr("aiomlcommons.progress.here._has_rich", lambda: rich)
    display = display_here()
    if not isinstance(out, Broken):
        out.close()
    display.heard(STEP, step=True)
    display.heard(Progress(**JOB), step=False)
    display.ended(None)


def test_without_rich_the_line_is_chosen_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "aiomlcommons.progress.blocks", raising=False)
    monkeypatch.setitem(sys.modules, "rich.live", None)  # an import of it fails
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    display = display_here()
    display.heard(Progress(**JOB), step=False)
    assert terminal.getvalue().startswith("\r\033[Kin.jsonl -> out.npy 1,250 of 5,000 documents")
    display.ended(KeyError())


# ---- plain lines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_where_nobody_looks_there_are_plain_lines(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stderr", Terminal() if term == "dumb" else io.StringIO())
    assert isinstance(display_here(), Lines)


def test_without_standard_error_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    display_here().heard(STEP, step=True)
    monkeypatch.undo()


def test_a_step_is_a_line_and_so_is_every_pause_that_grows_from_2_to_30_seconds() -> None:
    now, out = [0.0], io.StringIO()
    lines = Lines(out, clock=lambda: now[0])
    lines.heard(STEP, step=True)
    said = []
    for quarter in range(4 * 200):
        now[0] = quarter / 4
        before = out.getvalue()
        lines.heard(Progress(**JOB), step=False)
        if out.getvalue() != before:
            said.append(now[0])
    assert said[:5] == [2.0, 5.0, 9.5, 16.25, 26.5]
    assert [b - a for a, b in zip(said[-3:], said[-2:], strict=False)] == [30.0, 30.0]
    assert out.getvalue().splitlines()[:2] == [str(STEP), str(Progress(**JOB))]


def test_what_is_not_counted_says_how_long_it_has_taken() -> None:
    now, out = [0.0], io.StringIO()
    lines = Lines(out, clock=lambda: now[0])
    now[0] = 3.0
    lines.heard(Progress(phase=Phase.DEPLOYING, name="m", seconds=3.0), step=False)
    assert out.getvalue() == "deploying: m (3.0 s)\n"


@pytest.mark.parametrize(("says_end", "last"), [(True, ["stopped after 10 s: " + str(Progress(**JOB))]), (False, [])])
def test_a_command_says_itself_how_it_ended(says_end: bool, last: list[str]) -> None:
    out = io.StringIO()
    lines = Lines(out, {Phase.FINISHED}, says_end=says_end)
    lines.heard(Progress(**JOB), step=False)
    lines.heard(Progress(phase=Phase.FINISHED), step=True)
    lines.heard(Progress(**JOB), step=False)
    lines.ended(KeyboardInterrupt())
    assert out.getvalue().splitlines() == last


def test_a_session_does_not_wait_for_what_only_displays_need() -> None:
    code = "import sys; from aiomlcommons import Session; print({'rich', 'IPython'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "set()\n"
