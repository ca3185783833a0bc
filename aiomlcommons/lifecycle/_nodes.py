"""What the nodes have and do, as they say themselves: records outlive a restart, and go on saying what was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiomlcommons.api.model_records import ModelState
from aiomlcommons.api.stats import Profile
from aiomlcommons.api.tasks import TaskType
from aiomlcommons.errors import ApiError, NotSupported

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiomlcommons.client import Client

_READY = {ModelState.DEPLOYED, ModelState.LOADED}
_REGISTERING = {TaskType.REGISTER_MODEL, TaskType.UPLOAD_MODEL}


async def nodes_with(ml: Client, model_id: str) -> set[str] | None:
    """The nodes that have a model ready; None where the user may not know."""
    profile = await _told(ml.profile.models(model_id))
    if profile is None:
        return None
    return {
        node
        for node, has in (profile.nodes or {}).items()
        if (model := (has.models or {}).get(model_id)) is not None and model.model_state in _READY
    }


@attrs.frozen
class Registration:
    """A task that registers a model on some node just now; the model's id comes a little later than the task."""

    task_id: str
    function_name: str
    model_id: str | None


async def registrations(ml: Client) -> list[Registration] | None:
    """What the nodes register just now; None where the user may not know."""
    profile = await _told(ml.profile.tasks())
    if profile is None:
        return None
    return [
        Registration(task_id, str(task.function_name).upper(), task.model_id)
        for node in (profile.nodes or {}).values()
        for task_id, task in (node.tasks or {}).items()
        if task.task_type in _REGISTERING
    ]


async def _told(asked: Awaitable[Profile]) -> Profile | None:
    try:
        return await asked
    except NotSupported:
        return None
    except ApiError as error:
        if error.transient:
            raise
        return None
