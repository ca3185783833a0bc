"""Whether a failure is a text's fault or the model's: found out with a text that any model embeds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
import attrs

from aiomlcommons.errors import ApiError, DecodeError, MLCommonsError
from aiomlcommons.ingest.errors import ModelFails
from aiomlcommons.trouble.table import Kind, Party

if TYPE_CHECKING:
    from aiomlcommons.ingest.embedding.requests import ModelRequests

log = logging.getLogger("aiomlcommons")
# A text that any model embeds: where it fails too, the trouble is not in the documents.
HARMLESS = "text"
# A model that never answered may be none that embeds texts, and nobody waits as long for that as for one that did.
UNPROVEN = 30.0


@attrs.define(eq=False)
class ModelCheck:
    """Asks a model for a harmless text, whoever doubts it: one request at a time, with pauses that grow.

    While it fails on that too, all other requests are held back.
    """

    ask: ModelRequests
    _lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    _asked: int = 0
    _answered: int = 0
    _failed: int = 0
    _verdict: ModelFails | None = None
    _outages: int = 0

    async def settled(self, error: MLCommonsError) -> bool:
        """Return when the model embeds a harmless text; True where it had to be waited for.

        Raises ModelFails where it does not for as long as the job is patient, or where waiting cannot help, and what
        ends any job.
        """
        before, outages = self._asked, self._outages
        async with self._lock:
            if self._verdict is not None and self._failed > before:
                raise self._verdict
            # To what was asked before the failure, an answer says nothing about the time after it.
            if self._answered <= before:
                with self.ask.waits.call():
                    await self._find_out(error)
        return self._outages > outages

    async def _find_out(self, error: MLCommonsError) -> None:
        if (trouble := await self._fails()) is None:
            return
        self._outages += 1
        why = f"the model fails on a harmless text too, after failing with: {type(error).__name__}: {error}"
        began, delays = self.ask.clock(), iter(self.ask.backoff)
        with self.ask.held():
            while trouble is not None:
                if not _may_mend(trouble) or self.ask.clock() - began >= self._longest:
                    self._verdict, self._failed = ModelFails(why), self._asked
                    raise self._verdict from trouble
                log.log(logging.WARNING if self.ask.clock() == began else logging.DEBUG, "%s; waiting for it", why)
                await self.ask.sleep(max(next(delays), trouble.retry_after or 0.0))
                trouble = await self._fails()
        log.warning("the model is in order again after %.1f s", self.ask.clock() - began)

    @property
    def _longest(self) -> float:
        return self.ask.stall_timeout if self.ask.answers else min(UNPROVEN, self.ask.stall_timeout)

    async def _fails(self) -> MLCommonsError | None:
        """What the model says to a harmless text, if that is no vector."""
        self._asked += 1
        number = self._asked
        try:
            await self.ask.probe([HARMLESS])
        except MLCommonsError as error:
            if self.ask.is_fatal(error):
                raise
            return error
        self._answered = number
        return None


def _may_mend(error: MLCommonsError) -> bool:
    """Whether the same text may well be embedded later. A cluster that refuses a harmless one always will."""
    if isinstance(error, ApiError):
        return error.trouble.kind is not Kind.FINAL or error.trouble.party is Party.PROVIDER
    return error.transient or isinstance(error, DecodeError)
