"""Removal of a model: undeploy, delete, delete its empty group; and withdrawal, the compensating action of a race."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from aiomlcommons.api.model_records import DEPLOYING, PARTIALLY_DEPLOYED, Model
from aiomlcommons.errors import ApiError, NotFound
from aiomlcommons.lifecycle._lookup import find_model
from aiomlcommons.lifecycle.groups import delete_if_empty, group_left_by
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.progress.event import Phase, Progress
from aiomlcommons.progress.telling import Progressing, telling
from aiomlcommons.trouble.kinds import Kind

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_POLLS = 12
# Transient refusals: the nodes still unload the model, or its chunks are not all deleted.
_ON_NODES, _CHUNKS_LEFT = "Model cannot be deleted in deploying or deployed state", "Model is not all cleaned up"
_PASSING = (_ON_NODES, _CHUNKS_LEFT, "Failed to delete all model chunks")


async def remove_model(
    ml: Client,
    model_id: str,
    *,
    undeploy: bool = True,
    empty_group: bool = False,
    backoff: Backoff = Backoff(),
    wait: float | None = None,
    progress: Progressing = False,
) -> bool:
    """Undeploy and delete a model. Options and errors are those of ``ml.models.remove``.

    ``wait`` is None for what the client itself waits.
    """
    ml = ml.options(wait=wait)
    async with telling(progress, Progress(phase=Phase.CHECKING, model_id=model_id)) as tell:
        model = await find_model(ml, model_id)
        # A deleted model may have left chunks, which name its group, and which one more delete request cleans up.
        group_id = (model.model_group_id if model else await group_left_by(ml, model_id)) if empty_group else None
        if model is not None and undeploy and _is_on_a_node(model):
            await _undeploy(ml, model_id)
            tell(Progress(phase=Phase.UNDEPLOYED, name=model.name or "", model_id=model_id))
        await _delete(ml, model_id, backoff, gone=model is None, undeploy=undeploy)
        emptied = group_id is not None and await delete_if_empty(ml, group_id, backoff)
        if model is not None:
            tell(Progress(phase=Phase.DELETED, name=model.name or "", model_id=model_id))
        return model is not None or emptied


async def withdraw(ml: Client, model_id: str, winner: str | None, backoff: Backoff) -> None:
    """Remove a redundant or failed registration (compensating action), and its group if the winner has another.

    Raises ApiError.
    """
    kept = await find_model(ml, winner) if winner else None
    loser = await find_model(ml, model_id)
    own_group = bool(loser and kept and loser.model_group_id != kept.model_group_id)
    await remove_model(ml, model_id, empty_group=own_group, backoff=backoff)


def _is_on_a_node(model: Model) -> bool:
    return model.is_deployed or model.model_state in PARTIALLY_DEPLOYED | DEPLOYING


async def _undeploy(ml: Client, model_id: str) -> None:
    with suppress(NotFound):  # another client removes it too
        await ml.models.undeploy(model_id)


async def _delete(ml: Client, model_id: str, backoff: Backoff, *, gone: bool, undeploy: bool) -> None:
    for pause in backoff.tries(_POLLS):
        try:
            await ml.models.delete(model_id)
        except NotFound:
            return  # deleted already, which is the goal
        except ApiError as error:
            passes = error.reason.startswith(_PASSING) or error.trouble.kind is Kind.RACE
            if gone and passes:
                return  # one attempt suffices for leftover chunks of a deleted model
            if pause is None or not passes:
                raise
            await anyio.sleep(pause)
            if undeploy and error.reason.startswith(_ON_NODES):
                await _undeploy(ml, model_id)  # a concurrent deployment loaded it again
        else:
            return
