"""Memory containers for tests, and their contents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons import Session
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.api.memory_containers import MemoryConfiguration
from aiomlcommons.api.memory_documents import MessageInput

ALL: Mapping[str, Any] = {"query": {"match_all": {}}}
TEA = [MessageInput(role="user", content=[{"type": "text", "text": "I like tea"}])]
SPARSE, DENSE = FunctionName.SPARSE_ENCODING, FunctionName.TEXT_EMBEDDING
WITH_SESSIONS = MemoryConfiguration(index_prefix="talks", disable_session=False)


async def made(ml: Session, configuration: MemoryConfiguration | None = None) -> str:
    """Return the id of a new container."""
    return (await ml.memory_containers.create("c", configuration=configuration)).memory_container_id


async def unasked(ml: Session) -> str:
    """Return the id of a model behind a connector, which is never called."""
    connector = CreateConnector("c", version=1, protocol="http", actions=[])
    return (await ml.models.register("llm", function_name="remote", connector=connector)).model_id or ""
