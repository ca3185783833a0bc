"""A model that is gone from the nodes in the middle of a job, put back: one deployment for all who miss it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import attrs

from aiomlcommons.errors import ApiError, MLCommonsError, ModelNotReady
from aiomlcommons.lifecycle.errors import NotDeployed
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.trouble.table import Kind
from aiomlcommons.waiting.errors import TaskFailed, TaskStalled

log = logging.getLogger("aiomlcommons")
# So long a deployment is waited for before the model itself is asked again: the node at work on it may be dead, and the
# cluster may have mended it otherwise. What is under way goes on, and is found by whoever deploys next.
LONGEST = 60.0
# A deployment that has ended well needs no other one, unless the model is still missed after such a pause.
PAUSES = Backoff(first=2, factor=2, cap=LONGEST)


@attrs.define(eq=False)
class Redeployment:
    """Calls ``deploy`` when a model is missed. However many miss it at once, and soon after, it is deployed once.

    ``failed`` is what keeps it from being deployed for good.
    """

    model_id: str
    deploy: Callable[[], Awaitable[Any]]
    clock: Callable[[], float] = anyio.current_time
    failed: MLCommonsError | None = None
    _lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    _next: float = 0.0
    _pauses: Iterator[float] = attrs.field(factory=lambda: iter(PAUSES))

    async def __call__(self, missed: ModelNotReady) -> None:
        """Have it deployed; return when that is done, or may be. Raises what ``failed`` is then."""
        async with self._lock:
            if self.clock() < self._next:
                return
            log.warning("model %s is gone from the nodes (%s): deploying it again", self.model_id, missed.reason)
            with anyio.move_on_after(LONGEST):
                await self._deployed()
            self._next = self.clock() + next(self._pauses)

    def answered(self) -> None:
        """The model is there: the trouble is over, and the next one is another."""
        self._pauses = iter(PAUSES)

    async def _deployed(self) -> None:
        try:
            await self.deploy()
        except MLCommonsError as error:
            if not _passes(error):
                self.failed = error
                raise
            log.warning("model %s could not be deployed yet: %s", self.model_id, error)
        else:
            log.warning("model %s is deployed again", self.model_id)


def _passes(error: MLCommonsError) -> bool:
    """Whether another deployment may well succeed, as far as this one tells."""
    if isinstance(error, ApiError | TaskFailed):
        return error.trouble.kind is not Kind.FINAL
    return error.transient or isinstance(error, TaskStalled | NotDeployed)
