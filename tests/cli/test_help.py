"""Help: of 80 columns, with examples that work, and one table of exit codes."""

from __future__ import annotations

import argparse
import asyncio
import io
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiomlcommons import cli
from aiomlcommons.cli import exit_codes
from aiomlcommons.cli.arguments import COMMANDS, parser, verbs
from aiomlcommons.cli.completion import written
from aiomlcommons.cli.syntax.verbs import Verb
from tests.cli.example_world import example_world
from tests.cli.parsers import at, whole

# It serves until it is interrupted; test_commands.py does that.
ENDLESS = {"emulator"}
EXAMPLES = [example for _, verb in verbs() for example in verb.examples if example.split()[0] not in ENDLESS]


def parsers(level: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield level
    for action in level._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


@pytest.mark.parametrize("level", list(parsers(whole())), ids=lambda level: level.prog)
@pytest.mark.parametrize("columns", [80, 200])
def test_help_fits_into_80_columns_and_has_examples(
    level: argparse.ArgumentParser, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    words = level.format_help()
    assert max(map(len, words.splitlines())) <= 80
    assert "\nexamples:\n  aiomlcommons " in words
    assert all(action.help for action in level._actions if action.metavar not in {None, "VERB", "COMMAND"})


@pytest.mark.parametrize(
    "words", [[], *(name.split()[:1] for name, _ in verbs()), *(name.split() for name, _ in verbs())]
)
def test_the_parser_of_what_is_typed_has_the_same_help_as_that_of_all_commands(words: list[str]) -> None:
    assert at(parser(words), words).format_help() == at(whole(), words).format_help()


@pytest.mark.parametrize("name", [name for name, _ in verbs()])
def test_a_verb_has_between_one_and_three_examples_of_itself(name: str) -> None:
    examples = dict(verbs())[name].examples
    assert 1 <= len(examples) <= 3
    assert all(example.startswith(name) for example in examples)


@pytest.mark.asyncio
@pytest.mark.parametrize("example", EXAMPLES)
async def test_an_example_does_what_it_says(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    async with example_world(tmp_path) as world:
        monkeypatch.setenv("OPENSEARCH_URL", world.url)
        command, _, file = world.filled(example).partition(" < ")
        if file:
            monkeypatch.setattr("sys.stdin", io.StringIO((tmp_path / file).read_text()))
        code = await asyncio.to_thread(cli.main, shlex.split(command))
    got = capsys.readouterr()
    assert (code, bool(got.out)) == (0, True), got.err


def test_the_help_of_all_has_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_codes.table() in whole().format_help()
    assert cli.main(["help", "exit-codes"]) == 0
    assert capsys.readouterr().out == f"{exit_codes.table()}\n"


@pytest.mark.parametrize("words", [["models", "list"], ["models"], []])
def test_help_on_a_command_is_what_its_own_help_says(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main([*words, "--help"])
    own = capsys.readouterr().out
    assert cli.main(["help", *words]) == 0
    assert capsys.readouterr().out == own


def test_help_on_configuration_names_the_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOMLCOMMONS_CONFIG", "/somewhere/mine.toml")
    assert cli.main(["help", "configuration"]) == 0
    out = capsys.readouterr().out
    assert "\n  /somewhere/mine.toml\n" in out
    assert max(map(len, out.splitlines())) <= 80


def test_names_of_verbs_are_unique_and_lead_to_functions() -> None:
    found = dict(verbs())
    assert len(found) == len(list(verbs()))
    assert {command.name for command in COMMANDS if isinstance(command, Verb)} <= found.keys()
    assert "aiomlcommons" in written("bash")
