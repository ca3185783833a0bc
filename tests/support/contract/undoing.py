"""Cleanup that always runs, and whose errors never hide the failure of a test."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from aiomlcommons.api.common import WriteResult

Undo: TypeAlias = Callable[[], Awaitable[object]]


@asynccontextmanager
async def afterwards(*steps: Undo) -> AsyncGenerator[None]:
    """Run these steps at the end, each even if the one before failed.

    A failure of the block is raised before those of the steps, which are added as its notes.
    """
    try:
        yield
    except BaseException as failure:
        for error in await _failures(steps):
            failure.add_note(f"and afterwards: {error!r}")
        raise
    if failures := await _failures(steps):
        first, *others = failures
        for error in others:
            first.add_note(f"and then: {error!r}")
        raise first


async def _failures(steps: tuple[Undo, ...]) -> list[Exception]:
    failures = []
    for step in steps:
        try:
            await step()
        except Exception as error:
            failures.append(error)
    return failures


async def deleted(deletion: Awaitable[WriteResult]) -> None:
    """Check that a deletion found something."""
    assert (await deletion).result == "deleted"
