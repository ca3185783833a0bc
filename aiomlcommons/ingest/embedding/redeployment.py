"""Redeployment of a model that was undeployed during a job: one deployment for all requests that fail for it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import attrs

from aiomlcommons.errors import ApiError, MLCommonsError, ModelNotReady
from aiomlcommons.ingest.pacing.clock import loop_time
from aiomlcommons.lifecycle.errors import NotDeployed
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.net.event_words import reason, tag
from aiomlcommons.trouble.kinds import Kind
from aiomlcommons.waiting.errors import TaskFailed, TaskStalled

log = logging.getLogger("aiomlcommons")
# Seconds to wait for a deployment before the model is tried again: the node that deploys it may be dead, and the
# cluster may have redeployed the model itself. The deployment continues, and the next one picks it up.
LONGEST = 60.0
# Pauses after a deployment, in which requests that still miss the model do not deploy it again.
PAUSES = Backoff(first=2, factor=2, cap=LONGEST)


@attrs.define(eq=False)
class Redeployment:
    """Single-flight redeployment with backoff: concurrent and closely following failures share one ``deploy`` call.

    ``failed`` is the error that makes deployment impossible for good, if there was one.
    """

    model_id: str
    deploy: Callable[[], Awaitable[Any]]
    clock: Callable[[], float] = loop_time
    failed: MLCommonsError | None = None
    _lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    _next: float = 0.0
    _pauses: Iterator[float] | None = None

    async def __call__(self, error: ModelNotReady) -> None:
        """Deploy the model, unless that was done just now; wait at most ``LONGEST`` seconds. Raises ``failed``."""
        async with self._lock:
            if self.failed is not None:
                raise self.failed  # of a batch that waited for the lock meanwhile
            if self.clock() < self._next:
                return
            why, call = reason(error), tag(error.opaque_id)
            log.warning("model %s is gone from the nodes (%s): deploying it again%s", self.model_id, why, call)
            with anyio.move_on_after(LONGEST):
                await self._deploy()
            if self._pauses is None:
                self._pauses = iter(PAUSES)
            self._next = self.clock() + next(self._pauses)

    def answered(self) -> None:
        """Reset the backoff: the model is deployed."""
        self._pauses = None

    async def _deploy(self) -> None:
        try:
            await self.deploy()
        except MLCommonsError as error:
            if not _may_succeed_later(error):
                self.failed = error
                raise
            log.warning("model %s could not be deployed yet: %s", self.model_id, error)
        else:
            log.warning("model %s is deployed again", self.model_id)


def _may_succeed_later(error: MLCommonsError) -> bool:
    """Return whether another deployment may succeed."""
    if isinstance(error, ApiError | TaskFailed):
        return error.trouble.kind is not Kind.FINAL
    return error.transient or isinstance(error, TaskStalled | NotDeployed)
