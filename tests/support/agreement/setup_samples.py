"""Unrecorded calls between the exchanges of recordings that are samples of a longer session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Protocol

import orjson

from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta
from aiomlcommons.api.models import DeployModel
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.errors import HEAP_FULL
from tests.support.agreement.records import ML, bring, follow
from tests.support.agreement.stand_ins import SAMPLED, stand_in
from tests.wire.recordings import Exchange

COLUMNS = ("x", "z", "price")
LIST_TOOL = {
    "type": "ListIndexTool",
    "name": "recorded_list_38",
    "description": "lists",
    "attributes": {"input_schema": {"type": "object", "properties": {}}},
}
MEMORY = {"payload_type", "messages", "structured_data", "namespace", "metadata", "tags"}
PRETRAINED = {"name": "huggingface/sentence-transformers/all-MiniLM-L6-v2", "version": "1.0.2"}


class Calls(Protocol):
    """The methods of the player that this module uses."""

    names: dict[str, str]
    hosts: Mapping[str, str]
    emulated: Emulator

    async def call(self, method: str, path: str, body: Any = None) -> Any: ...


Step = Callable[[Calls, Exchange], Awaitable[None]]


async def before_sample(calls: Calls, exchange: Exchange) -> None:
    """Do what was done just before an exchange."""
    for pattern, step in (STEPS if exchange.file in SAMPLED else BREAKERS).items():
        if fnmatchcase(f"{exchange.case} {exchange.response.status}", pattern):
            await step(calls, exchange)


async def after_sample(calls: Calls, exchange: Exchange) -> None:
    """Remove the faults that were injected for an exchange."""
    calls.emulated.faults.clear()
    calls.emulated.cluster.recovering = 0


def _last(exchange: Exchange) -> str:
    return exchange.request.path.rpartition("/")[2]


def _model(calls: Calls, exchange: Exchange) -> str:
    """Return the model that a path names."""
    return next(calls.names[part] for part in exchange.request.path.split("/") if part in calls.names)


async def _register_tool(calls: Calls, exchange: Exchange) -> None:
    await calls.call("POST", f"{ML}/mcp/tools/_register", orjson.loads(exchange.request.body or b""))


async def _register_first_tool(calls: Calls, _: Exchange) -> None:
    await calls.call("POST", f"{ML}/mcp/tools/_register", {"tools": [LIST_TOOL]})


async def _train(calls: Calls, exchange: Exchange) -> None:
    rows = [[float(i), float(i % 3), 2.5 * i + 1] for i in range(8)]
    values = [{"values": [{"column_type": "DOUBLE", "value": cell} for cell in row]} for row in rows]
    frame = {"column_metas": [{"name": name, "column_type": "DOUBLE"} for name in COLUMNS], "rows": values}
    body = {"parameters": {"target": COLUMNS[-1]}, "input_data": frame}
    made = await calls.call("POST", f"{ML}/_train/linear_regression", body)
    calls.names[_last(exchange)] = made["model_id"]


async def _disable(calls: Calls, exchange: Exchange) -> None:
    await calls.call("PUT", f"{ML}/models/{_model(calls, exchange)}", {"is_enabled": False})


async def _limit(calls: Calls, exchange: Exchange) -> None:
    limiter = {"limit": "1", "unit": "MINUTES"}
    await calls.call("PUT", f"{ML}/models/{_model(calls, exchange)}", {"rate_limiter": limiter})


async def _undeploy(calls: Calls, exchange: Exchange) -> None:
    await calls.call("POST", f"{ML}/models/{_model(calls, exchange)}/_undeploy")


async def _ask_twice(calls: Calls, exchange: Exchange) -> None:
    model_id, kind = (
        _model(calls, exchange),
        "sparse_encoding" if exchange.case == "profile.model" else "text_embedding",
    )
    await bring(calls, model_id, "DEPLOYED")
    for text in ("a", "b"):
        await calls.call("POST", f"{ML}/_predict/{kind}/{model_id}", {"text_docs": [text]})


async def _deploy(calls: Calls, exchange: Exchange) -> None:
    model_id = calls.names[orjson.loads(exchange.response.body)["model_id"]]
    await bring(calls, model_id, "REGISTERED")
    started = await calls.call("POST", f"{ML}/models/{model_id}/_deploy")
    calls.names[_last(exchange)] = started["task_id"]


async def _register_pretrained(calls: Calls, exchange: Exchange) -> None:
    body = {**PRETRAINED, "model_format": "TORCH_SCRIPT"}
    started = await calls.call("POST", f"{ML}/models/_register", body)
    calls.names[_last(exchange)] = started["task_id"]


async def _break_registration(calls: Calls, exchange: Exchange) -> None:
    calls.emulated.faults.fail_task(HEAP_FULL, on=RegisterModel)
    await _register_pretrained(calls, exchange)


async def _follow_training(calls: Calls, _: Exchange) -> None:
    await follow(calls, calls.names["DHTPF6IB4s9rmD3xwSYU"])


async def _trust_artifacts_only(calls: Calls, _: Exchange) -> None:
    where = "^https://artifacts.opensearch.org/.*$"
    await calls.call("PUT", "/_cluster/settings", {"persistent": {"plugins.ml_commons.trusted_url_regex": where}})


async def _begin_batch(calls: Calls, exchange: Exchange) -> None:
    model_id = await stand_in(calls, "mD7gF6IBdjSqpTT2eX9r")
    started = await calls.call("POST", f"{ML}/models/{model_id}/_batch_predict", {"parameters": {"input_file_id": "f"}})
    calls.names[exchange.request.path.split("/")[4]] = started["task_id"]


async def _delete_a_model(calls: Calls, exchange: Exchange) -> None:
    group = await calls.call("POST", f"{ML}/model_groups/_register", {"name": "emptied"})
    meta = {
        "name": "deleted",
        "function_name": "SPARSE_TOKENIZE",
        "model_format": "TORCH_SCRIPT",
        "model_group_id": group["model_group_id"],
        "model_content_hash_value": "0" * 64,
        "total_chunks": 1,
    }
    made = await calls.call("POST", f"{ML}/models/_register_meta", meta)
    await calls.call("POST", f"{ML}/models/{made['model_id']}/upload_chunk/0", b"chunk")
    await calls.call("DELETE", f"{ML}/models/{made['model_id']}")
    calls.names[_last(exchange)] = group["model_group_id"]


async def _restart(calls: Calls, exchange: Exchange) -> None:
    calls.emulated.restart(recovering=1 if "RECOVERING" in exchange.response.text else 2)


async def _restart_in_the_middle(calls: Calls, _: Exchange) -> None:
    calls.emulated.restart(recovering=1)


async def _restarted(calls: Calls, _: Exchange) -> None:
    calls.emulated.restart()


async def _race_of_a_registration(calls: Calls, _: Exchange) -> None:
    calls.emulated.faults.race(on=(RegisterModelMeta, RegisterModel))


async def _race_of_a_deployment(calls: Calls, exchange: Exchange) -> None:
    calls.emulated.faults.race(on=DeployModel)
    if exchange.request.method == "GET":
        await _deploy(calls, exchange)


async def _break_circuit(calls: Calls, _: Exchange) -> None:
    calls.emulated.faults.break_circuit(on=lambda _: True)


async def _fill_heap(calls: Calls, _: Exchange) -> None:
    calls.emulated.faults.break_circuit(heap=True)


async def _begin_empty(calls: Calls, _: Exchange) -> None:
    connector = {"name": "c", "version": 1, "protocol": "http", "credential": {"key": "secret"}}
    made = await calls.call("POST", f"{ML}/connectors/_create", connector)
    await calls.call("DELETE", f"{ML}/connectors/{made['connector_id']}")


async def _switch_templates_on(calls: Calls, _: Exchange) -> None:
    switch = {"plugins.ml_commons.agentic_search_template_enabled": True}
    await calls.call("PUT", "/_cluster/settings", {"persistent": switch})


async def _trust_any_url(calls: Calls, _: Exchange) -> None:
    await calls.call("PUT", "/_cluster/settings", {"persistent": {"plugins.ml_commons.trusted_url_regex": None}})


async def _race_of_a_download(calls: Calls, exchange: Exchange) -> None:
    calls.emulated.faults.race(on=RegisterModel)
    body = {
        "name": "raced",
        "function_name": "SPARSE_TOKENIZE",
        "model_format": "TORCH_SCRIPT",
        "url": f"http://{calls.hosts['localhost:8092/tiny.zip']}",
        "model_content_hash_value": "0" * 64,
    }
    started = await calls.call("POST", f"{ML}/models/_register", body)
    calls.names[_last(exchange)] = started["task_id"]


async def _add_working_memories(calls: Calls, exchange: Exchange) -> None:
    path = f"{ML}/memory_containers/{calls.names['ns7dF6IBTIAThd_SDRb5']}/memories"
    for hit in exchange.response.json()["hits"]["hits"]:
        memory = {name: value for name, value in hit["_source"].items() if name in MEMORY}
        made = await calls.call("POST", path, {**memory, "infer": False})
        calls.names[hit["_id"]] = made["working_memory_id"]


async def _delete_containers(calls: Calls, _: Exchange) -> None:
    found = await calls.call("POST", f"{ML}/memory_containers/_search", {})
    for hit in found["hits"]["hits"]:
        await calls.call("DELETE", f"{ML}/memory_containers/{hit['_id']}")


BREAKERS: Mapping[str, Step] = {
    "*breaker.parent.* 429": _break_circuit,
    "real.parent_breaker *": _break_circuit,
    "plain38.jvm_heap_breaker_6s *": _fill_heap,
}
STEPS: Mapping[str, Step] = {
    "plain38.mcp.register_again *": _register_tool,
    "new39.mcp.register *": _register_first_tool,
    "plain38.predict_linear_regression *": _train,
    "plain38.model_disabled_3s *": _disable,
    "plain38.undeployed_mid_job 400": _undeploy,
    "plain38.profile.models_one *": _ask_twice,
    "plain38.connectors.search *": _begin_empty,
    "new39.template.* [24]0*": _switch_templates_on,
    "stack38.TEXT_EMBEDDING_search_working *": _add_working_memories,
    "stack38.container.search *": _delete_containers,
    "real.compat_2_4.upload_without_hash *": _trust_any_url,
    "real.register_url_task.version_conflict *": _race_of_a_download,
    "new39.stop_* 404": _restart,
    "new39.stop_* 400": _restarted,
    "secure34.batch_* 400": _begin_batch,
    "highlight.deploy.task_completed *": _deploy,
    "hash_mismatch.deploy.task_failed *": _deploy,
    "models.register_pretrained.task_created *": _register_pretrained,
    "profile.model *": _ask_twice,
    "remote.rate_limited_2 *": _limit,
    "remote.predict_disabled *": _disable,
    "tasks.search *": _follow_training,
    "real.url.not_trusted *": _trust_artifacts_only,
    "real.group_delete.*": _delete_a_model,
    "real.search.no_shard_yet.*": _restart_in_the_middle,
    "real.register_meta.version_conflict *": _race_of_a_registration,
    "real.register.group_name_taken *": _race_of_a_registration,
    "real.deploy.version_conflict *": _race_of_a_deployment,
    "real.deploy_task.version_conflict *": _race_of_a_deployment,
    "real.jvm_breaker.deploy_task *": _break_registration,
    **BREAKERS,
}
"""Steps by the name and the status of an exchange."""
