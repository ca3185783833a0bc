"""What all commands share: the cluster that they talk to, and a question before something is deleted."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiomlcommons import emulator
from aiomlcommons.session import Session

REFUSED = 1


class UsageError(Exception):
    """Something that the user must say, or say otherwise."""


@asynccontextmanager
async def cluster(options: argparse.Namespace) -> AsyncGenerator[Session]:
    """A session with the cluster that the options and the environment name, or with the embedded emulator."""
    url = options.url or os.environ.get("OPENSEARCH_URL")
    if options.emulator and options.url:
        raise UsageError("--url and --emulator exclude each other")
    if not url and not options.emulator:
        raise UsageError(
            "no cluster is named: give --url or set OPENSEARCH_URL, or say --emulator to try it without one"
        )
    async with AsyncExitStack() as stack:
        if options.emulator:
            session = Session(await stack.enter_async_context(emulator.serve()))
        else:
            session = Session.from_env({**os.environ, "OPENSEARCH_URL": str(url)})
        ml = await stack.enter_async_context(session)
        if options.emulator:
            await ml.settings.allow_first_model()
        yield ml


def confirmed(options: argparse.Namespace, what: Sequence[str]) -> bool:
    """Whether the user wants it: by --yes, or by an answer on a terminal."""
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to be asked: say --yes to delete without a question")
    print("to be deleted:", *what, sep="\n  ")
    return input("delete? [y/N] ").strip().lower() in {"y", "yes"}
