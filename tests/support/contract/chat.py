"""A chat model behind a connector, for tests of agents and tools."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiomlcommons import Secret, Session
from aiomlcommons.api.connectors import ConnectorAction
from tests.support.contract.undoing import afterwards

BODY = (
    '{ "model": "${parameters.model}", "messages": ['
    '{"role":"system","content":"${parameters.system_prompt:-Be brief.}"},'
    '${parameters._chat_history:-}{"role":"user","content":"${parameters.prompt}"}${parameters._interactions:-}]'
    "${parameters.tool_configs:-} }"
)


@asynccontextmanager
async def chat_model(ml: Session, name: str, url: str) -> AsyncGenerator[str]:
    """Yield the id of a remote model that answers as agents expect; it is removed afterwards."""
    connector = await ml.connectors.create(
        name,
        version=1,
        protocol="http",
        parameters={"model": "m"},
        credential={"key": Secret("not a real key")},
        actions=[
            ConnectorAction(
                action_type="predict",
                method="POST",
                url=f"{url}/v1/chat/completions",
                headers={"Authorization": "Bearer ${credential.key}"},
                request_body=BODY,
            )
        ],
    )
    started = await ml.models.register(name, function_name="remote", connector_id=connector.connector_id)
    model_id = started.model_id or ""
    async with afterwards(
        lambda: ml.models.remove(model_id, empty_group=True), lambda: ml.connectors.delete(connector.connector_id)
    ):
        await ml.models.ensure(model_id)
        yield model_id
