"""A task that is cancelled while a thread works for it waits for that, and loses nothing that it opens."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import IO

import pytest

from aiomlcommons.ingest.threads import run_to_end


@pytest.mark.asyncio
async def test_what_is_opened_while_the_task_is_cancelled_is_closed(tmp_path: Path) -> None:
    begun, may_go_on, files = asyncio.Event(), threading.Event(), []
    loop = asyncio.get_running_loop()

    def opening() -> IO[bytes]:
        loop.call_soon_threadsafe(begun.set)
        may_go_on.wait()
        files.append((tmp_path / "file").open("wb"))
        return files[0]

    task = asyncio.create_task(run_to_end(opening, lambda file: file.close()))
    await begun.wait()
    for _ in range(3):  # as by an impatient caller
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files[0].closed


@pytest.mark.asyncio
async def test_an_error_of_the_work_is_raised_and_one_after_a_cancellation_is_not() -> None:
    begun, may_go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def failing() -> None:
        loop.call_soon_threadsafe(begun.set)
        may_go_on.wait()
        raise OSError("the disk is full")

    task = asyncio.create_task(run_to_end(failing, lambda _: None))
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(OSError, match="the disk is full"):
        await run_to_end(failing)
