"""A model group by its name."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from aiomlcommons.errors import ApiError, BadRequest, NotFound
from aiomlcommons.models.spec import GroupSpec

if TYPE_CHECKING:
    from aiomlcommons.session import Session

_TAKEN = re.compile(r"already being used by a model group with ID: ([\w-]+)")


async def ensure_group(ml: Session, group: GroupSpec | str) -> str:
    """The id of the model group of this name; it is registered where there is none.

    A group that is there already keeps its access as it is. Raises Forbidden where the user may not register one.
    """
    spec = GroupSpec(name=group) if isinstance(group, str) else group
    if found := await find_group(ml, spec.name):
        return found
    try:
        made = await ml.model_groups.register(
            spec.name,
            description=spec.description,
            access_mode=spec.access_mode,  # type: ignore[arg-type]  # open to words that a later server knows
            backend_roles=spec.backend_roles,
            add_all_backend_roles=spec.add_all_backend_roles,
        )
    except BadRequest as error:
        # Somebody else registered it meanwhile, or it is one that this user cannot see.
        if taken := _TAKEN.search(error.reason):
            return await _usable(ml, taken[1], spec.name)
        raise
    return made.model_group_id


async def find_group(ml: Session, name: str) -> str | None:
    """The id of the model group of this name that the user may see, or None."""
    query = {"term": {"name.keyword": name}}
    found = await ml.model_groups.search({"query": query, "size": 1})
    return next((hit.id for hit in found.hits.hits), None)


async def _usable(ml: Session, group_id: str, name: str) -> str:
    try:
        await ml.model_groups.get(group_id)
    except ApiError as error:
        error.add_note(f"the model group {name!r} is taken by one you may not use: choose another name, or be let in")
        raise
    return group_id


async def delete_if_empty(ml: Session, group_id: str) -> bool:
    """Delete a model group that holds no model; return whether it was. One that is gone already counts."""
    found = await ml.models.search({"query": {"term": {"model_group_id": group_id}}, "size": 1})
    if len(found):
        return False
    with suppress(NotFound):
        await ml.model_groups.delete(group_id)
    return True
