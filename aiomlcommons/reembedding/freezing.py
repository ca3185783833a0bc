"""Blocking writes into the old index for the last moments, and allowing them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.reembedding.run import Run
from aiomlcommons.wire.codec import quoted

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_BLOCK = "index.blocks.write"


async def freeze(ml: Client, run: Run) -> None:
    """Block writes into the old index, and wait for those under way, unless somebody else blocks them. Raises ApiError.

    As a setting the block would let those through that were received before it.
    """
    source = run.task.source
    if not run.state.frozen and await _is_blocked(ml, source):
        return
    await run.keep(frozen=True)  # before it, so that a killed process leaves no block that nobody knows of
    await ml.request("PUT", f"/{quoted(source)}/_block/write")


async def _is_blocked(ml: Client, index: str) -> bool:
    settings = (await ml.indices.settings(index))[index].settings["index"]
    return str((settings.get("blocks") or {}).get("write")).lower() == "true"


async def unfreeze(ml: Client, run: Run) -> None:
    """Allow writes again, if this run has blocked them. Raises AnotherRun if it is another process's now, ApiError."""
    if run.state.frozen:
        run.owning.check()
        await ml.indices.put_settings(run.task.source, {_BLOCK: None})
        await run.keep(frozen=False)
