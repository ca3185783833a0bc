"""A program's own function as a sink."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import anyio.to_thread

from aiomlcommons.ingest.types import Documents, Refused

Taken: TypeAlias = "Sequence[Refused] | None"


class CallableSink:
    """Calls ``function`` with each batch; a function that is not async is called in a thread, for it may block.

    It may return the documents that it refuses. After a crash the batches since the last note come again.
    """

    concurrent = False

    def __init__(self, function: Callable[[Documents], Taken | Awaitable[Taken]]) -> None:
        self._function: Callable[[Documents], Any] = function
        self._is_async = any(map(inspect.iscoroutinefunction, (function, getattr(function, "__call__", None))))  # noqa: B004

    @property
    def name(self) -> str:
        """The function's own name."""
        return str(getattr(self._function, "__qualname__", type(self._function).__qualname__))

    async def open(self, state: Any) -> None:
        """Nothing to do: the function keeps what it needs."""

    async def write(self, batch: Documents, /) -> Sequence[Refused]:
        """Call the function. Raises what it raises."""
        if self._is_async:
            taken = self._function(batch)
        else:
            taken = await anyio.to_thread.run_sync(self._function, batch)
        return (await taken if inspect.isawaitable(taken) else taken) or ()

    async def flush(self) -> Any:
        """Nothing to keep."""
        return None

    async def close(self, *, complete: bool) -> None:
        """Nothing to do."""
