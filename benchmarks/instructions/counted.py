"""The programs that callgrind counts: all scenes, or an import.

python -m benchmarks.instructions.counted scenes|ours|reference
"""

from __future__ import annotations

import asyncio
import gc
import sys
from importlib import import_module

from benchmarks.instructions.marks import Marks

IMPORT = "the import of Session"
NAMES = {"ours": ("aiomlcommons", "Session"), "reference": ("opensearchpy", "AsyncOpenSearch")}


async def count_scenes() -> None:
    """Do each scene and its reference N times and 2N times, after as much that is not counted."""
    # Here, because an import is counted in a process that has imported nothing.
    from contextlib import AsyncExitStack

    from benchmarks.instructions.scenes import scenes

    marks = Marks()
    async with AsyncExitStack() as stack:
        for name, scene in (await scenes(stack)).items():
            for whose, work in {"ours": scene.ours, "reference": scene.reference}.items():
                for times in (scene.times, 2 * scene.times):
                    await work(times)  # fills caches, and makes files
                    gc.collect()
                    marks.begin()
                    await work(times)
                    marks.end(f"{name}|{whose}|{times}")


def count_import(whose: str) -> None:
    """Import a client."""
    module, name = NAMES[whose]
    marks = Marks()
    marks.begin()
    getattr(import_module(module), name)
    marks.end(f"{IMPORT}|{whose}|1")


if __name__ == "__main__":
    if sys.argv[1] == "scenes":
        asyncio.run(count_scenes())
    else:
        count_import(sys.argv[1])
