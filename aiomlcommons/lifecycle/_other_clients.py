"""Waiting for concurrent registrations by other clients, and detecting abandoned ones."""

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
from aiomlcommons.waiting.absence import Absence
from aiomlcommons.waiting.task import LAG

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# Seconds to wait for registrations that have no model id yet: one of them may be that of the same model.
_UNNAMED_WAIT = 10.0


@attrs.frozen(kw_only=True)
class OtherClients:
    """Polls registrations that other clients started; ``stall_timeout`` is in seconds."""

    ml: Client
    backoff: Backoff
    stall_timeout: float

    async def wait_for_unnamed(self, function: FunctionName | str, tell: Callable[[str], None]) -> bool:
        """Wait up to ten seconds for registrations of a kind without a model id; return whether there were any."""
        waited = False
        with anyio.move_on_after(min(_UNNAMED_WAIT, self.stall_timeout)):
            for pause in self.backoff:
                found = await self._unnamed(str(function).upper())
                if not found:
                    break
                if not waited:
                    tell(f"for the registration under way in task {found[0]}")
                waited = True
                await anyio.sleep(pause)
        return waited

    async def _unnamed(self, function: str) -> list[str]:
        known = await registrations(self.ml) or ()
        return [task.task_id for task in known if task.model_id is None and task.function_name == function]

    async def is_abandoned(self, model_id: str) -> bool:
        """Return whether a registration is abandoned; False without waiting if a node is running it."""
        return await self._is_on_no_node(model_id) and not await self.wait_until_registered(model_id, on_node=True)

    async def wait_until_registered(self, model_id: str, *, on_node: bool) -> bool:
        """Poll a model until it is registered; return False if it is deleted or its registration is abandoned.

        ``on_node``: a node has to finish it, which may take long; else only the record lags behind the chunks.
        """
        changed, last, pauses = anyio.current_time(), None, iter(self.backoff)
        absence = Absence()
        while model := await find_model(self.ml, model_id):
            if model.model_state not in UNFINISHED:
                return True
            seen = anyio.current_time()
            if model != last:
                last, changed, absence = model, seen, Absence()
            elif (unchanged := seen - changed) >= (self.stall_timeout if on_node else LAG) or (
                unchanged >= LAG and absence.lasts(await self._is_on_no_node(model_id), seen, LAG)
            ):
                return False
            await anyio.sleep(next(pauses))
        return False

    async def _is_on_no_node(self, model_id: str) -> bool:
        """Return whether no node is registering a model; False if unknown, to delete no other client's work."""
        known = await registrations(self.ml)
        return known is not None and model_id not in {task.model_id for task in known}
