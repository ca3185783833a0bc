"""A chat model behind a connector, for what speaks with one: agents and tools."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiomlcommons import Secret, Session
from aiomlcommons.api.connectors import ConnectorAction

BODY = (
    '{ "model": "${parameters.model}", "messages": ['
    '{"role":"system","content":"${parameters.system_prompt:-Be brief.}"},'
    '${parameters._chat_history:-}{"role":"user","content":"${parameters.prompt}"}${parameters._interactions:-}]'
    "${parameters.tool_configs:-} }"
)


@asynccontextmanager
async def chat_model(ml: Session, name: str, url: str) -> AsyncGenerator[str]:
    """The id of a remote model that has the conversation which agents have; it is gone afterwards."""
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
    model_id = started.model_id
    assert model_id
    try:
        await ml.task(await ml.models.deploy(model_id))
        yield model_id
    finally:
        await ml.models.undeploy(model_id)
        group_id = (await ml.models.get(model_id)).model_group_id
        await ml.models.delete(model_id)
        await ml.connectors.delete(connector.connector_id)
        if group_id:
            await ml.model_groups.delete(group_id)
