"""What all commands share: the session, and the confirmation before something is deleted."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

from aiomlcommons import emulator
from aiomlcommons.cli.connection import Connection, connection
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.errors import ApiError, DecodeError, InsecureWarning, MLCommonsError, NotOpenSearch
from aiomlcommons.net.transport import Timeout
from aiomlcommons.progress.display import Display
from aiomlcommons.progress.event import Phase
from aiomlcommons.progress.here import display_here
from aiomlcommons.session import Session


def shown(options: argparse.Namespace) -> Display | Literal[False]:
    """Return the display of a command, which says itself how it ended; none with --quiet."""
    return not options.quiet and display_here(hide={Phase.FINISHED}, says_end=False)


@asynccontextmanager
async def cluster(options: argparse.Namespace) -> AsyncGenerator[Session]:
    """Open a session with the cluster that ``connection`` finds, or with the embedded emulator.

    Raises UsageError if no cluster is named, NotOpenSearch if a call fails because something else responds.
    """
    if options.emulator and options.url:
        raise UsageError("--url and --emulator exclude each other")
    async with AsyncExitStack() as stack:
        if options.emulator:
            session = Session(await stack.enter_async_context(emulator.serve()), **_timeout(options))
        else:
            session = _session(connection_of(options), **_timeout(options))
        ml = await stack.enter_async_context(session)
        if options.emulator:
            await ml.settings.allow_first_model()
        try:
            yield ml
        except (ApiError, DecodeError) as error:
            await _check_who_responded(ml, error)
            raise


def connection_of(options: argparse.Namespace) -> Connection:
    """Return the connection of a command, which is gathered once. It blocks, as it may ask for a password."""
    if getattr(options, "connection", None) is None:
        options.connection = connection(options, os.environ)
    found: Connection = options.connection
    return found


def _session(found: Connection, **more: Any) -> Session:
    if not found.has_url:
        raise UsageError(
            "no cluster is given: pass --url or --profile, or set OPENSEARCH_URL, or pass --emulator to try it "
            "without one"
        )
    with warnings.catch_warnings():
        # It is logged as well, in words that are not about a line of this package.
        warnings.simplefilter("ignore", InsecureWarning)
        return Session.from_env(found.environ, flavor=found.flavor, **more)


def _timeout(options: argparse.Namespace) -> Mapping[str, Any]:
    limit: float | None = getattr(options, "response_time", None)
    return {} if limit is None else {"timeout": Timeout(read=limit, total=limit)}


async def _check_who_responded(ml: Session, error: ApiError | DecodeError) -> None:
    """Raise NotOpenSearch if it was something else: asked only if the response does not look like OpenSearch's."""
    if isinstance(error, ApiError) and isinstance(error.body, Mapping) and isinstance(error.body.get("error"), Mapping):
        return
    try:
        await ml.greet()
    except NotOpenSearch as other:
        raise other from error
    except MLCommonsError:
        return


def confirmed(options: argparse.Namespace, what: Sequence[str]) -> bool:
    """Return whether the user confirms a deletion, by --yes or at the prompt. Raises UsageError without a terminal."""
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("standard input is not a terminal: pass --yes to delete without confirmation")
    # Standard output is for results.
    print("to be deleted:", *what, sep="\n  ", file=sys.stderr)
    print("delete? [y/N] ", end="", file=sys.stderr, flush=True)
    return input().strip().lower() in {"y", "yes"}


def note(options: argparse.Namespace, words: str) -> None:
    """Print to standard error what is good to know, unless --quiet is given."""
    if not options.quiet:
        print(words, file=sys.stderr)
