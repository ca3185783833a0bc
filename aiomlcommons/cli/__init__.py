"""The command line: ``aiomlcommons ingest | dead-letter | models | groups | tasks | settings | call | emulator``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module

from aiomlcommons.cli.arguments import parser

FAILED, USAGE, INTERRUPTED = 1, 2, 130

Command = Callable[[argparse.Namespace], Awaitable[int | None]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code.

    0, 1 when it failed, 2 for wrong usage, 3 when documents ended as dead letters, 130 when interrupted.
    """
    options = parser().parse_args(arguments)
    # Imported here, so that --help need not wait for numpy and aiohttp.
    from aiomlcommons.cli.common import UsageError
    from aiomlcommons.errors import MLCommonsError

    module, name = options.command.split(".")
    command: Command = getattr(import_module(f"aiomlcommons.cli.{module}"), name)
    try:
        return asyncio.run(_run(command, options)) or 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except UsageError as error:
        print(f"aiomlcommons: {error}", file=sys.stderr)
        return USAGE
    except (MLCommonsError, OSError, ValueError) as error:
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        print(f"aiomlcommons: {type(error).__name__}: {error}{notes}", file=sys.stderr)
        return FAILED


async def _run(command: Command, options: argparse.Namespace) -> int | None:
    return await command(options)
