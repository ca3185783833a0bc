"""A function as a sink."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import anyio.to_thread

from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.types import Documents, Refused

Taken: TypeAlias = "Sequence[Refused] | None"


class CallableSink:
    """A sink that calls ``function`` with each batch; a function that is not async is called in a thread.

    The function may return the documents that it refuses. Delivery is at-least-once: when a job resumes, the batches
    since its last checkpoint come again.
    """

    concurrent = False

    def __init__(self, function: Callable[[Documents], Taken | Awaitable[Taken]]) -> None:
        self._function: Callable[[Documents], Any] = function
        self._is_async = any(map(inspect.iscoroutinefunction, (function, getattr(function, "__call__", None))))  # noqa: B004

    @property
    def name(self) -> str:
        """The qualified name of the function."""
        return str(getattr(self._function, "__qualname__", type(self._function).__qualname__))

    async def open(self, state: Any) -> None:
        """Do nothing: the function keeps its own state."""

    async def write(self, batch: Documents, /) -> Sequence[Refused]:
        """Call the function. Raises what it raises, SinkError if it returns anything but None or what it refuses."""
        if self._is_async:
            taken = self._function(batch)
        else:
            taken = await anyio.to_thread.run_sync(self._function, batch)
        return self._refused(await taken if inspect.isawaitable(taken) else taken, len(batch))

    def _refused(self, taken: Any, count: int) -> Sequence[Refused]:
        """Return the documents of a batch of so many that were refused. Raises SinkError for anything else."""
        refused = taken or ()
        right = isinstance(refused, Sequence) and all(isinstance(one, Refused) for one in refused)
        if not right or not all(0 <= one.index < count for one in refused):
            raise SinkError(
                f"the sink {self.name} must return None or a list of Refused, by their index in the batch of "
                f"{count:,}, not {taken!r:.200}"
            )
        return refused

    async def flush(self) -> Any:
        """Do nothing: there is no state to resume from."""
        return None

    async def close(self, *, complete: bool) -> None:
        """Do nothing."""
