"""Setup that the recordings of agents and tools presuppose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tests.wire.recordings import Exchange

CHAT = {
    "name": "set up to chat",
    "version": 1,
    "protocol": "http",
    "credential": {"key": "secret"},
    "parameters": {"model": "m"},
}
CHAT_BODY = '{ "model": "${parameters.model}", "messages": [{"role": "user", "content": "${parameters.prompt}"}] }'
FLOW = {
    "name": "set up",
    "type": "flow",
    "description": "d",
    "tools": [{"type": "ListIndexTool", "name": "list"}],
    "app_type": "test",
}
AGENT = "/_plugins/_ml/agents"


class Calls(Protocol):
    """The methods of the player that this module uses."""

    names: dict[str, str]
    hosts: Mapping[str, str]

    async def call(self, method: str, path: str, body: Any = None) -> Any: ...


async def before_agents(player: Calls, exchange: Exchange) -> None:
    """Create the models, connectors, agents and tasks that were not recorded."""
    newer = exchange.file == "ml-commons-3.8.0.jsonl"
    if exchange.case == "agents.register_conversational":
        await _chat_model(player)
    if newer and exchange.case == "agents.get":
        agent = await player.call("POST", f"{AGENT}/_register", FLOW)
        player.names[exchange.request.path.rpartition("/")[2]] = agent["agent_id"]
    if newer and exchange.case == "mcp_connector.create":
        await _settings(player, mcp_connector_enabled=True)
    if exchange.case == "agents.execute_async.task_created":
        agent_id = player.names["uChL_KEBzuZ2lzEvKSNm"]
        asked = {"parameters": {"question": "list my indices"}}
        task = await player.call("POST", f"{AGENT}/{agent_id}/_execute?async=true", asked)
        player.names[exchange.request.path.rpartition("/")[2]] = task["task_id"]


async def _chat_model(player: Calls) -> None:
    url = f"http://{player.hosts['localhost:8090']}/v1/chat/completions"
    action = {"action_type": "predict", "method": "POST", "url": url, "request_body": CHAT_BODY}
    made = await player.call("POST", "/_plugins/_ml/connectors/_create", {**CHAT, "actions": [action]})
    player.names["kR13_KEBoYDh1jE4gEM1"] = made["connector_id"]
    model = {"name": "set up to chat", "function_name": "remote", "connector_id": made["connector_id"]}
    made = await player.call("POST", "/_plugins/_ml/models/_register?deploy=true", model)
    player.names["lB13_KEBoYDh1jE4gENq"] = made["model_id"]


async def _settings(player: Calls, **settings: Any) -> None:
    persistent = {f"plugins.ml_commons.{name}": value for name, value in settings.items()}
    await player.call("PUT", "/_cluster/settings", {"persistent": persistent})
