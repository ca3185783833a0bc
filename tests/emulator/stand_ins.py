"""What stands for the resources that recordings name and do not show: what acts, by the id that it was recorded with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from tests.emulator.records import ML, Calls, Record, write, written_in
from tests.wire.recordings import Exchange

SAMPLED = {
    "ml-commons-3.8.0.jsonl",
    "ml-commons-3.9.0.jsonl",
    "ml-commons-runs.jsonl",
    "opensearch-3.8.0-neural.jsonl",
    "races-and-restarts.jsonl",
}
READ = re.compile(rf"{ML}/(models|model_groups|connectors|agents|memory|memory_containers)/([^/]+)$")
BERT = {"model_type": "bert", "embedding_dimension": 384, "framework_type": "sentence_transformers"}
HIGHLIGHTER = {"model_type": "sentence_highlighting", "framework_type": "huggingface_transformers", "all_config": "{}"}
EMBED = {
    "action_type": "predict",
    "method": "POST",
    "request_body": '{ "input": ${parameters.input}, "model": "${parameters.model}" }',
    "pre_process_function": "connector.pre_process.openai.embedding",
    "post_process_function": "connector.post_process.openai.embedding",
}
CHAT = {
    "action_type": "predict",
    "method": "POST",
    "request_body": '{ "model": "${parameters.model}", "messages": [{"role":"system","content":"Be brief."},'
    '${parameters._chat_history:-}{"role":"user","content":"${parameters.prompt}"}${parameters._interactions:-}]'
    "${parameters.tool_configs:-} }",
}


def _local(name: str, function: str, config: Record | None = None) -> Record:
    return {"name": name, "algorithm": function, **({"model_config": config} if config else {})}


def _remote(name: str, path: str, action: Record = EMBED) -> Record:
    connector = {
        "name": name,
        "version": 1,
        "protocol": "http",
        "parameters": {"model": "m"},
        "actions": [{**action, "url": f"http://127.0.0.1:8090{path}"}],
    }
    return {"name": name, "algorithm": "REMOTE", "connector": connector}


MODELS: Mapping[str, Record] = {
    # runs: 3.8
    "E0DOF6IBqWaxbMqHkrkU": _local("minilm", "TEXT_EMBEDDING", BERT),
    "CUDOF6IBqWaxbMqHhbnz": _local("dense", "TEXT_EMBEDDING", BERT),
    "C0DOF6IBqWaxbMqHibkW": _local("sparse", "SPARSE_ENCODING"),
    "DUDOF6IBqWaxbMqHi7ks": _local("tokenizer", "SPARSE_TOKENIZE"),
    "EUDOF6IBqWaxbMqHjbnX": _local("highlighter", "QUESTION_ANSWERING", HIGHLIGHTER),
    "C0DSF6IBqWaxbMqHWLoF": _remote("chat", "/v1/chat/completions", CHAT),
    "JUDcF6IBqWaxbMqHZb_1": _remote("llm", "/v1/chat/completions", CHAT),
    "oUDTF6IBqWaxbMqH3Lo4": _remote("provider", "/v1/embeddings"),
}
"""Models that were asked. All of them were deployed."""

OF_CASES: Mapping[str, Mapping[str, Record]] = {}
"""Models that stand for others in single exchanges: their providers were in trouble then."""


async def before_stand_ins(calls: Calls, exchange: Exchange) -> None:
    """Make what an exchange takes for granted: what it names, and what its answer shows."""
    if exchange.file not in SAMPLED:
        return
    for pattern, models in OF_CASES.items():
        if fnmatchcase(exchange.case, pattern):
            for recorded_id, record in models.items():
                calls.names.pop(recorded_id, None)
                await write(calls, "models", recorded_id, record)
    shown = exchange.response.text if exchange.response.status == 200 else ""
    text = exchange.request.path + (exchange.request.body or b"").decode("utf-8", "replace") + shown
    for recorded_id, record in MODELS.items():
        if recorded_id in text and recorded_id not in calls.names:
            await write(calls, "models", recorded_id, record)
    await _before_read(calls, exchange)


async def _before_read(calls: Calls, exchange: Exchange) -> None:
    """What is read must have been written."""
    found = READ.match(exchange.request.path)
    asks = "POST" if found and found[2] == "_search" else "GET"
    if not found or exchange.request.method != asks or exchange.response.status != 200:
        return
    kind, recorded_id = found[1], found[2]
    records: dict[str, Any] = dict(written_in(kind, recorded_id, exchange.response))
    for key, record in records.items():
        await write(calls, kind, key, record)
