"""A program with calls that show their progress: ``python -m tests.support.progress_process SCENE [--without-rich]``.

It prints and logs meanwhile. SCENE is ``two``, two jobs at once that succeed, ``hang``, a job that never ends, or
``stubborn``, a command that never ends even when a signal cancels it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import anyio

from aiomlcommons import Session
from aiomlcommons.cli.signals import cancelling
from aiomlcommons.emulator import Emulator

NAME = "[red]all-MiniLM-L6-v2"


async def embed(ml: Session, model_id: str, count: int) -> None:
    """Embed texts one after the other, and print and log something in the midst."""
    async with ml.embed(model_id, map(str, range(count)), batch=1, concurrency=1, progress=True) as embedded:
        async for row, _ in embedded:
            if row == "2":
                print(f"printed by {count}")
                logging.getLogger("mine").warning("logged by %s", count)


async def stubborn(ml: Session, model_id: str) -> None:
    """Show a call that is not left when it is cancelled, and tell when it is."""
    with cancelling():
        async with ml.embed(model_id, iter(["a text"]), progress=True):
            try:
                await asyncio.sleep(3600)
            finally:
                print("told")
                await asyncio.sleep(3600)


async def main(scene: str) -> None:
    """Run a scene."""
    logging.basicConfig(format="%(message)s")
    emulator = Emulator()
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        model: Any = await ml.models.ensure("all-MiniLM-L6-v2", progress=True)
        if scene == "hang":
            emulator.faults.slow(600)
            await embed(ml, model.model_id, 5)
        if scene == "stubborn":
            emulator.faults.slow(600)
            await stubborn(ml, model.model_id)
        emulator.faults.slow(0.1)
        async with anyio.create_task_group() as group:
            for count in (5, 7):
                group.start_soon(embed, ml, model.model_id, count)
    print("the end")


if __name__ == "__main__":
    if "--without-rich" in sys.argv:
        sys.modules["rich"] = None  # type: ignore[assignment]  # an import of it fails
    asyncio.run(main(sys.argv[1]))
