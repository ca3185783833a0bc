"""Programs in a real terminal (a pty): two calls at once among what is printed and logged, Ctrl-C, and a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Generator
from contextlib import contextmanager

import attrs
import pytest

from tests.support.paths import ROOT
from tests.support.screen import Screen

COMMAND = [sys.executable, "-W", "error", "-m", "tests.support.progress_process"]
RICH = pytest.mark.parametrize("rich", [(), ("--without-rich",)], ids=["rich", "without"])


@attrs.define
class Running:
    """A program in a terminal of some width, and all that it wrote to it."""

    process: subprocess.Popen[bytes]
    terminal: int
    width: int
    written: str = ""

    def read(self, until: Callable[[str], bool] = lambda _: False) -> Screen:
        """Read until the text of the screen fulfils a condition, or the program has ended; return the screen."""
        while not until("\n".join(self.screen.lines)):
            try:
                self.written += os.read(self.terminal, 65536).decode()
            except OSError:  # nobody has the terminal open any more
                break
        return self.screen

    @property
    def screen(self) -> Screen:
        return Screen.of(self.written, self.width)


@contextmanager
def running(*words: str, width: int) -> Generator[Running]:
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "LINES", "NO_COLOR"}}
    environment |= {"TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    command = [*COMMAND, *words]
    process = subprocess.Popen(  # noqa: S603
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT
    )
    os.close(theirs)
    try:
        yield Running(process, terminal, width)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


@RICH
@pytest.mark.parametrize("width", [40, 80, 140])
def test_two_calls_at_once_among_what_is_printed_and_logged(rich: tuple[str, ...], width: int) -> None:
    with running("two", *rich, width=width) as program:
        program.read(lambda text: text.count("rows") > 1)
        screen = program.read()
        assert program.process.wait() == 0
    text = "".join(line.ljust(width) if len(line) == width else f"{line}\n" for line in screen.lines)
    lines = text.splitlines()
    assert [line.partition(":")[0] for line in lines[:4]] == ["registering", "registered", "deploying", "deployed"]
    assert lines[-1] == "the end"
    said = [line for line in lines[4:-1] if not line.startswith(("embedding: ", "finished: "))]
    assert sorted(said) == ["logged by 5", "logged by 7", "printed by 5", "printed by 7"]
    assert [line.partition(":")[0] for line in lines].count("finished") == 2
    assert screen.cursor


@RICH
def test_ctrl_c_leaves_the_terminal_in_order(rich: tuple[str, ...]) -> None:
    with running("hang", *rich, width=100) as program:
        shown = program.read(lambda text: "0 rows" in text.rpartition("embedding: ")[2].partition("\n")[2])
        assert shown.cursor is bool(rich)
        program.process.send_signal(signal.SIGINT)
        screen = program.read()
        assert program.process.wait() == -signal.SIGINT
    assert screen.cursor
    (stopped,) = [line for line in screen.lines if line.startswith("stopped after ")]
    assert "embedding: " in stopped
    assert screen.lines[-1] == "KeyboardInterrupt"
    assert sum("0 rows" in line for line in screen.lines) == 2, "the state is gone"


def test_in_a_pipe_there_are_plain_lines_and_standard_output_is_the_programs_own() -> None:
    done = subprocess.run([*COMMAND, "two"], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
    assert sorted(done.stdout.splitlines()) == ["printed by 5", "printed by 7", "the end"]
    assert "\x1b" not in done.stderr
    words = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert words[:4] == ["registering", "registered", "deploying", "deployed"]
    assert words.count("finished") == 2
