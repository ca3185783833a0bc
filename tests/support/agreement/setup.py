"""Setup that the recordings presuppose: resources and settings that were created without being recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from aiomlcommons.http import HttpRequest
from tests.support.agreement.recorded_servers import OLD, RecordedServer
from tests.support.agreement.setup_agents import before_agents
from tests.support.agreement.stand_ins import SAMPLED
from tests.wire.recordings import Exchange

PADDED = {"chunk.too_large": 10_000_001}
"""The length of truncated bodies, where it matters."""
UNRECORDED = b"a chunk that was uploaded and not recorded"
CONFIG = {"model_type": "bert", "embedding_dimension": 384, "framework_type": "sentence_transformers"}
CONNECTOR = {
    "name": "set up",
    "version": 1,
    "description": "d",
    "protocol": "http",
    "credential": {"key": "secret"},
    "parameters": {"model": "m"},
}
ACTION = {
    "action_type": "predict",
    "method": "POST",
    "headers": {"Authorization": "Bearer ${credential.key}"},
    "request_body": '{ "input": ${parameters.input}, "model": "${parameters.model}" }',
    "pre_process_function": "connector.pre_process.openai.embedding",
    "post_process_function": "connector.post_process.openai.embedding",
}
MESSAGES = [{"role": "user", "content": [{"text": "I like tea", "type": "text"}]}]
FIRST_OF_NEWER = "ih12_KEBoYDh1jE4qEOI"
SETTINGS = {
    "only_run_on_ml_node": False,
    "allow_registering_model_via_url": True,
    "allow_registering_model_via_local_file": True,
    "connector.private_ip_enabled": True,
    "trusted_connector_endpoints_regex": ["^http://localhost:.*$", "^http://127.0.0.1:.*$"],
}
OLD_SETTINGS = {"only_run_on_ml_node": False}


class Calls(Protocol):
    """The methods of the player that this module uses."""

    names: dict[str, str]
    hosts: Mapping[str, str]

    async def call(self, method: str, path: str, body: Any = None) -> Any: ...


async def before_file(player: Calls, file: str, server: RecordedServer) -> None:
    """Create what existed when the recording of a file started."""
    if file == "ml-commons-3.4.0.jsonl":
        return  # it starts with its own settings, on an empty cluster
    await _settings(player, **(OLD_SETTINGS if server == OLD else SETTINGS), **dict.fromkeys(server.switches, True))
    if file == "ml-commons-3.4.0-models.jsonl":
        await _old_failures(player)
    elif file == "ml-commons-3.4.0-faults.jsonl":
        await _faulty_models(player)


async def before_case(player: Calls, exchange: Exchange) -> None:
    """Do what was done, unrecorded, just before an exchange."""
    if exchange.case == "no_ml_node.deploy":
        await _settings(player, only_run_on_ml_node=True)
    if exchange.case == "remote_fault.read_timeout":
        await _settings(player, only_run_on_ml_node=False)
    if exchange.case == "model_groups.delete":
        group = await player.call("POST", "/_plugins/_ml/model_groups/_register", {"name": "to be deleted"})
        player.names[exchange.request.path.rpartition("/")[2]] = group["model_group_id"]
    if exchange.case == "profile.all" and exchange.file != "ml-commons-2.4.1.jsonl":
        await _what_was_counted(player)
    if exchange.case == "controllers.get_missing":
        await player.call("DELETE", translated(player, exchange.request.path))
    await _memories(player, exchange)
    await before_agents(player, exchange)


async def _memories(player: Calls, exchange: Exchange) -> None:
    """Create or change memories and containers that were not recorded."""
    newer = exchange.file == "ml-commons-3.8.0.jsonl"
    if newer and exchange.case == "memory.get":
        memory = await player.call("POST", "/_plugins/_ml/memory", {"name": "set up"})
        player.names[exchange.request.path.rpartition("/")[2]] = memory["memory_id"]
    if exchange.case == "containers.semantic_without_model":
        container = await player.call("POST", "/_plugins/_ml/memory_containers/_create", {"name": "set up"})
        player.names[exchange.request.path.split("/")[4]] = container["memory_container_id"]
    if exchange.case == "containers.search_working":
        await _working_memories(player, translated(player, exchange.request.path).partition("/working")[0], newer=newer)


async def _working_memories(player: Calls, path: str, *, newer: bool) -> None:
    """Update the first of two working memories, so that a search finds it after the second one."""
    if newer:
        said = {"messages": MESSAGES, "metadata": {"m": "1"}, "tags": {"t": "1"}, "namespace": {"user_id": "u1"}}
        first = await player.call("POST", path, {**said, "payload_type": "conversational"})
        data = {"structured_data": {"x": 1}, "namespace": {"user_id": "u1"}, "payload_type": "data"}
        second = await player.call("POST", path, data)
        player.names |= {
            FIRST_OF_NEWER: first["working_memory_id"],
            "ix12_KEBoYDh1jE4qEOR": second["working_memory_id"],
        }
    changed = player.names[FIRST_OF_NEWER if newer else "xChL_KEBzuZ2lzEvMiPR"]
    await player.call("PUT", f"{path}/working/{changed}", {"tags": {"t": "2"}})


async def after_case(player: Calls, exchange: Exchange, rows: list[Exchange]) -> None:
    """Do what was done, unrecorded, just after an exchange: upload the chunks between the first and the last one."""
    chunks = _chunks(exchange, rows)
    if chunks is None:
        return
    total = orjson.loads(exchange.request.body or b"{}").get("total_chunks", 0)
    model_id = player.names.get(exchange.response.json().get("model_id", ""))
    for number in set(range(total)) - chunks.keys():
        await player.call("POST", f"/_plugins/_ml/models/{model_id}/upload_chunk/{number}", UNRECORDED)


def with_true_hash(exchange: Exchange, rows: list[Exchange]) -> bytes | None:
    """Return the body of a registration with the hash of what will be uploaded: chunks were recorded truncated."""
    body = exchange.request.body
    if exchange.case in PADDED:
        return (body or b"").ljust(PADDED[exchange.case], b"P")
    chunks = _chunks(exchange, rows)
    if body is None or chunks is None:
        return body
    keys = orjson.loads(body)
    if set(keys["model_content_hash_value"]) == {"0"}:
        return body  # intentionally wrong
    whole = b"".join(chunks.get(number, UNRECORDED) for number in range(keys["total_chunks"]))
    return orjson.dumps({**keys, "model_content_hash_value": hashlib.sha256(whole).hexdigest()})


def _chunks(exchange: Exchange, rows: list[Exchange]) -> dict[int, bytes] | None:
    """Return the recorded chunks of the model that an exchange registered; None where there are none."""
    if not exchange.request.path.endswith(("/_register_meta", "/models/meta")) or exchange.response.status >= 400:
        return None
    starts = [f"/models/{exchange.response.json()['model_id']}/{word}/" for word in ("upload_chunk", "chunk")]
    sent = [row.request for row in rows if row.response.status < 400 and any(s in row.request.path for s in starts)]
    found = {int(request.path.rpartition("/")[2]): request.body or b"" for request in sent}
    # A sample may lack all of them.
    return found if found or exchange.file in SAMPLED else None


async def _settings(player: Calls, **settings: Any) -> None:
    persistent = {f"plugins.ml_commons.{name}": value for name, value in settings.items()}
    await player.call("PUT", "/_cluster/settings", {"persistent": persistent})


async def _model(player: Calls, name: str, function: str, total: int, *, upload: bool = True) -> dict[str, str]:
    content = b"chunk" * total
    meta = {
        "name": name,
        "version": "1",
        "model_format": "TORCH_SCRIPT",
        "function_name": function,
        "model_content_hash_value": hashlib.sha256(content).hexdigest(),
        "model_content_size_in_bytes": len(content),
        "total_chunks": total,
        **({"model_config": CONFIG} if function == "TEXT_EMBEDDING" else {}),
    }
    made = await player.call("POST", "/_plugins/_ml/models/_register_meta", meta)
    for number in range(total if upload else 0):
        await player.call("POST", f"/_plugins/_ml/models/{made['model_id']}/upload_chunk/{number}", b"chunk")
    found: dict[str, str] = await player.call("GET", f"/_plugins/_ml/models/{made['model_id']}")
    return {"model_id": made["model_id"], "model_group_id": found["model_group_id"]}


async def _old_failures(player: Calls) -> None:
    """Create the failed tasks of the recorder's cluster with which a page of search results starts."""
    for name in ("old tokenizer", "old encoder"):
        made = await _model(player, name, "SPARSE_ENCODING", 1, upload=False)
        started = await player.call("POST", f"/_plugins/_ml/models/{made['model_id']}/_deploy")
        await _follow(player, started["task_id"])


async def _follow(player: Calls, task_id: str) -> dict[str, Any]:
    while True:
        task: dict[str, Any] = await player.call("GET", f"/_plugins/_ml/tasks/{task_id}")
        if task["state"] in {"COMPLETED", "FAILED"}:
            return task


async def _what_was_counted(player: Calls) -> None:
    """Reproduce the recorder's statistics: finished tasks, calls of the highlighter, a failed pretrained model."""
    query = {"query": {"terms": {"state": ["CREATED", "RUNNING"]}}, "size": 100}
    found = await player.call("POST", "/_plugins/_ml/tasks/_search", query)
    for hit in found["hits"]["hits"]:
        await _follow(player, hit["_id"])
    highlighter = translated(player, "/_plugins/_ml/_predict/question_answering/lShL_KEBzuZ2lzEvDyPp")
    await player.call("POST", highlighter, {"question": "a", "context": "a b. c d."})
    body = {"name": "huggingface/nobody/has-this", "version": "1.0.2", "model_format": "TORCH_SCRIPT"}
    started = await player.call("POST", "/_plugins/_ml/models/_register", body)
    await _follow(player, started["task_id"])


async def _faulty_models(player: Calls) -> None:
    tokenizer = await _model(player, "faults tokenizer", "SPARSE_TOKENIZE", 1)
    dense = await _model(player, "faults dense", "TEXT_EMBEDDING", 9)
    names = player.names
    names |= {"St9g_KEB-Y5IeSrTVqlR": tokenizer["model_id"], "Sd9g_KEB-Y5IeSrTVqkz": tokenizer["model_group_id"]}
    names |= {"TN9g_KEB-Y5IeSrTV6nA": dense["model_id"], "S99g_KEB-Y5IeSrTV6mu": dense["model_group_id"]}
    names["VN9g_KEB-Y5IeSrTf6kk"] = await _remote(player, "localhost:8090", {"read_timeout": 1})
    names["Xt9g_KEB-Y5IeSrTvqm3"] = await _remote(player, "localhost:8091", {})


async def _remote(player: Calls, recorded: str, client_config: Mapping[str, int]) -> str:
    url = f"http://{player.hosts[recorded]}/v1/embeddings"
    connector = {**CONNECTOR, "client_config": client_config, "actions": [{**ACTION, "url": url}]}
    body = {"name": f"remote {recorded}", "function_name": "remote", "connector": connector}
    made = await player.call("POST", "/_plugins/_ml/models/_register?deploy=true", body)
    return str(made["model_id"])


def translated(player: Calls, path: str) -> str:
    """Return a recorded path with the ids of the emulator."""
    for old, new in player.names.items():
        path = path.replace(old, new)
    return path


def whole_path(request: HttpRequest) -> str:
    """Return path and query as they were sent."""
    query = "&".join(f"{name}={value}" for name, value in request.query.items())
    return request.path + (f"?{query}" if query else "")
