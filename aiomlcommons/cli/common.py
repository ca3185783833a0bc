"""What all commands share: the session, and the confirmation before something is deleted."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiomlcommons import emulator
from aiomlcommons.errors import InsecureWarning
from aiomlcommons.progress.display import Display
from aiomlcommons.progress.event import Phase
from aiomlcommons.progress.here import display_here
from aiomlcommons.session import Session

REFUSED = 1


class UsageError(Exception):
    """Wrong usage of the command line: a missing option, or options that exclude each other."""


def shown() -> Display:
    """Return the display of a command, which says itself how it ended."""
    return display_here(hide={Phase.FINISHED}, says_end=False)


@asynccontextmanager
async def cluster(options: argparse.Namespace) -> AsyncGenerator[Session]:
    """Open a session with the cluster of the options or the environment, or with the embedded emulator."""
    url = options.url or os.environ.get("OPENSEARCH_URL")
    if options.emulator and options.url:
        raise UsageError("--url and --emulator exclude each other")
    if not url and not options.emulator:
        raise UsageError(
            "no cluster is given: pass --url or set OPENSEARCH_URL, or pass --emulator to try it without one"
        )
    async with AsyncExitStack() as stack:
        if options.emulator:
            session = Session(await stack.enter_async_context(emulator.serve()))
        else:
            with warnings.catch_warnings():
                # It is logged as well, in words that are not about a line of this package.
                warnings.simplefilter("ignore", InsecureWarning)
                session = Session.from_env({**os.environ, "OPENSEARCH_URL": str(url)}, flavor=options.flavor)
        ml = await stack.enter_async_context(session)
        if options.emulator:
            await ml.settings.allow_first_model()
        yield ml


def confirmed(options: argparse.Namespace, what: Sequence[str]) -> bool:
    """Return whether the user confirms a deletion, by --yes or at the prompt. Raises UsageError without a terminal."""
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("standard input is not a terminal: pass --yes to delete without confirmation")
    print("to be deleted:", *what, sep="\n  ")
    return input("delete? [y/N] ").strip().lower() in {"y", "yes"}
