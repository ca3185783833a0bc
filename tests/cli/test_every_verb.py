"""Every verb prints one JSON document with --json, and nothing else to standard output."""

from __future__ import annotations

import asyncio
import io
import os
import shlex
import shutil
from pathlib import Path

import pytest

from aiomlcommons import cli
from aiomlcommons.cli.arguments import verbs
from tests.cli.every_verb import commands, found_in, judge_emulator
from tests.cli.example_world import example_world


@pytest.mark.asyncio
async def test_every_verb_prints_one_json_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("OPENSEARCH_")]:
        monkeypatch.delenv(name)
    jq, wrong = shutil.which("jq") is not None, list[object]()
    async with example_world(tmp_path) as world:
        monkeypatch.setenv("OPENSEARCH_URL", world.url)
        for command in commands():
            if command.startswith("emulator"):
                continue
            typed, _, file = world.filled(command).partition(" < ")
            monkeypatch.setattr("sys.stdin", io.StringIO((tmp_path / file).read_text() if file else ""))
            code = await asyncio.to_thread(cli.main, shlex.split(typed))
            got = capfdbinary.readouterr()
            found = await found_in(got.out, jq=jq)
            if code or found.startswith("NO JSON"):
                wrong.append((command, code, found, got.err))
    assert wrong == []


@pytest.mark.asyncio
async def test_the_emulator_tells_its_url_on_one_line_of_json(tmp_path: Path) -> None:
    one = await judge_emulator("emulator --json", tmp_path, jq=False)
    assert (one.code, one.found) == (143, "dict"), one.errors


def test_no_verb_is_left_out() -> None:
    assert {name for name, _ in verbs() if not any(one.startswith(name) for one in commands())} == set()
