"""Circuit breaker-like check of the model: tells a poison document from an outage by embedding a harmless text."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import attrs

from aiomlcommons.errors import ApiError, DecodeError, MLCommonsError
from aiomlcommons.ingest.embedding.paced import PacedRequests, is_firewalls
from aiomlcommons.ingest.errors import ModelFails
from aiomlcommons.trouble.kinds import Kind, Party

log = logging.getLogger("aiomlcommons")
# A text that any model embeds: if it fails too, the documents are not the cause.
HARMLESS = "text"
# A model without any success so far may not embed texts at all, and is not worth the whole stall timeout, in seconds.
UNPROVEN = 30.0


@attrs.define(eq=False)
class ModelCheck:
    """A health check of the model, shared by all batches that fail: one probe at a time, with backoff.

    While the probe fails all other requests are held back, as by an open circuit breaker. ``embed`` sends a harmless
    text without retries, and ``verify`` raises ModelFails if its vector is not one of the model's.
    """

    requests: PacedRequests[Any, Any]
    embed: Callable[[], Awaitable[Any]]
    verify: Callable[[Any], None] = lambda _: None
    _lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    # Probes are numbered, so that batches that wait for the lock can tell whether a result is newer than their failure.
    _sent: int = 0
    _last_success: int = 0
    _last_failure: int = 0
    _verdict: ModelFails | None = None
    _outages: int = 0

    async def settled(self, error: MLCommonsError) -> bool:
        """Wait until the model embeds a harmless text; return whether it was out of order meanwhile.

        Raises ModelFails if it stays out of order for as long as the stall timeout, if waiting cannot help, or if its
        vectors have another dimension than those of the job; and any fatal error as it is. ``error`` is the failure
        that led here, for the message.
        """
        before, outages = self._sent, self._outages
        async with self._lock:
            if self._verdict is not None and self._last_failure > before:
                raise self._verdict
            # The success of a probe that was sent before the failure says nothing about the time after it.
            if self._last_success <= before:
                with self.requests.stall.call():
                    await self._wait_until_healthy(error)
        return self._outages > outages

    async def _wait_until_healthy(self, error: MLCommonsError) -> None:
        if (trouble := await self._probe()) is None:
            return
        self._outages += 1
        why = f"the model fails on a harmless text too, after failing with: {type(error).__name__}: {error}"
        began, delays = self.requests.clock(), iter(self.requests.backoff)
        with self.requests.held():
            while trouble is not None:
                if not _may_recover(trouble) or self.requests.clock() - began >= self._longest_outage:
                    self._verdict, self._last_failure = ModelFails(why), self._sent
                    raise self._verdict from trouble
                level = logging.WARNING if self.requests.clock() == began else logging.DEBUG
                log.log(level, "%s; waiting for it to recover", why)
                await self.requests.sleep(max(next(delays), trouble.retry_after or 0.0))
                trouble = await self._probe()
        log.warning("the model has recovered after %.1f s", self.requests.clock() - began)

    @property
    def _longest_outage(self) -> float:
        timeout = self.requests.stall_timeout
        return timeout if self.requests.successes else min(UNPROVEN, timeout)

    async def _probe(self) -> MLCommonsError | None:
        """Embed a harmless text; return the error if that fails. Raises fatal errors."""
        self._sent += 1
        number = self._sent
        try:
            vectors = await self.embed()
        except MLCommonsError as error:
            if self.requests.is_fatal(error) or is_firewalls(error):
                raise
            return error
        self.verify(vectors)
        self._last_success = number
        return None


def _may_recover(error: MLCommonsError) -> bool:
    """Return whether the harmless text may succeed later. If the cluster itself refuses it for good, it will not."""
    if isinstance(error, ApiError):
        return error.trouble.kind is not Kind.FINAL or error.trouble.party is Party.PROVIDER
    return error.transient or isinstance(error, DecodeError)
