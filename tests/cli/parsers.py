"""The parsers of the command line."""

from __future__ import annotations

import argparse
from functools import cache

from aiomlcommons.cli.arguments import parser


@cache
def whole() -> argparse.ArgumentParser:
    """Return the parser of all commands, which takes a while to build."""
    return parser()


def at(level: argparse.ArgumentParser, words: list[str]) -> argparse.ArgumentParser:
    """Return the parser of a command."""
    for word in words:
        level = next(one for one in level._actions if isinstance(one, argparse._SubParsersAction)).choices[word]
    return level
