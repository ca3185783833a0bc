"""Paced requests of a job: retries with backoff, within concurrency, rate, retry budget and stall timeout."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import anyio
import attrs

from aiomlcommons.errors import (
    ApiError,
    FeatureDisabled,
    Forbidden,
    MLCommonsError,
    ModelNotReady,
    NoCredentials,
    NotFound,
    NotSupported,
    QuotaExceeded,
    Redirected,
    RequestTimeout,
    SessionClosed,
    TooManyRequests,
    Unauthorized,
)
from aiomlcommons.ingest.embedding.redeployment import Redeployment
from aiomlcommons.ingest.errors import JobStalled
from aiomlcommons.ingest.events import JobEvents
from aiomlcommons.ingest.pacing.clock import loop_time
from aiomlcommons.ingest.pacing.concurrency_limit import ConcurrencyLimit, Slot
from aiomlcommons.ingest.pacing.rate_limit import RateLimit
from aiomlcommons.ingest.pacing.stall_timeout import StallTimeout
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.net.event_words import reason
from aiomlcommons.net.retry_budget import RetryBudget, pause_between_probes, pause_for
from aiomlcommons.trouble.kinds import Kind, Party

T = TypeVar("T", bound=Sequence[str])
R = TypeVar("R")
# A plain 500 ("Error from remote service") may be the fault of a document or of the server. So many attempts for a
# batch, and for a single text, decide which. Like bisection they take nothing from the retry budget: their number is
# bounded, and poison documents must not spend what an outage needs. If 2 % of all requests fail at random, a healthy
# text that is sent alone is given up once in 125,000 times, and few texts are ever sent alone.
ATTEMPTS, ATTEMPTS_ALONE = 2, 3
# Errors that do not depend on the documents: they end the job, which can be resumed.
FATAL = (
    JobStalled,
    FeatureDisabled,
    Forbidden,
    NoCredentials,
    NotFound,
    NotSupported,
    QuotaExceeded,
    Redirected,
    SessionClosed,
    Unauthorized,
)


@attrs.define
class PacedRequests(Generic[T, R]):
    """The requests of a job to what embeds, with everything that they share: limits, retry budget, stall timeout.

    ``stall_timeout`` is in seconds. ``redeploy`` deploys a model again that is no longer on the nodes; None leaves it
    alone. ``successes`` counts the requests that embedded something. A subclass sends them (``_send``); what it sends
    may shrink from one attempt to the next, where a part of it was accepted.
    """

    limiter: ConcurrencyLimit
    budget: RetryBudget
    stats: Stats
    backoff: Backoff = Backoff(jitter=1)
    stall_timeout: float = 600.0
    rate: RateLimit | None = None
    redeploy: Redeployment | None = None
    events: JobEvents = attrs.field(factory=JobEvents)
    clock: Callable[[], float] = loop_time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    successes: int = attrs.field(init=False, default=0)
    stall: StallTimeout = attrs.field(init=False)
    _probing: anyio.Lock = attrs.field(factory=anyio.Lock)
    _release: anyio.Event | None = None
    _fatal: MLCommonsError | None = None

    def __attrs_post_init__(self) -> None:
        self.stall = StallTimeout(self.stall_timeout, JobStalled, self.clock)

    async def __call__(self, texts: T, /) -> R:
        """Embed texts with one request, retried while that may help and the retry budget allows.

        Raises JobStalled, and errors that a retry would not change.
        """
        with self.stall.call():
            return await self._with_retries(texts)

    def is_fatal(self, error: MLCommonsError) -> bool:
        """Return whether an error ends the job, because it does not depend on the documents."""
        if is_firewalls(error) or (isinstance(error, NoCredentials) and error.transient):
            return False
        return isinstance(error, FATAL) or (self.redeploy is not None and error is self.redeploy.failed)

    async def probe(self, texts: T) -> R:
        """Send one request without retries, even while others are held back. Raises what it fails with."""
        try:
            return await self._attempt(texts, probe=True)
        except MLCommonsError as error:
            if is_retryable(error):
                self.stall.troubled(error)
            raise

    @contextmanager
    def held(self) -> Generator[None]:
        """Hold back all requests but probes; those in flight continue."""
        self._release = anyio.Event()
        try:
            yield
        finally:
            self._release.set()
            self._release = None

    async def _with_retries(self, texts: T) -> R:
        delays, left = iter(self.backoff), len(texts)
        attempts_left = ATTEMPTS_ALONE if len(texts) == 1 else ATTEMPTS
        attempt = self._attempt(texts)
        while True:
            try:
                return await attempt
            except MLCommonsError as error:
                if is_retryable(error):
                    self.stall.troubled(error)
                    if len(texts) < left:  # some progress, however slow
                        delays, left = iter(self.backoff), len(texts)
                    attempt = self._retry(texts, error, delays)
                    continue
                attempts_left -= 1
                if not attempts_left or not _is_unclear(error) or self.is_fatal(error):
                    raise
                attempt = self._pause_and_attempt(texts, error, next(delays))

    async def _attempt(self, texts: T, *, probe: bool = False) -> R:
        if self.rate is not None:
            with self.stats.pausing("the job's own limit per minute"):
                await self._within_rate(texts, self.rate)
        try:
            return await self._with_slot(texts, probe)
        except ModelNotReady as error:
            if self.redeploy is not None:
                with self.stats.pausing("the model is gone from the nodes, and is deployed again"):
                    await self.redeploy(error)
            raise

    async def _within_rate(self, texts: T, rate: RateLimit, /) -> None:
        await rate.wait(texts)

    def _slot(self, texts: T, /) -> Slot:  # noqa: ARG002 - of another kind of requests its size decides
        return self.limiter.slot()

    async def _with_slot(self, texts: T, probe: bool) -> R:
        while True:
            if self._release is not None and not probe:
                await self._release.wait()
            try:
                async with self._slot(texts) as slot:
                    if self._fatal is not None:
                        raise self._fatal  # any other request would fail for it too, and may cost
                    if self._release is None or probe:
                        self._update_stats()
                        self.stats.requests += 1
                        return await self._send(texts, slot)
            finally:
                self._update_stats()

    @abstractmethod
    async def _send(self, texts: T, slot: Slot, /) -> R:
        """Send one request. Raises what it fails with, after ``_failed`` was told of it."""
        ...

    def _failed(self, error: MLCommonsError, slot: Slot) -> None:
        """Take note of a request that failed."""
        if isinstance(error, RequestTimeout) or is_throttled(error):
            self._slow_down(slot, error)
        if not is_retryable(error):
            self.stall.answered()  # an error response, but the server is up
        if self.is_fatal(error):
            self._fatal = error

    def _succeeded(self, seconds: float) -> None:
        """Take note of a request that embedded something."""
        self.stall.answered()
        self.stats.answered(seconds)
        self.successes += 1
        self.budget.succeeded()
        self.events.answered()
        if self.redeploy is not None:
            self.redeploy.answered()

    def _slow_down(self, slot: Slot, error: MLCommonsError) -> None:
        before = self.limiter.limit
        slot.refused()
        if self.limiter.limit < before:
            self.events.slowed(before, self.limiter.limit, error)

    def _update_stats(self) -> None:
        self.stats.in_flight, self.stats.limit = self.limiter.in_flight, self.limiter.limit

    async def _retry(self, texts: T, error: MLCommonsError, delays: Iterator[float]) -> R:
        """Pause and send the request again. With the retry budget empty, one request at a time probes the server."""
        if self.budget.take(throttled=is_throttled(error)):
            return await self._pause_and_attempt(texts, error, pause_for(error, next(delays)))
        successes = self.successes
        with self.stats.pausing(reason(error)):
            await self._probing.acquire()
        try:
            # A request that waited while another one succeeded need not pause as well, even if errors came again.
            delay = pause_between_probes(self.backoff) if successes == self.successes else 0.0
            self.events.probing(error, pause=pause_for(error, delay))
            return await self._pause_and_attempt(texts, error, pause_for(error, delay))
        finally:
            self._probing.release()

    async def _pause_and_attempt(self, texts: T, error: MLCommonsError, delay: float) -> R:
        self.events.retrying(len(texts), error, pause=delay, retries=self.stats.retried + 1)
        with self.stats.pausing(reason(error)):
            await self.sleep(delay)
        self.stats.retried += 1
        return await self._attempt(texts)


def is_retryable(error: MLCommonsError) -> bool:
    """Return whether the same request may succeed later. An error caused by a document is not retryable."""
    if isinstance(error, ApiError):
        return error.trouble.passes or error.trouble.kind in {Kind.RACE, Kind.NOT_READY}
    return error.transient


def _is_unclear(error: MLCommonsError) -> bool:
    return isinstance(error, ApiError) and error.trouble.kind is Kind.UNCLEAR


def is_firewalls(error: MLCommonsError) -> bool:
    """Return whether a 403 may come from a firewall in front of a provider, which refuses the words of a document."""
    return isinstance(error, Forbidden) and error.trouble.party is Party.PROVIDER and error.trouble.kind is Kind.FINAL


def is_throttled(error: MLCommonsError) -> bool:
    """Return whether the server, or the model's provider, throttled the request."""
    return isinstance(error, TooManyRequests) and error.transient
