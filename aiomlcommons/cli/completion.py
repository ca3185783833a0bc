"""``aiomlcommons completion``: the script by which a shell completes commands and options."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import anyio.to_thread

from aiomlcommons.cli.arguments import parser
from aiomlcommons.cli.tables import print_json

# What stands for a file in the help of an argument.
_FILES = {"FILE", "PATH", "SOURCE"}


async def show(options: argparse.Namespace) -> None:
    """Print the script for a shell. Raises ImportError, which names the extra, without shtab."""
    script = await anyio.to_thread.run_sync(written, options.shell)
    if options.json:
        print_json({"shell": options.shell, "script": script})
    else:
        print(script)


def written(shell: str) -> str:
    """Return the script for a shell."""
    try:
        import shtab
    except ImportError as error:
        raise ImportError(f"completion needs shtab: pip install 'aiomlcommons[completion]' ({error})") from None
    top = parser()
    for action in _actions(top):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(top, shell))


def _actions(level: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in level._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            below: Any = action.choices
            for one in below.values():
                yield from _actions(one)
