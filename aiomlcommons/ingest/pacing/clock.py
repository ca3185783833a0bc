"""The clock of what paces requests."""

from __future__ import annotations

import asyncio


def loop_time() -> float:
    """Return the time of the event loop that runs, in seconds.

    Within a timer too, where ``anyio.current_time`` fails if sniffio is installed: that knows a loop by its task.
    """
    return asyncio.get_running_loop().time()
