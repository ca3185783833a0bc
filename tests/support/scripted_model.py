"""A scripted model, and a BatchEmbedder over it in virtual time."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import numpy as np
import orjson

from aiomlcommons import Backoff
from aiomlcommons.errors import ApiError
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.embedding.batches import BatchEmbedder, EmbeddedBatch
from aiomlcommons.ingest.embedding.requests import ModelRequests
from aiomlcommons.ingest.pacing.concurrency_limit import ConcurrencyLimit
from aiomlcommons.ingest.rows.batching import Batch
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.net.retry_budget import RetryBudget
from aiomlcommons.statuses import error_for
from tests.support.virtual_time import Clock

REQUEST = HttpRequest("POST", "/_plugins/_ml/_predict")


Script = Callable[[list[str]], Awaitable[Any]]


def api(status: int, reason: str = "it failed", *, kind: str = "", **headers: str) -> ApiError:
    body = orjson.dumps({"error": {"reason": reason, "type": kind}, "status": status})
    return error_for(HttpResponse(status, body, {"content-type": "application/json", **headers}, REQUEST))


def throttled(after: str | None = None) -> ApiError:
    return api(429, "throttled", **({"retry-after": after} if after else {}))


def vector(text: str) -> Vectors:
    return np.array([len(text), zlib.crc32(text.encode()) % 1000], dtype=np.float32)


def vectors(texts: list[str]) -> Vectors:
    return np.stack([vector(text) for text in texts])


def batch_of(*texts: str, **more: Any) -> Batch:
    numbers = list(range(10, 10 + len(texts)))
    return Batch(3, numbers, [f"d{n}" for n in numbers], [{"n": n} for n in numbers], list(texts), **more)


@attrs.define
class Model:
    """A scripted model: raises the next of ``errors`` (None succeeds), and refuses every request with a poison text."""

    errors: list[Exception | None] = attrs.field(factory=list)
    poison: frozenset[str] = frozenset()
    refusal: Exception = attrs.field(factory=lambda: api(400, "translate_exception"))
    requests: list[list[str]] = attrs.field(factory=list)

    async def __call__(self, texts: list[str]) -> Vectors:
        self.requests.append(texts)
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        if self.poison & set(texts):
            raise self.refusal
        return vectors(texts)


@attrs.define
class EmbedderOnAClock:
    """A BatchEmbedder in virtual time."""

    embed: Script
    limiter: ConcurrencyLimit = attrs.field(factory=lambda: ConcurrencyLimit.fixed(100))
    budget: RetryBudget = attrs.field(factory=RetryBudget)
    backoff: Backoff = attrs.field(factory=lambda: Backoff(first=1, factor=2, cap=8, jitter=1))
    stall_timeout: float = 100.0
    clock: Clock = attrs.field(factory=Clock)
    stats: Stats = attrs.field(factory=Stats)
    dimension: int | None = 2
    embedder: BatchEmbedder = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        requests = ModelRequests(
            self.limiter,
            self.budget,
            self.stats,
            self.backoff,
            stall_timeout=self.stall_timeout,
            clock=self.clock,
            sleep=self.clock.sleep,
            embed=self.embed,
        )
        self.embedder = BatchEmbedder(requests, self.stats)
        self.embedder.dimension = self.dimension

    async def all(self, *batches: Batch) -> list[EmbeddedBatch]:
        return await self.clock.run(*(self.embedder(batch) for batch in batches))

    async def one(self, *texts: str) -> EmbeddedBatch:
        (embedded,) = await self.all(batch_of(*texts))
        return embedded


def embedded(result: EmbeddedBatch) -> list[str]:
    """Return the texts that have vectors, each checked to be its own."""
    assert len(result.vectors) == len(result.batch)
    for text, found in zip(result.batch.texts, result.vectors, strict=True):
        assert np.array_equal(np.asarray(found), vector(text))
    return result.batch.texts
