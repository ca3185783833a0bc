"""Creating an index, which another client may do at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomlcommons.errors import BadRequest, NotFound, NotSupported
from aiomlcommons.indices.plugins import lacking

if TYPE_CHECKING:
    from aiomlcommons.client import Client


async def create_index(ml: Client, index: str, body: Mapping[str, Any]) -> bool:
    """Create an index; return False if it exists already.

    Raises NotSupported, with the remedy, if the cluster lacks a plugin that the mapping needs; ApiError.
    """
    try:
        await ml.indices.create(index, **body)
    except BadRequest as error:
        if error.type == "resource_already_exists_exception":
            # Another client created it meanwhile, or the response to the first try was lost.
            return False
        if words := lacking(error):
            raise NotSupported(words) from error
        raise
    return True


async def mappings_of(ml: Client, index: str) -> dict[str, Mapping[str, Any]] | None:
    """Return the mappings of an index, or of each one behind an alias, by name; None if there is none. ApiError."""
    try:
        found = await ml.indices.mapping(index)
    except NotFound:
        return None
    return {name: one.mappings for name, one in found.items()}
