"""Writes the page of the command line: the help of every command."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from unittest.mock import patch

from aiomlcommons.cli.arguments import parser, verbs

HEAD = """# Every command

The help of each command, as `aiomlcommons ... --help` prints it. [The command line](../cli.md) is the guide.
"""


def page() -> str:
    """Return the text of the page."""
    top = parser()
    names = [name for name, _ in verbs()]
    with patch.dict(os.environ, COLUMNS="88", NO_COLOR="1"):
        parts = [HEAD, _help("## `aiomlcommons`", top)]
        for noun, group in groupby(names, lambda name: name.split()[0]):
            several = list(group)
            parts.append(_help(f"## `{noun}`", _found(top, [noun])))
            parts += [_help(f"### `{name}`", _found(top, name.split())) for name in several if name != noun]
    return "\n".join(parts)


def _help(heading: str, one: argparse.ArgumentParser) -> str:
    return f"{heading}\n\n```text\n{one.format_help().rstrip()}\n```\n"


def _found(top: argparse.ArgumentParser, words: list[str]) -> argparse.ArgumentParser:
    for word in words:
        top = next(action.choices[word] for action in _subparsers(top))
    return top


def _subparsers(one: argparse.ArgumentParser) -> Iterator[argparse._SubParsersAction[argparse.ArgumentParser]]:
    yield from (action for action in one._actions if isinstance(action, argparse._SubParsersAction))


def write(folder: Path) -> None:
    """Write the page into a folder."""
    (folder / "commands.md").write_text(page(), encoding="utf-8")
