"""The actual state of the nodes, from the profile API: records in the index survive a restart and may be stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiomlcommons.api.model_records import DEPLOYED
from aiomlcommons.api.stats import Profile
from aiomlcommons.api.tasks import TaskType
from aiomlcommons.errors import ApiError, NotSupported

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiomlcommons.client import Client

_REGISTERING = {TaskType.REGISTER_MODEL, TaskType.UPLOAD_MODEL}


async def nodes_with(ml: Client, model_id: str) -> set[str] | None:
    """Return the nodes that have loaded a model; None if the user may not read the profile."""
    profile = await _profile_or_none(ml.profile.models(model_id))
    if profile is None:
        return None
    return {
        node
        for node, has in (profile.nodes or {}).items()
        if (model := (has.models or {}).get(model_id)) is not None and model.model_state in DEPLOYED
    }


@attrs.frozen
class RunningRegistration:
    """A registration task that a node is running; ``model_id`` is None until the model's record has been created."""

    task_id: str
    function_name: str
    model_id: str | None


async def registrations(ml: Client) -> list[RunningRegistration] | None:
    """Return the registrations that nodes are running; None if the user may not read the profile."""
    profile = await _profile_or_none(ml.profile.tasks())
    if profile is None:
        return None
    return [
        RunningRegistration(task_id, str(task.function_name).upper(), task.model_id)
        for node in (profile.nodes or {}).values()
        for task_id, task in (node.tasks or {}).items()
        if task.task_type in _REGISTERING
    ]


async def _profile_or_none(call: Awaitable[Profile]) -> Profile | None:
    try:
        return await call
    except NotSupported:
        return None
    except ApiError as error:
        if error.transient:
            raise
        return None
