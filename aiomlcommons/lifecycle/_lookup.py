"""A model by its id, where it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.api.model_records import Model
from aiomlcommons.errors import NotFound

if TYPE_CHECKING:
    from aiomlcommons.client import Client


async def find_model(ml: Client, model_id: str) -> Model | None:
    """The model, or None: what a search finds may have been deleted a second ago."""
    try:
        return await ml.models.get(model_id)
    except NotFound:
        return None
