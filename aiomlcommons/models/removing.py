"""A model out of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from aiomlcommons.api.model_records import Model
from aiomlcommons.backoff import Backoff
from aiomlcommons.errors import ApiError, BadRequest, NotFound
from aiomlcommons.models.deploying import ON_ITS_WAY, PARTIAL
from aiomlcommons.models.groups import delete_if_empty
from aiomlcommons.models.progress import Phase, Progress, Report

if TYPE_CHECKING:
    from aiomlcommons.session import Session

_LOOKS = 12
# A model that is still on its way off the nodes, or whose chunks are not all gone: both pass by waiting.
_PASSING = ("Model cannot be deleted in deploying or deployed state", "Model is not all cleaned up")


async def remove_model(
    ml: Session, model_id: str, *, undeploy: bool, empty_group: bool, backoff: Backoff, report: Report
) -> bool:
    """Take a model off the nodes and delete it; return whether there was one."""
    model = await _get(ml, model_id)
    if model is None:
        # The record may be gone and its chunks be left, which deleting once more would clean up.
        await _delete(ml, model_id, backoff, gone=True)
        return False
    if undeploy and _is_on_a_node(model):
        await ml.models.undeploy(model_id)
        report(Progress(phase=Phase.UNDEPLOYED, name=model.name or "", model_id=model_id))
    await _delete(ml, model_id, backoff)
    if empty_group and model.model_group_id:
        await delete_if_empty(ml, model.model_group_id)
    report(Progress(phase=Phase.DELETED, name=model.name or "", model_id=model_id))
    return True


def _is_on_a_node(model: Model) -> bool:
    return model.is_deployed or model.model_state in PARTIAL | ON_ITS_WAY


async def _get(ml: Session, model_id: str) -> Model | None:
    try:
        return await ml.models.get(model_id)
    except NotFound:
        return None


async def _delete(ml: Session, model_id: str, backoff: Backoff, *, gone: bool = False) -> None:
    delays = iter(backoff)
    for last in [False] * (_LOOKS - 1) + [True]:
        try:
            await ml.models.delete(model_id)
        except NotFound:
            return  # deleted by the time that we asked, which is what was wanted
        except ApiError as error:
            # What is left of a model that is gone is not worth more than one try.
            if gone and error.reason.startswith(_PASSING[1]):
                return
            if last or not error.reason.startswith(_PASSING) or (isinstance(error, BadRequest) and gone):
                raise
        else:
            return
        await anyio.sleep(next(delays))
