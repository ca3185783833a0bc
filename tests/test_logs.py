"""``show_logs`` and ``AIOMLCOMMONS_LOG``: the log lines of the package on a terminal."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from typing import Any

import pytest

from aiomlcommons import show_logs

log = logging.getLogger("aiomlcommons")


@pytest.fixture(autouse=True)
def _not_shown() -> None:
    undo = show_logs("INFO", stream=io.StringIO())
    undo()


def test_a_line_has_time_level_and_message() -> None:
    stream = io.StringIO()
    show_logs(stream=stream)
    log.info("told")
    log.debug("not told")
    assert stream.getvalue().endswith(" INFO    told\n")
    time = stream.getvalue().split()[0]
    assert len(time) == len("12:34:56.789")


@pytest.mark.parametrize("level", ["debug", "Debug", " DEBUG ", logging.DEBUG])
def test_a_level_is_a_word_in_any_case_or_a_number(level: str | int) -> None:
    stream = io.StringIO()
    show_logs(level, stream=stream)
    log.debug("told")
    assert "DEBUG   told" in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "error", "words"),
    [
        ("loud", ValueError, "the level must be debug, info, warning or error, not 'loud'"),
        ("", ValueError, "not ''"),
        (True, TypeError, "a text such as 'info', or a number, not bool"),
        (None, TypeError, "not NoneType"),
    ],
)
def test_another_level_is_refused_and_changes_nothing(level: Any, error: type[Exception], words: str) -> None:
    before = log.level, list(log.handlers)
    with pytest.raises(error, match=words):
        show_logs(level)
    assert (log.level, list(log.handlers)) == before


def test_what_is_no_stream_is_refused_and_changes_nothing() -> None:
    before = log.level, list(log.handlers)
    with pytest.raises(TypeError, match=r"the stream must be an open text file, such as sys\.stdout, not str"):
        show_logs(stream="a.log")  # type: ignore[arg-type]
    assert (log.level, list(log.handlers)) == before


def test_called_again_it_writes_no_line_twice_but_changes_level_and_stream() -> None:
    first, second = io.StringIO(), io.StringIO()
    show_logs("debug", stream=first)
    show_logs("warning", stream=second)
    log.info("quiet")
    log.warning("told")
    assert first.getvalue() == ""
    assert second.getvalue().count("told") == second.getvalue().count("\n") == 1


def test_it_is_undone_in_turn() -> None:
    first, second = io.StringIO(), io.StringIO()
    undo_first = show_logs("info", stream=first)
    undo_second = show_logs("debug", stream=second)
    undo_second()
    log.debug("quiet")
    log.info("told")
    undo_first()
    log.warning("of no handler of ours")
    assert (first.getvalue().count("\n"), second.getvalue()) == (1, "")


def test_standard_error_is_that_of_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    """A notebook, or a display, puts another one in its place."""
    show_logs()
    log.info("told")
    assert "told" in capsys.readouterr().err


def test_a_line_that_the_root_logger_writes_to_the_same_stream_is_not_written_twice() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        show_logs(stream=stream)
        log.info("told")
    finally:
        logging.getLogger().removeHandler(handler)
    assert stream.getvalue() == "told\n"


IMPORT = "import logging, aiomlcommons; logging.getLogger('aiomlcommons').{}('told')"


@pytest.mark.parametrize(
    ("value", "level", "told"),
    [
        ("debug", "debug", "told"),
        ("INFO", "info", "told"),
        ("info", "debug", ""),
        ("", "info", ""),
        ("error", "warning", ""),
        ("1", "info", "AIOMLCOMMONS_LOG is ignored: the level must be debug, info, warning or error, not '1'"),
    ],
)
def test_the_environment_asks_for_lines_when_the_package_is_imported(value: str, level: str, told: str) -> None:
    environ = {**os.environ, "AIOMLCOMMONS_LOG": value}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", IMPORT.format(level)], capture_output=True, text=True, check=True, env=environ
    )
    assert done.stderr.partition(" ")[2].strip().endswith(told) if told else done.stderr == ""


def test_without_the_variable_nothing_more_is_imported() -> None:
    code = "import sys, aiomlcommons; print('aiomlcommons.logs' in sys.modules)"
    environ = {name: value for name, value in os.environ.items() if name != "AIOMLCOMMONS_LOG"}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    )
    assert done.stdout == "False\n"


def test_the_words_of_a_server_do_not_reach_the_terminal_as_commands() -> None:
    stream = io.StringIO()
    undo = show_logs(stream=stream)
    log.warning("%s", "429 \x1b[31mslow down")
    undo()
    assert "429 \ufffd[31mslow down" in stream.getvalue()
