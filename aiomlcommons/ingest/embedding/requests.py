"""Texts to the model, whatever the server does meanwhile: tried again for as long as it may help."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager

import anyio
import attrs

from aiomlcommons.errors import (
    ApiError,
    FeatureDisabled,
    Forbidden,
    MLCommonsError,
    ModelNotReady,
    NotFound,
    NotSupported,
    Redirected,
    RequestTimeout,
    ServerError,
    SessionClosed,
    TooManyRequests,
    Unauthorized,
)
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.embedding._redeployment import Redeployment
from aiomlcommons.ingest.embedding.model import Embed
from aiomlcommons.ingest.errors import JobStalled
from aiomlcommons.ingest.pacing.concurrency_limit import ConcurrencyLimit, Slot
from aiomlcommons.ingest.pacing.rate_limit import RateLimit
from aiomlcommons.ingest.pacing.retry_budget import RetryBudget, pause_for
from aiomlcommons.ingest.pacing.stall_timeout import StallTimeout
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Sparse
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.trouble.table import Kind

# A plain 500 is a document's fault or the server's, and nothing in it tells which: "Error from remote service". So many
# tries of a batch, and of a text alone, make sure; none of them is paid for, as halving is not, for what they cost is
# bounded, and documents that fail must not use up what an outage needs. Where 2 % of all requests fail by chance, a
# text that stands alone without being at fault is given up once in 125,000 times, and few ever stand alone.
TRIES, TRIES_ALONE = 2, 3
# What no other document would change: the job ends with it, and can be gone on with.
FATAL = (JobStalled, FeatureDisabled, Forbidden, NotFound, NotSupported, Redirected, SessionClosed, Unauthorized)
# While the budget is spent, so many requests in the time of the longest pause try whether the server is back.
PROBES = 10


@attrs.define
class ModelRequests:
    """Asks the model for vectors. ``stall_timeout`` is how many seconds may pass without any answer to what is asked.

    ``redeploy`` puts a model back that is gone from the nodes. ``answers`` counts the requests that brought vectors.
    """

    embed: Embed
    limiter: ConcurrencyLimit
    budget: RetryBudget
    stats: Stats
    backoff: Backoff = Backoff(jitter=1)
    stall_timeout: float = 600.0
    rate: RateLimit | None = None
    redeploy: Redeployment | None = None
    clock: Callable[[], float] = anyio.current_time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    answers: int = attrs.field(init=False, default=0)
    waits: StallTimeout = attrs.field(init=False)
    _probing: anyio.Lock = attrs.field(factory=anyio.Lock)
    _held: anyio.Event | None = None

    def __attrs_post_init__(self) -> None:
        self.waits = StallTimeout(self.stall_timeout, JobStalled, self.clock)

    async def __call__(self, texts: list[str]) -> Vectors | Sparse:
        """The answer for these texts, after as many tries as the budget pays for, or as an unclear failure is worth.

        Raises JobStalled, and what does not pass.
        """
        with self.waits.call():
            return await self._tried(texts)

    def is_fatal(self, error: MLCommonsError) -> bool:
        """Whether no other document would change it, so that the job ends with it."""
        return isinstance(error, FATAL) or (self.redeploy is not None and error is self.redeploy.failed)

    async def probe(self, texts: list[str]) -> None:
        """Ask once, also while other requests are held back. Raises what the model says."""
        try:
            await self._once(texts, probe=True)
        except MLCommonsError as error:
            if _passes(error):
                self.waits.troubled(error)
            raise

    @contextmanager
    def held(self) -> Generator[None]:
        """Hold back every request that is not under way, but for probes."""
        self._held = anyio.Event()
        try:
            yield
        finally:
            self._held.set()
            self._held = None

    async def _tried(self, texts: list[str]) -> Vectors | Sparse:
        delays = iter(self.backoff)
        unclear = TRIES_ALONE if len(texts) == 1 else TRIES
        attempt = self._once(texts)
        while True:
            try:
                return await attempt
            except MLCommonsError as error:
                if _passes(error):
                    self.waits.troubled(error)
                    attempt = self._again(texts, error, delays)
                    continue
                unclear -= 1
                if not unclear or not isinstance(error, ServerError):
                    raise
                attempt = self._repeated(texts, next(delays))

    async def _once(self, texts: list[str], *, probe: bool = False) -> Vectors | Sparse:
        if self.rate is not None:
            await self.rate.wait(texts)
        try:
            return await self._let_in(texts, probe)
        except ModelNotReady as error:
            if self.redeploy is not None:
                await self.redeploy(error)
            raise

    async def _let_in(self, texts: list[str], probe: bool) -> Vectors | Sparse:
        while True:
            if self._held is not None and not probe:
                await self._held.wait()
            try:
                async with self.limiter.slot() as slot:
                    if self._held is None or probe:
                        self._look()
                        self.stats.requests += 1
                        return await self._asked(texts, slot)
            finally:
                self._look()

    async def _asked(self, texts: list[str], slot: Slot) -> Vectors | Sparse:
        asked = self.clock()
        with self.waits.asking():
            try:
                vectors = await self.embed(texts)
            except MLCommonsError as error:
                if isinstance(error, RequestTimeout) or _is_throttled(error):
                    slot.refused()
                if not _passes(error):
                    self.waits.answered()  # with a no, but the server is there
                raise
            self.waits.answered()
        self.stats.answered(self.clock() - asked)
        slot.done(len(texts))
        self.answers += 1
        self.budget.succeeded()
        if self.redeploy is not None:
            self.redeploy.answered()
        return vectors

    def _look(self) -> None:
        self.stats.in_flight, self.stats.limit = self.limiter.in_flight, self.limiter.limit

    async def _again(self, texts: list[str], error: MLCommonsError, delays: Iterator[float]) -> Vectors | Sparse:
        """Pause and try once more. With the budget spent, one at a time tries whether the server is back."""
        if self.budget.take(throttled=_is_throttled(error)):
            return await self._repeated(texts, pause_for(error, next(delays)))
        answers = self.answers
        async with self._probing:
            # Who waited here while another one was answered need not wait any longer, even if trouble came again.
            delay = self.backoff.cap / PROBES if answers == self.answers else 0.0
            return await self._repeated(texts, pause_for(error, delay))

    async def _repeated(self, texts: list[str], delay: float) -> Vectors | Sparse:
        await self.sleep(delay)
        self.stats.retried += 1
        return await self._once(texts)


def _passes(error: MLCommonsError) -> bool:
    """Whether the same request may well succeed later. What is wrong with a document never passes."""
    if isinstance(error, ApiError):
        return error.trouble.passes or error.trouble.kind in {Kind.RACE, Kind.NOT_READY}
    return error.transient


def _is_throttled(error: MLCommonsError) -> bool:
    """Whether the server, or the model's provider, has more requests than it takes at once."""
    return isinstance(error, TooManyRequests) and error.transient
