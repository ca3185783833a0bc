"""``aiomlcommons top``: a live view of nodes, models, tasks, latency and rejections."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs

from aiomlcommons.cli.common import cluster
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.exit_codes import FAILED, OK
from aiomlcommons.cli.tables import print_json
from aiomlcommons.cli.top.keys import quit_key
from aiomlcommons.cli.top.rates import Change, change
from aiomlcommons.cli.top.snapshot import Look, Watcher
from aiomlcommons.cli.top.view import drawn, text
from aiomlcommons.session import Session

# Seconds for one question: what takes longer is shown as trouble, and asked again.
PATIENCE = 10.0


async def show(options: argparse.Namespace) -> int:
    """Look at the cluster until q, Ctrl-C or SIGTERM; with --once look once."""
    if options.json and not options.once:
        raise UsageError("--json prints one look: pass --once, too")
    async with cluster(options) as ml:
        # A wrong URL or password ends it at once; what happens later is shown.
        await ml.greet()
        watcher = Watcher(ml.options(retries=0, timeout=PATIENCE), time.monotonic)
        if options.once:
            return _print_once(options, ml, await watcher.look())
        await _watch(ml, watcher, options.interval)
    return OK


def _print_once(options: argparse.Namespace, ml: Session, look: Look) -> int:
    if options.json:
        print_json(as_json(look))
    else:
        print(text(_title(ml, look), look, Change()))
    return OK if look.responds else FAILED


def as_json(look: Look) -> dict[str, Any]:
    """Return a look as JSON."""
    found = attrs.asdict(look)
    del found["at"]
    return found


async def _watch(ml: Session, watcher: Watcher, interval: float) -> None:
    before: Look | None = None
    with quit_key() as quitting, drawn() as draw:
        while not quitting.is_set():
            now = await watcher.look()
            if not now.responds and before is not None:
                now = attrs.evolve(before, at=now.at, trouble=now.trouble, responds=False)
            draw(_title(ml, now), now, change(before, now))
            before = now
            await _until(quitting, interval)


async def _until(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def _title(ml: Session, look: Look, clock: Callable[[], float] = time.time) -> str:
    moment = time.strftime("%H:%M:%S", time.localtime(clock()))
    return f"{ml.url}  {moment}" + ("" if look.responds else "  does not respond: what was seen last")
