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
from codecs import getincrementaldecoder
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from tests.support.paths import ROOT
from tests.support.screen import Screen

PYTHON = [sys.executable, "-W", "error", "-m"]
PROGRAM = "tests.support.progress_process"
RICH = pytest.mark.parametrize("rich", [(), ("--without-rich",)], ids=["rich", "without"])


@attrs.define
class Running:
    """A program in a terminal, and the screen of that."""

    process: subprocess.Popen[bytes]
    terminal: int
    screen: Screen

    def read(self, until: Callable[[str], bool] = lambda _: False) -> Screen:
        """Read until the text of the screen fulfils a condition, or the program has ended; return the screen."""
        decode = getincrementaldecoder("utf-8")().decode
        while not until("\n".join(self.screen.lines)):
            try:
                self.screen.write(decode(os.read(self.terminal, 65536)))
            except OSError:  # nobody has the terminal open any more
                break
        return self.screen


@contextmanager
def running(*words: str, width: int) -> Generator[Running]:
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "LINES", "NO_COLOR"}}
    environment |= {"TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(  # noqa: S603
        [*PYTHON, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT
    )
    os.close(theirs)
    try:
        yield Running(process, terminal, Screen(width))
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


@RICH
@pytest.mark.parametrize("width", [40, 80, 140])
def test_two_calls_at_once_among_what_is_printed_and_logged(rich: tuple[str, ...], width: int) -> None:
    with running(PROGRAM, "two", *rich, width=width) as program:
        program.read(lambda text: text.count("rows") > 1)
        screen = program.read()
        assert program.process.wait() == 0
    lines = screen.unwrapped
    assert [line.partition(":")[0] for line in lines[:4]] == ["registering", "registered", "deploying", "deployed"]
    assert lines[-1] == "the end"
    said = [line for line in lines[4:-1] if not line.startswith(("embedding: ", "finished: "))]
    assert sorted(said) == ["logged by 5", "logged by 7", "printed by 5", "printed by 7"]
    assert [line.partition(":")[0] for line in lines].count("finished") == 2
    assert screen.cursor


@RICH
def test_ctrl_c_leaves_the_terminal_in_order(rich: tuple[str, ...]) -> None:
    with running(PROGRAM, "hang", *rich, width=100) as program:
        program.read(lambda text: "0 rows" in text.rpartition("embedding: ")[2].partition("\n")[2])
        assert program.screen.cursor is bool(rich)
        program.process.send_signal(signal.SIGINT)
        screen = program.read()
        assert program.process.wait() == -signal.SIGINT
    assert screen.cursor
    (stopped,) = [line for line in screen.lines if line.startswith("stopped after ")]
    assert "embedding: " in stopped
    assert screen.lines[-1] == "KeyboardInterrupt"
    assert sum("0 rows" in line for line in screen.lines) == 2, "the state is gone"


@RICH
def test_a_second_ctrl_c_leaves_the_cursor_on_the_terminal(rich: tuple[str, ...]) -> None:
    with running(PROGRAM, "stubborn", *rich, width=100) as program:
        program.read(lambda text: "0 rows" in text.rpartition("embedding: ")[2].partition("\n")[2])
        program.process.send_signal(signal.SIGINT)
        program.read(lambda text: "told" in text)
        program.process.send_signal(signal.SIGINT)
        screen = program.read()
        assert program.process.wait() == -signal.SIGINT
    assert screen.cursor


@pytest.mark.parametrize("width", [80, 140])
def test_a_command_leaves_its_steps_and_its_report(tmp_path: Path, width: int) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(f'{{"id": "d{number}", "text": "text {number}"}}\n' for number in range(500)))
    words = ("ingest", str(source), "--model", "all-MiniLM-L6-v2", "--out", str(tmp_path / "out.npy"), "--emulator")
    with running("aiomlcommons", *words, width=width) as program:
        screen = program.read()
        assert program.process.wait() == 0
    said = [
        "registering",
        "registered",
        "deploying",
        "deployed",
        "embedding",
        "500 read = 500 written + 0 deduplicated",
    ]
    assert [line.partition(":")[0].partition(" + 0 skipped")[0] for line in screen.unwrapped] == said
    assert screen.cursor


def test_in_a_pipe_there_are_plain_lines_and_standard_output_is_the_programs_own() -> None:
    done = subprocess.run([*PYTHON, PROGRAM, "two"], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
    assert sorted(done.stdout.splitlines()) == ["printed by 5", "printed by 7", "the end"]
    assert "\x1b" not in done.stderr
    words = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert words[:4] == ["registering", "registered", "deploying", "deployed"]
    assert words.count("finished") == 2
