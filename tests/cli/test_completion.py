"""Completion, tried in each shell that is installed."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aiomlcommons import cli
from aiomlcommons.cli.completion import written
from tests.support.paths import ROOT

# What is typed before Tab, and what the shell offers.
CASES = {
    "mod": {"models", "model-groups"},
    "models l": {"list"},
    "models list --js": {"--json"},
    "--url http://h models de": {"delete", "deploy"},
    "models --url http://h pre": {"pretrained"},
    "--flavor man": {"managed"},
    "completion z": {"zsh"},
    "dead-letters list no-su": {"no-such.jsonl"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "no-such.jsonl").touch()
    program = tmp_path / "bin" / "aiomlcommons"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m aiomlcommons "$@"\n')
    program.chmod(0o755)
    return tmp_path


def _ran(words: list[str], folder: Path) -> str:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, env=environment, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_bash(typed: str, folder: Path) -> set[str]:
    script = (
        'source <(aiomlcommons completion bash); read -ra COMP_WORDS <<< "aiomlcommons $1"; '
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _shtab_aiomlcommons; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    return set(_ran(["bash", "--norc", "-c", script, "bash", typed], folder).split())


def in_fish(typed: str, folder: Path) -> set[str]:
    script = f"aiomlcommons completion fish | source; complete -C 'aiomlcommons {typed}'"
    return {line.split("\t")[0] for line in _ran(["fish", "--no-config", "-c", script], folder).splitlines()}


def in_zsh(typed: str, folder: Path) -> set[str]:
    """Type into an interactive zsh, press Tab twice, and read what it completes or lists."""
    functions = folder / "functions"
    functions.mkdir()
    (functions / "_aiomlcommons").write_text(written("zsh"))
    screen = _typed(
        ["zsh", "-f", "-i"],
        f"fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -D; PS1='$ '; print -r READY{{}}\n",
        f"aiomlcommons {typed}\t\t",
        folder,
    )
    return set(re.findall(r"[\w.-]+", screen.replace(f"aiomlcommons {typed}\x07", "")))


def _typed(words: list[str], before: str, line: str, folder: Path) -> str:
    import pty

    process, terminal = pty.fork()
    if process == 0:  # pragma: no cover - another program
        os.chdir(folder)
        os.execvpe(words[0], words, {**os.environ, "TERM": "dumb", "COLUMNS": "200", "LINES": "50"})  # noqa: S606
    try:
        os.write(terminal, before.encode())
        _read(terminal, lambda got: "\nREADY{}" in got.replace("\r", ""))
        os.write(terminal, line.encode())
        return _read(terminal, lambda _: False)
    finally:
        os.write(terminal, b"\x03exit\n")
        os.close(terminal)
        os.waitpid(process, 0)


def _read(terminal: int, enough: Callable[[str], bool], silence: float = 2.0) -> str:
    """Read until it is enough, or the terminal is silent after it has said something."""
    got = ""
    while not enough(got):
        # The first word may be long in coming: the shell starts, or runs a completion for the first time.
        if not select.select([terminal], [], [], silence if got else 30)[0]:
            break
        got += os.read(terminal, 65_536).decode(errors="replace")
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", got)


@pytest.mark.parametrize("typed", CASES)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_what_is_typed(shell: str, typed: str, folder: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    offered = {"bash": in_bash, "zsh": in_zsh, "fish": in_fish}[shell](typed, folder)
    expected = CASES[typed]
    assert expected <= offered if shell == "zsh" else expected == offered


def test_completion_without_shtab_names_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert cli.main(["completion", "bash"]) == 1
    assert "ImportError: completion needs shtab: pip install 'aiomlcommons[completion]'" in capsys.readouterr().err
