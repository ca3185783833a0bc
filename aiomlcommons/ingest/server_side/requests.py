"""A job's requests to an index whose server embeds the documents: what is accepted, and what is sent again."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, overload

import attrs

from aiomlcommons.errors import ApiError, MLCommonsError, ModelNotReady
from aiomlcommons.ingest.embedding.model_check import HARMLESS
from aiomlcommons.ingest.embedding.paced import PacedRequests, is_retryable, is_throttled
from aiomlcommons.ingest.pacing.concurrency_limit import Slot
from aiomlcommons.ingest.pacing.rate_limit import RateLimit
from aiomlcommons.ingest.server_side.turns import Turns
from aiomlcommons.ingest.sinks.index_pipeline import Actions

# What each document meets where its pipeline is gone, or one that this runs.
PIPELINE_GONE = re.compile(r"^pipeline with id \[.*\] does not exist|non-existent pipeline \[")


@attrs.define(eq=False)
class Pending(Sequence[str]):
    """Documents by their texts, that are neither accepted nor ``failed``; they become fewer with each request."""

    actions: Actions
    texts: list[str]
    failed: list[tuple[Pending, MLCommonsError]] = attrs.field(factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        return self.texts[at]

    @property
    def indices(self) -> Sequence[int]:
        """Their positions in the batch."""
        return self.actions.indices

    def chosen(self, positions: Sequence[int]) -> Pending:
        """Return some of them."""
        return Pending(self.actions.chosen(positions), [self.texts[i] for i in positions])

    def settle(self, sent: int, errors: Mapping[int, MLCommonsError]) -> None:
        """Take out those of the first ``sent`` that were accepted, or that failed with an error that stays."""
        by_error: dict[int, list[int]] = {}
        for position, error in errors.items():
            if not is_retryable(error):
                by_error.setdefault(id(error), []).append(position)
        for positions in by_error.values():
            self.failed.append((self.chosen(positions), errors[positions[0]]))
        again = [position for position, error in errors.items() if is_retryable(error)]
        left = self.chosen([*again, *range(sent, len(self))])
        self.actions, self.texts = left.actions, left.texts

    def fail(self, error: MLCommonsError) -> None:
        """Take out all that are left, which failed with an error."""
        self.settle(len(self), {})
        self.failed.append((self.chosen(range(len(self))), error))


@attrs.define
class PipelineRequests(PacedRequests[Pending, None]):
    """The requests of a job to an index, each with documents for one or several requests of its pipeline to a model.

    The server sends those all at once, ``batch_size`` documents in each. So the limits of a job count them, and not
    the requests to the index: concurrency, requests a minute.

    Attributes:
        send: Sends documents; returns the errors of those that were not accepted, by position.
        batch_size: Documents in a request of the pipeline to its model.
        accepted: Called with the number of documents that were accepted.
        harmless: Embed a text with each of the models, to tell whether these are in order.
    """

    send: Callable[[Actions], Awaitable[Mapping[int, ApiError]]] = attrs.field(kw_only=True)
    batch_size: int = attrs.field(kw_only=True)
    accepted: Callable[[int], None] = attrs.field(kw_only=True)
    harmless: Sequence[Callable[[list[str]], Awaitable[Any]]] = attrs.field(kw_only=True, default=())
    turns: Turns = attrs.field(init=False, default=attrs.Factory(lambda self: Turns(self.limiter), takes_self=True))

    def turn(self, pending: Pending) -> AbstractAsyncContextManager[None]:
        """Return a context that waits for the turn of a batch."""
        return self.turns.turn(self._needed(pending))

    def is_fatal(self, error: MLCommonsError) -> bool:
        """Return whether an error ends the job; also where a pipeline was deleted meanwhile, which fails them all."""
        gone = isinstance(error, ApiError) and PIPELINE_GONE.search(error.reason) is not None
        return gone or super().is_fatal(error)

    async def __call__(self, pending: Pending, /) -> None:
        """Send documents, as many as the limit allows; those that failed for good are noted in ``pending``.

        Raises JobStalled, and errors of the request as a whole that a retry would not change.
        """
        await super().__call__(pending)

    async def embed_harmless(self) -> None:
        """Embed a harmless text with each model, even while others are held back. Raises what one fails with."""
        with self.stall.asking():
            try:
                for embed in self.harmless:
                    await embed([HARMLESS])
            except MLCommonsError as error:
                if is_retryable(error):
                    self.stall.troubled(error)
                else:
                    self.stall.answered()
                if isinstance(error, ModelNotReady) and self.redeploy is not None:
                    await self.redeploy(error)
                raise
            self.stall.answered()

    # ---- one request ------------------------------------------------------------------------------------------------

    def _most(self, pending: Pending) -> int:
        """Return the most requests to the model that documents may make at once: those they need, or their share."""
        return min(self._needed(pending), self.turns.share)

    def _needed(self, pending: Pending) -> int:
        return -(-len(pending) // self.batch_size)

    def _slot(self, pending: Pending, /) -> Slot:
        return self.limiter.slot(self._most(pending))

    async def _within_rate(self, pending: Pending, rate: RateLimit, /) -> None:
        most = self._most(pending)
        await rate.wait(pending[: most * self.batch_size], most)

    async def _send(self, pending: Pending, slot: Slot, /) -> None:
        count = min(len(pending), slot.width * self.batch_size)
        started = self.clock()
        with self.stall.asking():
            try:
                errors = await self.send(pending.actions.chosen(range(count)))
            except MLCommonsError as error:
                self._failed(error, slot)
                raise
            if count > len(errors):
                self._succeeded(self.clock() - started)
            elif not any(map(is_retryable, errors.values())):
                self.stall.answered()
        pending.settle(count, errors)
        self.stats.embedded += count - len(errors)
        self.accepted(count - len(errors))
        self._raise_for(errors, slot)
        if count > len(errors):
            slot.done(count)

    def _raise_for(self, errors: Mapping[int, ApiError], slot: Slot) -> None:
        """Raise the error that ends the job, or one for which documents are sent again: rather of throttling."""
        throttled = [error for error in errors.values() if is_throttled(error)]
        fatal = [error for error in errors.values() if self.is_fatal(error)]
        again = [error for error in errors.values() if is_retryable(error)]
        slot.served = slot.width - -(-len(throttled) // self.batch_size)
        for error in [*fatal, *throttled, *again][:1]:
            self._failed(error, slot)
            raise error
