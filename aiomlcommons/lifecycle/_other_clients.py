"""Registrations that somebody else has under way, and how long they are worth waiting for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.lifecycle._lookup import find_model
from aiomlcommons.lifecycle._nodes import registrations
from aiomlcommons.lifecycle.upload import UNFINISHED
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.waiting.task import LAG

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# Seconds for which registrations that name no model yet are waited for: one of them may be this very model's.
_NAMELESS = 10.0


@attrs.frozen(kw_only=True)
class OtherClients:
    """What other callers and the nodes are at; ``stall_timeout`` is in seconds."""

    ml: Client
    backoff: Backoff
    stall_timeout: float

    async def nameless(self, function: FunctionName | str, tell: Callable[[str], None]) -> bool:
        """Wait a little for registrations of a kind that name no model yet; return whether there were any."""
        waited = False
        with anyio.move_on_after(min(_NAMELESS, self.stall_timeout)):
            for pause in self.backoff:
                found = await self._nameless(str(function).upper())
                if not found:
                    break
                if not waited:
                    tell(f"for the registration under way in task {found[0]}")
                waited = True
                await anyio.sleep(pause)
        return waited

    async def _nameless(self, function: str) -> list[str]:
        known = await registrations(self.ml) or ()
        return [task.task_id for task in known if task.model_id is None and task.function_name == function]

    async def is_ghost(self, model_id: str) -> bool:
        """Whether nobody goes on registering a model; one that a node is at work on is not waited for."""
        return await self._is_forgotten(model_id) and not await self.is_ending(model_id, on_node=True)

    async def is_ending(self, model_id: str, *, on_node: bool) -> bool:
        """Look at a model until it is registered; False where it is gone, or a ghost that nobody goes on with.

        ``on_node`` is whether a node has to finish it, which may take long; else its record only lags behind its file.
        """
        changed, last, pauses = anyio.current_time(), None, iter(self.backoff)
        while model := await find_model(self.ml, model_id):
            if model.model_state not in UNFINISHED:
                return True
            if model != last:
                last, changed = model, anyio.current_time()
            elif await self._is_dead(model_id, anyio.current_time() - changed, on_node=on_node):
                return False
            await anyio.sleep(next(pauses))
        return False

    async def _is_dead(self, model_id: str, still: float, *, on_node: bool) -> bool:
        """Whether a registration that has not changed for so many seconds is one that nobody goes on with."""
        if not on_node:
            return still >= LAG
        return still >= self.stall_timeout or (still >= LAG and await self._is_forgotten(model_id))

    async def _is_forgotten(self, model_id: str) -> bool:
        """Whether no node is at work on it. Who may not ask the nodes does not know, and deletes nobody's work."""
        known = await registrations(self.ml)
        return known is not None and model_id not in {task.model_id for task in known}
