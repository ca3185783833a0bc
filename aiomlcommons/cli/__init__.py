"""The command line: ``aiomlcommons COMMAND``; docs/cli.md is its guide."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from aiomlcommons.cli import signals, streams
from aiomlcommons.cli.exit_codes import BY_SIGNAL, FAILED, INTERRUPTED, USAGE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable

    Command = Callable[[argparse.Namespace], Awaitable[int | None]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code, which is one of ``exit_codes``."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Escape what the terminal cannot show, as standard error does, instead of failing.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _main(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except signals.Interrupted as interrupt:
        print(interrupt, file=sys.stderr)
        return interrupt.code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:  # of standard output: a command reports its own
        if not isinstance(error, BrokenPipeError):  # as when the reader of a pipe has closed it
            print(f"aiomlcommons: standard output cannot be written: {error.strerror}", file=sys.stderr)
        # Redirect, or Python reports the error again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    else:
        return code


def run() -> NoReturn:
    """Run the command of the command line, and exit."""
    try:
        signals.raise_interrupted()
        streams.replace_closed()
        code = main()
        signals.ignore()
    except signals.Interrupted as interrupt:  # after the command
        code = interrupt.code
    streams.flush_errors()
    if code > BY_SIGNAL:
        # Without waiting for threads, which may be blocked for ever.
        os._exit(code)
    sys.exit(code)


def _main(arguments: Sequence[str]) -> int:
    # Slow imports are inside the handler of Ctrl-C, and --help does not need all of them.
    from aiomlcommons.cli.arguments import parse

    options = parse(arguments)
    import asyncio

    from aiomlcommons.cli.errors import UsageError
    from aiomlcommons.errors import MLCommonsError

    module, name = options.command.split(".")
    command: Command = getattr(import_module(f"aiomlcommons.cli.{module}"), name)
    undo = _show_logs(options)
    try:
        if not options.local and not options.emulator:
            from aiomlcommons.cli.common import connection_of

            connection_of(options)  # before the loop runs, where Ctrl-C ends the prompt for a password
        return asyncio.run(_run(command, options)) or 0
    except UsageError as error:
        _say(str(error))
        return USAGE
    except BrokenPipeError:
        raise
    except (MLCommonsError, ImportError, OSError, ValueError) as error:  # an ImportError names an extra
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        _say(f"{type(error).__name__}: {error}{notes}")
        return FAILED
    finally:
        undo()


def _say(words: str) -> None:
    from aiomlcommons.masking import without_escapes

    print(without_escapes(f"aiomlcommons: {words}"), file=sys.stderr)


def _show_logs(options: argparse.Namespace) -> Callable[[], None]:
    """Show log lines as -v and -q ask for; return what undoes it."""
    if not (options.verbose or options.quiet):
        return lambda: None
    from aiomlcommons.logs import show_logs

    return show_logs("error" if options.quiet else "info" if options.verbose == 1 else "debug")


async def _run(command: Command, options: argparse.Namespace) -> int | None:
    with signals.cancelling():
        return await command(options)
