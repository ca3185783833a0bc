"""Blocking writes into the old index for the last moments, and allowing them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.reembedding.run import Run

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_BLOCK = "index.blocks.write"


async def freeze(ml: Client, run: Run) -> None:
    """Block writes into the old index, unless they are blocked already. Raises ApiError."""
    if run.scene.source is None or run.scene.source.is_set("blocks.write"):
        return
    await run.keep(frozen=True)  # before it, so that a killed process leaves no block that nobody knows of
    await ml.indices.put_settings(run.task.source, {_BLOCK: True})


async def unfreeze(ml: Client, run: Run) -> None:
    """Allow writes again, if this run has blocked them. Raises ApiError."""
    if run.state.frozen:
        await ml.indices.put_settings(run.task.source, {_BLOCK: None})
        await run.keep(frozen=False)
