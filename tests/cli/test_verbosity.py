"""What is said besides results: -v and -vv log, -q keeps to errors, a password is asked for on a terminal."""

from __future__ import annotations

import logging
import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiomlcommons import cli
from tests.cli.example_world import example_world
from tests.support.paths import ROOT

ZIP = "./model.zip"
log = logging.getLogger("aiomlcommons")


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    before = log.level, list(log.handlers)
    yield
    # A command leaves the logger as it found it, for programs that call cli.main.
    assert (log.level, log.handlers) == before


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command on an emulator of its own; return what it writes to standard error."""
    assert cli.main([*words, "--emulator"]) == 0
    return capsys.readouterr().err


def test_v_logs_what_happens_and_vv_every_call(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("models", "list")
    assert ran(capsys, *words) == ""
    assert " DEBUG " not in ran(capsys, *words, "-v")
    err = ran(capsys, *words, "-vv")
    assert " DEBUG " in err
    assert "/_plugins/_ml/models/_search" in err


@pytest.mark.asyncio
async def test_q_shows_no_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    monkeypatch.chdir(tmp_path)
    async with example_world(tmp_path) as world:
        for options, silent in ((["-q"], True), ([], False)):
            words = [
                "models",
                "upload",
                ZIP,
                "--name",
                f"m{silent}",
                "--function",
                "SPARSE_TOKENIZE",
                "--change-settings",
            ]
            assert await asyncio.to_thread(cli.main, [*words, "--url", world.url, *options]) == 0
            assert (capsys.readouterr().err == "") == silent
            job = ["ingest", "docs.jsonl", "--model", "all-MiniLM-L6-v2", "--out", f"{silent}.npy", "--resume"]
            assert await asyncio.to_thread(cli.main, [*job, "--url", world.url, *options]) == 0
            assert ("starts from the beginning" not in capsys.readouterr().err) == silent


def test_q_shows_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["models", "list", "--url", "https://127.0.0.1:1", "--insecure", "-q"]
    assert cli.main(words) == 1
    err = capsys.readouterr().err
    assert (len(err.splitlines()), "is not verified" in err) == (1, False)


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
def test_a_password_is_asked_for_without_an_echo_and_ctrl_c_ends_it() -> None:
    import pty

    words = [sys.executable, "-m", "aiomlcommons", "models", "list", "--url", "http://127.0.0.1:1", "--user", "admin"]
    for typed, code in ((b"hush\n", 1), (b"\x03", 130)):
        process, terminal = pty.fork()
        if process == 0:  # pragma: no cover - another program
            os.execve(words[0], words, {**os.environ, "PYTHONPATH": str(ROOT)})  # noqa: S606
        said = b""
        try:
            while b"password of admin at 127.0.0.1: " not in said:
                assert select.select([terminal], [], [], 60)[0], said
                said += os.read(terminal, 65_536)
            os.write(terminal, typed)
            while select.select([terminal], [], [], 60)[0]:
                try:
                    said += os.read(terminal, 65_536)
                except OSError:  # the end
                    break
        finally:
            os.close(terminal)
        assert (os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), b"hush" in said) == (code, False), said
