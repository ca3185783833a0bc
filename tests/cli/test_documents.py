"""docs/cli.md: its commands work, its tables are those of the program, its profiles are profiles."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from aiomlcommons import cli
from aiomlcommons.cli import exit_codes
from aiomlcommons.cli.arguments import parse, verbs
from aiomlcommons.cli.connection import connection
from aiomlcommons.cli.profiles import KEYS
from tests.cli.example_world import example_world
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
# Pages with commands for clusters that are not there: they are parsed only.
OTHERS = {
    line
    for name in ("docs/features.md", "docs/ingest.md")
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    if line.startswith("aiomlcommons ")
}


@pytest.mark.asyncio
@pytest.mark.parametrize("line", COMMANDS)
async def test_a_command_of_the_page_works(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (".local/share/bash-completion/completions", ".zfunc", ".config/fish/completions"):
        (tmp_path / folder).mkdir(parents=True)
    async with example_world(tmp_path) as world:
        monkeypatch.setenv("OPENSEARCH_URL", world.url)
        typed = world.filled(line).replace("http://127.0.0.1:9200", world.url)
        if re.search("[|<>]", typed):
            await _in_a_shell(typed, tmp_path)
        else:
            assert await asyncio.to_thread(cli.main, shlex.split(typed)[1:]) == 0, capfd.readouterr().err


async def _in_a_shell(typed: str, folder: Path) -> None:
    if "| jq" in typed and shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    program = typed.replace("aiomlcommons ", f"{shlex.quote(sys.executable)} -m aiomlcommons ", 1)
    environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        "sh", "-e", "-c", program, stdout=PIPE, stderr=PIPE, cwd=folder, env=environment
    )
    out, errors = await process.communicate()
    written = [path for path in folder.rglob("*aiomlcommons*") if path.is_file()]
    assert process.returncode == 0, errors.decode()
    assert out or all(path.stat().st_size for path in written)


@pytest.mark.parametrize("line", sorted(OTHERS))
def test_a_command_of_another_page_is_understood(line: str) -> None:
    parse(shlex.split(line)[1:])


def test_the_exit_codes_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert {int(code): words for code, words in rows} == exit_codes.MEANINGS


def test_the_keys_of_a_profile_are_all_there() -> None:
    table = PAGE.partition("| key of a profile |")[2].partition("\n\n")[0]
    keys = {key for row in table.splitlines() for key in re.findall(r"`([a-z_]+)`", row.rpartition(" | ")[2])}
    assert keys == KEYS.keys()


def test_every_noun_is_in_the_table() -> None:
    table = PAGE.partition("| noun or verb |")[2].partition("\n\n")[0]
    assert {name for name, _ in verbs() if name.split()[0] not in table} == set()


def test_the_profiles_of_the_page_are_profiles(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "config.toml"
    file.write_text(block.replace("pass show opensearch/prod", "echo hush"))
    environ = {"AIOMLCOMMONS_CONFIG": str(file)}
    assert connection(parse(["models", "list"]), environ).environ["OPENSEARCH_URL"] == "http://127.0.0.1:9200"
    found = connection(parse(["models", "list", "--profile", "prod"]), environ).environ
    assert found["OPENSEARCH_PASSWORD"] == "hush"
    assert found["OPENSEARCH_CA_CERTS"] == str(tmp_path / "ca.pem")
