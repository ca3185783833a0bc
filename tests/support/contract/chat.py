"""A chat model behind a connector, for tests of agents and tools."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiomlcommons import Session, connectors
from tests.support.contract.undoing import afterwards


@asynccontextmanager
async def chat_model(ml: Session, name: str, url: str) -> AsyncGenerator[str]:
    """Yield the id of a remote model that answers as agents expect; it is removed afterwards."""
    connector = await ml.send(connectors.openai_agent("m", "not a real key", endpoint=url, name=name))
    started = await ml.models.register(name, function_name="remote", connector_id=connector.connector_id)
    model_id = started.model_id or ""
    async with afterwards(
        lambda: ml.models.remove(model_id, empty_group=True), lambda: ml.connectors.delete(connector.connector_id)
    ):
        await ml.models.ensure(model_id)
        yield model_id
