"""Creating an index, which another client may do at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomlcommons.errors import BadRequest, NotFound, NotSupported
from aiomlcommons.indices.plugins import lacking

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# The Faiss of 2.18, which is the default there, says so of cosinesimil.
_NO_SPACE = "does not support space type"


async def create_index(ml: Client, index: str, body: Mapping[str, Any]) -> bool:
    """Create an index; return False if it exists already.

    Raises NotSupported, with the remedy, if the cluster lacks a plugin that the mapping needs, or its engine the space;
    ApiError.
    """
    try:
        await ml.indices.create(index, **body)
    except BadRequest as error:
        if error.type == "resource_already_exists_exception":
            # Another client created it meanwhile, or the response to the first try was lost.
            return False
        if words := lacking(error) or _spaceless(error):
            raise NotSupported(words) from error
        raise
    return True


def _spaceless(error: BadRequest) -> str:
    """Return what to say of an engine that lacks a space, which the server may have chosen itself; else nothing."""
    if _NO_SPACE not in error.reason:
        return ""
    return f"{error.reason.strip(' .;')}: name another engine= (--engine) or space_type= (--space)"


async def mappings_of(ml: Client, index: str) -> dict[str, Mapping[str, Any]] | None:
    """Return the mappings of an index, or of each one behind an alias, by name; None if there is none. ApiError."""
    try:
        found = await ml.indices.mapping(index)
    except NotFound:
        return None
    return {name: one.mappings for name, one in found.items()}
