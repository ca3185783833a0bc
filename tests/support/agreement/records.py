"""Records that existed before a recording shows them: they are created as they were read."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias

import orjson

from aiomlcommons.http import HttpResponse

ML = "/_plugins/_ml"
CONTENT = b"what stands for a model's file"
SECRET = {"key": "secret"}
Record: TypeAlias = Mapping[str, Any]


class Calls(Protocol):
    """The methods of the player that this module uses."""

    names: dict[str, str]
    hosts: Mapping[str, str]

    async def call(self, method: str, path: str, body: Any = None) -> Any: ...


async def write(calls: Calls, kind: str, recorded_id: str, record: Record) -> None:
    """Create a record, unless its id is known, and bring a model into the recorded state."""
    known = calls.names.get(recorded_id)
    if kind == "model_groups" and known is not None:
        # Created for its models, under another name.
        await calls.call("PUT", f"{ML}/model_groups/{known}", _given(record, "name", "description"))
    state = record.get("model_state", "DEPLOYED")
    if known is None or (kind == "models" and await _is_beyond(calls, known, state)):
        calls.names[recorded_id] = await WRITERS[kind](calls, _known(calls, record))
    if kind == "models":
        await bring(calls, calls.names[recorded_id], state)


def written_in(kind: str, recorded_id: str, answer: HttpResponse) -> dict[str, Record]:
    """Return the records in a response by id: the one that was got, or the first hit of a search."""
    body = answer.json()
    if recorded_id == "_search":
        hits = [(hit["_id"], hit["_source"]) for hit in body["hits"]["hits"][:1]]
        return {key: source for key, source in hits if "chunk_number" not in source}
    if not recorded_id:
        return {template["name"]: template for template in body.get("templates", ())}
    # A controller has the id of its model, which must not be taken for its own. An update response is no record.
    own = {"controllers": f"{recorded_id} {body}"}
    return {own.get(kind, recorded_id): body}


LOOKS = 4
STATES = ("REGISTERING", "REGISTERED", "DEPLOYING", "DEPLOY_FAILED", "DEPLOYED", "UNDEPLOYED")


async def _is_beyond(calls: Calls, model_id: str, state: str) -> bool:
    """Return whether a model has left a state for good: only a new deployment brings it back."""
    now = (await calls.call("GET", f"{ML}/models/{model_id}"))["model_state"]
    return (now, state) != ("UNDEPLOYED", "DEPLOYED") and STATES.index(now) > STATES.index(state)


# ---- models --------------------------------------------------------------------------------------------------------


async def bring(calls: Calls, model_id: str, state: str) -> None:
    """Call what brings a model from its state into another one."""
    record = await _settled(calls, model_id, state)
    now, is_local = record["model_state"], record["algorithm"] != "REMOTE"
    if now == state:
        return
    if now == "REGISTERING":
        await calls.call("POST", f"{ML}/models/{model_id}/upload_chunk/0", CONTENT)
        await _leave(calls, model_id, now)
    elif now == "DEPLOYING":
        await _leave(calls, model_id, now)
    elif now == "REGISTERED" or (now == "UNDEPLOYED" and state == "DEPLOYED"):
        started = await calls.call("POST", f"{ML}/models/{model_id}/_deploy")
        if is_local and state != "DEPLOYING":
            await follow(calls, started["task_id"])
    elif now == "DEPLOYED" and state == "UNDEPLOYED":
        await calls.call("POST", f"{ML}/models/{model_id}/_undeploy")
    else:
        raise AssertionError(f"no way from {now} to {state}")
    await bring(calls, model_id, state)


async def _settled(calls: Calls, model_id: str, state: str) -> Record:
    """Return a model's record, polled a few times because it lags, unless it has the wanted state already."""
    record: Record = {}
    for _ in range(LOOKS):
        record = await calls.call("GET", f"{ML}/models/{model_id}")
        if record["model_state"] not in {"REGISTERING", "DEPLOYING"} or record["model_state"] == state:
            break
    return record


async def _leave(calls: Calls, model_id: str, state: str) -> None:
    """Poll until a model's record has another state: it lags."""
    while (await calls.call("GET", f"{ML}/models/{model_id}"))["model_state"] == state:
        pass


async def follow(calls: Calls, task_id: str) -> dict[str, Any]:
    """Poll a task and return its final record."""
    while True:
        task: dict[str, Any] = await calls.call("GET", f"{ML}/tasks/{task_id}")
        if task["state"] in {"COMPLETED", "FAILED"}:
            return task


async def _model(calls: Calls, record: Record) -> str:
    group_id = record.get("model_group_id")
    if group_id is not None and group_id not in calls.names.values():
        calls.names[group_id] = group_id = await _group(calls, {"name": f"of {record['name']}"})
    places = {"model_group_id": group_id} if group_id is not None else {}
    common = _given(record, "name", "description", "model_config", "interface", "guardrails") | places
    made = await (_remote if record["algorithm"] == "REMOTE" else _local)(calls, record, common)
    if "rate_limiter" in record:
        await calls.call("PUT", f"{ML}/models/{made}", _given(record, "rate_limiter"))
    return made


async def _local(calls: Calls, record: Record, common: Record) -> str:
    fails = "DEPLOY_FAILED" in record.get("model_state", "") or record.get("model_content_hash_value") == "0" * 64
    meta = {
        "function_name": record["algorithm"],
        "model_format": record.get("model_format", "TORCH_SCRIPT"),
        "model_content_hash_value": "0" * 64 if fails else hashlib.sha256(CONTENT).hexdigest(),
        "model_content_size_in_bytes": len(CONTENT),
        "total_chunks": record.get("total_chunks", 1),
    }
    made = await calls.call("POST", f"{ML}/models/_register_meta", {**common, **meta})
    return str(made["model_id"])


async def _remote(calls: Calls, record: Record, common: Record) -> str:
    if "connector" in record:
        link: Record = {"connector": _with_secret(calls, record["connector"])}
    else:
        link = _given(record, "connector_id")
    made = await calls.call("POST", f"{ML}/models/_register", {**common, "function_name": "remote", **link})
    return str(made["model_id"])


def _with_secret(calls: Calls, connector: Record) -> Record:
    # URLs of the recorder's providers are replaced by local ones.
    text = {
        **connector,
        "actions": [{**action, "url": _moved(calls, action["url"])} for action in connector["actions"]],
    }
    return {**{k: v for k, v in text.items() if not k.endswith("_time")}, "credential": SECRET}


def _moved(calls: Calls, url: str) -> str:
    for old, new in calls.hosts.items():
        url = url.replace(f"//{old}/", f"//{new}/")
    return url


# ---- the others ----------------------------------------------------------------------------------------------------


async def _group(calls: Calls, record: Record) -> str:
    made = await calls.call("POST", f"{ML}/model_groups/_register", _given(record, "name", "description"))
    return str(made["model_group_id"])


async def _connector(calls: Calls, record: Record) -> str:
    made = await calls.call("POST", f"{ML}/connectors/_create", _with_secret(calls, record))
    return str(made["connector_id"])


async def _agent(calls: Calls, record: Record) -> str:
    body = {name: value for name, value in record.items() if not name.endswith("_time") and name != "is_hidden"}
    made = await calls.call("POST", f"{ML}/agents/_register", body)
    return str(made["agent_id"])


async def _memory(calls: Calls, record: Record) -> str:
    made = await calls.call("POST", f"{ML}/memory", _given(record, "name", "additional_info", "application_type"))
    return str(made["memory_id"])


async def _container(calls: Calls, record: Record) -> str:
    body = _given(record, "name", "description", "configuration")
    made = await calls.call("POST", f"{ML}/memory_containers/_create", body)
    return str(made["memory_container_id"])


async def _controller(calls: Calls, record: Record) -> str:
    model_id = record["model_id"]
    await calls.call("POST", f"{ML}/controllers/{model_id}", _given(record, "user_rate_limiter"))
    return f"the controller of {model_id}"


async def _context(calls: Calls, record: Record) -> str:
    await calls.call("POST", f"{ML}/context_management/{record['name']}", _given(record, "description", "hooks"))
    return str(record["name"])


WRITERS: Mapping[str, Callable[[Calls, Record], Awaitable[str]]] = {
    "models": _model,
    "model_groups": _group,
    "connectors": _connector,
    "agents": _agent,
    "memory": _memory,
    "memory_containers": _container,
    "controllers": _controller,
    "context_management": _context,
}
"""By the segment of a path that names the resource."""


def _known(calls: Calls, record: Record) -> Record:
    """Return a record with recorded ids replaced by those of the emulator."""
    text = orjson.dumps(record).decode()
    for old, new in calls.names.items():
        text = text.replace(old, new)
    known: Record = orjson.loads(text)
    return known


def _given(record: Record, *names: str) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}
