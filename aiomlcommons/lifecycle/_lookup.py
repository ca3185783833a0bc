"""Look-up of a model that may be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.api.model_records import Model
from aiomlcommons.errors import NotFound

if TYPE_CHECKING:
    from aiomlcommons.client import Client


async def find_model(ml: Client, model_id: str) -> Model | None:
    """Return the model, or None if it does not exist: searches lag (eventual consistency) and find deleted models."""
    try:
        return await ml.models.get(model_id)
    except NotFound:
        return None
