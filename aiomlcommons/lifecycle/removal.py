"""A model out of the cluster."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from aiomlcommons.api.model_records import Model
from aiomlcommons.errors import ApiError, NotFound
from aiomlcommons.lifecycle._lookup import find_model
from aiomlcommons.lifecycle.deployment import ON_ITS_WAY, PARTIAL
from aiomlcommons.lifecycle.groups import delete_if_empty, group_left_by
from aiomlcommons.lifecycle.progress import Phase, Progress, Report, to_log
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.trouble.table import Kind

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_LOOKS = 12
# A model that is still on its way off the nodes, or whose chunks are not all gone: both pass by waiting.
_ON_NODES, _CHUNKS_LEFT = "Model cannot be deleted in deploying or deployed state", "Model is not all cleaned up"
_PASSING = (_ON_NODES, _CHUNKS_LEFT, "Failed to delete all model chunks")


async def remove_model(
    ml: Client,
    model_id: str,
    *,
    undeploy: bool = True,
    empty_group: bool = False,
    backoff: Backoff = Backoff(),
    wait: float = 60.0,
    report: Report = to_log,
) -> bool:
    """Undeploy and delete a model, with its group if that is wished. Options and errors are ``ml.models.remove``'s."""
    ml = ml.options(wait=wait)
    model = await find_model(ml, model_id)
    # Of a model that is gone the chunks may be left, which tell its group, and which deleting once more would clean up.
    group_id = (model.model_group_id if model else await group_left_by(ml, model_id)) if empty_group else None
    if model is not None and undeploy and _is_on_a_node(model):
        await _undeploy(ml, model_id)
        report(Progress(phase=Phase.UNDEPLOYED, name=model.name or "", model_id=model_id))
    await _delete(ml, model_id, backoff, gone=model is None, undeploy=undeploy)
    emptied = group_id is not None and await delete_if_empty(ml, group_id, backoff)
    if model is not None:
        report(Progress(phase=Phase.DELETED, name=model.name or "", model_id=model_id))
    return model is not None or emptied


async def withdraw(ml: Client, model_id: str, winner: str | None, backoff: Backoff) -> None:
    """Remove a model that was registered in vain, with the group that was made for it alone. Raises ApiError."""
    stays = await find_model(ml, winner) if winner else None
    mine = await find_model(ml, model_id)
    own_group = bool(mine and stays and mine.model_group_id != stays.model_group_id)
    await remove_model(ml, model_id, empty_group=own_group, backoff=backoff)


def _is_on_a_node(model: Model) -> bool:
    return model.is_deployed or model.model_state in PARTIAL | ON_ITS_WAY


async def _undeploy(ml: Client, model_id: str) -> None:
    with suppress(NotFound):  # somebody else removes it too
        await ml.models.undeploy(model_id)


async def _delete(ml: Client, model_id: str, backoff: Backoff, *, gone: bool, undeploy: bool) -> None:
    for pause in backoff.tries(_LOOKS):
        try:
            await ml.models.delete(model_id)
        except NotFound:
            return  # deleted by the time that we asked, which is what was wanted
        except ApiError as error:
            passes = error.reason.startswith(_PASSING) or error.trouble.kind is Kind.RACE
            if gone and passes:
                return  # what is left of a model that is gone is not worth more than one try
            if pause is None or not passes:
                raise
            await anyio.sleep(pause)
            if undeploy and error.reason.startswith(_ON_NODES):
                await _undeploy(ml, model_id)  # a deployment that was under way put it there again
        else:
            return
