"""Stand-ins for resources that recordings name but do not show, by their recorded ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from tests.support.agreement.records import ML, WRITERS, Calls, Record, write, written_in
from tests.support.provider_examples import EXAMPLES, Example
from tests.support.throttling_provider import WAYS
from tests.wire.recordings import Exchange

SAMPLED = {
    "ml-commons-3.8.0.jsonl",
    "ml-commons-3.9.0.jsonl",
    "ml-commons-runs.jsonl",
    "opensearch-3.8.0-neural.jsonl",
    "races-and-restarts.jsonl",
}
FIRST = {"connectors.search"}
"""Created before all others, so that searches find it first."""
WRITTEN = {"context.get"}
"""Created by an exchange of the recording itself, with a name instead of an id."""
READ = re.compile(rf"{ML}/(\w+)(?:/([^/]+))?$")
BERT = {"model_type": "bert", "embedding_dimension": 384, "framework_type": "sentence_transformers"}
HIGHLIGHTER = {"model_type": "sentence_highlighting", "framework_type": "huggingface_transformers", "all_config": "{}"}
HEADERS = {"Authorization": "Bearer ${credential.key}"}
BATCHES = {
    "action_type": "batch_predict",
    "method": "POST",
    "headers": HEADERS,
    "request_body": '{ "input_file_id": "${parameters.input_file_id}" }',
}
EMBED = {
    "action_type": "predict",
    "method": "POST",
    "headers": HEADERS,
    "request_body": '{ "input": ${parameters.input}, "model": "${parameters.model}" }',
    "pre_process_function": "connector.pre_process.openai.embedding",
    "post_process_function": "connector.post_process.openai.embedding",
}
CHAT = {
    "action_type": "predict",
    "method": "POST",
    "headers": HEADERS,
    "request_body": '{ "model": "${parameters.model}", "messages": [{"role":"system","content":"Be brief."},'
    '${parameters._chat_history:-}{"role":"user","content":"${parameters.prompt}"}${parameters._interactions:-}]'
    "${parameters.tool_configs:-} }",
}


SPARSE_MEMORY = {
    "index_prefix": "sparse",
    "embedding_model_id": "4s7TF6IBTIAThd_SuRUn",
    "embedding_model_type": "SPARSE_ENCODING",
}
UNFINISHED = {"model_state": "REGISTERING", "model_content_hash_value": "0" * 64}


def _local(name: str, function: str, config: Record | None = None) -> dict[str, Any]:
    return {"name": name, "algorithm": function, **({"model_config": config} if config else {})}


def _remote(name: str, path: str, action: Record = EMBED) -> dict[str, Any]:
    connector = {
        "name": name,
        "version": 1,
        "protocol": "http",
        "parameters": {"model": "m"},
        "actions": [{**action, "url": f"http://127.0.0.1:8090{path}"}],
    }
    return {"name": name, "algorithm": "REMOTE", "connector": connector}


def _says(status: int, words: str) -> Record:
    return _remote("provider", f"/says/{status}?words={quote(words)}")


def _example(example: Example) -> tuple[int, str]:
    return example.status, example.body


PROVIDERS = {
    "sagemaker_wraps_429": _example(WAYS["SageMaker, a container of TEI"]),
    "openai_quota": _example(EXAMPLES["OpenAI: insufficient_quota"]),
    "gemini_key": _example(EXAMPLES["Gemini: API_KEY_INVALID"]),
    "azure_deployment": _example(EXAMPLES["Azure OpenAI: DeploymentNotFound"]),
    "bedrock_too_long": _example(EXAMPLES["Bedrock: 400 Bad Request: Too many input tokens"]),
    "says_nothing_401": (401, ""),
    "payment_402": _example(EXAMPLES["DeepSeek: Insufficient Balance"]),
    "vector_with_null": (200, '{"data":[{"embedding":[1.0,null]}]}'),
    "vector_with_nan": (200, '{"data":[{"embedding":[1.0,NaN]}]}'),
    "vector_of_strings": (200, '{"data":[{"embedding":["1.0","2.0"]}]}'),
    "vectors_too_few": (200, '{"data":[]}'),
    "vectors_of_two_dimensions": (200, '{"data":[{"embedding":[1.0]},{"embedding":[1.0,2.0]}]}'),
}
"""What a provider said in the exchanges ``plain38.provider.*``: status and body."""


def _agent(kind: str, model_id: str) -> Record:
    """Return an agent that lists indices with the help of a model."""
    return {
        "name": kind,
        "type": kind,
        "llm": {"model_id": model_id, "parameters": {"prompt": "${parameters.question}", "max_iteration": "3"}},
        "tools": [{"type": "ListIndexTool"}],
        "parameters": {"_llm_interface": "openai/v1/chat/completions"},
        "memory": {"type": "conversation_index"},
        "app_type": "r2",
    }


FLOW: Record = {
    "name": "asks a model",
    "type": "flow",
    "tools": [
        {
            "type": "MLModelTool",
            "name": "llm",
            "parameters": {
                "model_id": "EnTPF6IB4s9rmD3xxCYS",
                "response_field": "choices",
                "prompt": "${parameters.question}",
            },
        }
    ],
}
MODELS: Mapping[str, Record] = {
    "E0DOF6IBqWaxbMqHkrkU": _local("minilm", "TEXT_EMBEDDING", BERT),
    "CUDOF6IBqWaxbMqHhbnz": _local("dense", "TEXT_EMBEDDING", BERT),
    "C0DOF6IBqWaxbMqHibkW": _local("sparse", "SPARSE_ENCODING"),
    "DUDOF6IBqWaxbMqHi7ks": _local("tokenizer", "SPARSE_TOKENIZE"),
    "EUDOF6IBqWaxbMqHjbnX": _local("highlighter", "QUESTION_ANSWERING", HIGHLIGHTER),
    "C0DSF6IBqWaxbMqHWLoF": _remote("chat", "/v1/chat/completions", CHAT),
    "JUDcF6IBqWaxbMqHZb_1": _remote("llm", "/v1/chat/completions", CHAT),
    "oUDTF6IBqWaxbMqH3Lo4": _remote("provider", "/v1/embeddings"),
    "Hf7dF6IBYlOhiF0OmDSQ": _remote("provider", "/v1/embeddings"),
    "xHTdF6IB4s9rmD3xmCaK": _remote("provider", "/v1/embeddings"),
    "uHTaF6IB4s9rmD3xPiZD": _local("sparse", "SPARSE_ENCODING"),
    "mD7gF6IBdjSqpTT2eX9r": _remote("batches", "/openai/v1/batches", BATCHES),
    "3c7RF6IBTIAThd_SAhUn": _local("dense", "TEXT_EMBEDDING", BERT),
    "5c7TF6IBTIAThd_SuhXG": _local("tokenizer", "SPARSE_TOKENIZE"),
    "6M7TF6IBTIAThd_SuxXg": _local("cross encoder", "TEXT_SIMILARITY", BERT),
    "20DdF6IBqWaxbMqHyL_x": _remote("raced", "/v1/embeddings") | {"model_state": "REGISTERED"},
    "ekDQF6IBqWaxbMqHhLmr": _local("raced", "TEXT_EMBEDDING", BERT) | {"model_state": "REGISTERED"},
    "jEDTF6IBqWaxbMqHrrp8": _local("whole", "TEXT_EMBEDDING", BERT),
    "tnTaF6IB4s9rmD3xOyZH": _local("dense", "TEXT_EMBEDDING", BERT),
    "4s7TF6IBTIAThd_SuRUn": _local("sparse", "SPARSE_ENCODING"),
    "7XTPF6IB4s9rmD3xcCXb": _local("recorded tokenizer", "SPARSE_TOKENIZE") | {"model_state": "REGISTERED"},
    "73TPF6IB4s9rmD3xciVj": _local("recorded sparse", "SPARSE_ENCODING"),
    "8XTPF6IB4s9rmD3xdyVh": _local("recorded dense", "TEXT_EMBEDDING", BERT),
    "9XTPF6IB4s9rmD3xqyUw": _local("recorded mismatch", "SPARSE_TOKENIZE") | UNFINISHED,
    "-HTPF6IB4s9rmD3xrCXJ": _local("recorded partial", "SPARSE_TOKENIZE") | UNFINISHED | {"total_chunks": 3},
}
"""Models that were called. All of them were deployed, unless stated otherwise."""

STREAMED = "B_7TF6IBYlOhiF0O2zTd"
AGENTS: Mapping[str, Record] = {
    "MXTQF6IB4s9rmD3xGCYz": FLOW,
    "D0DSF6IBqWaxbMqHWrpb": _agent("conversational", "C0DSF6IBqWaxbMqHWLoF"),
    "HkDSF6IBqWaxbMqHXLr9": _agent("plan_execute_and_reflect", "C0DSF6IBqWaxbMqHWLoF"),
    "F_7XF6IBYlOhiF0OaDRC": _agent("plan_execute_and_reflect", STREAMED),
    "Cf7WF6IBYlOhiF0OdTTR": _agent("conversational", STREAMED),
    "H_7dF6IBYlOhiF0OmTT9": _agent("ag_ui", STREAMED),
    "K_7eF6IBYlOhiF0OkDQ8": _agent("ag_ui", STREAMED),
}
"""Agents that were executed."""

OTHERS: Mapping[str, tuple[str, Record]] = {
    "20DRF6IBqWaxbMqH9bkD": ("model_groups", {"name": "raced"}),
    "fkDeF6IBqWaxbMqHb8Bm": ("connectors", _remote("raced", "/v1/embeddings")["connector"]),
    "D3TPF6IB4s9rmD3xwybD": ("connectors", _remote("chat", "/v1/chat/completions", CHAT)["connector"]),
    "GHTPF6IB4s9rmD3xzyZw": ("memory", {"name": "recorded conversation"}),
    "M3TQF6IB4s9rmD3xZyZh": ("memory_containers", {"name": "recorded"}),
    "uM7dF6IBTIAThd_SFRY9": ("memory_containers", {"name": "sparse", "configuration": SPARSE_MEMORY}),
    "ns7dF6IBTIAThd_SDRb5": ("memory_containers", {"name": "text", "configuration": {"index_prefix": "text"}}),
    "LP7eF6IBYlOhiF0OkDRj": ("memory", {"name": "a thread"}),
}
"""Other resources, with the type of each."""

OF_CASES: Mapping[str, Mapping[str, Record]] = {
    "plain38.remote_bedrock_3s": {"oUDTF6IBqWaxbMqH3Lo4": _remote("provider", "/throttles/429")},
    "plain38.remote_html502_3s": {"oUDTF6IBqWaxbMqH3Lo4": _says(502, "<html><body>502 Bad Gateway</body></html>")},
    "plain38.remote_503_3s": {"oUDTF6IBqWaxbMqH3Lo4": _says(503, '{"error": {"message": "overloaded"}}')},
    "plain38.remote_401_3s": {"oUDTF6IBqWaxbMqH3Lo4": _says(401, '{"error": {"message": "bad key"}}')},
    "plain38.provider.sagemaker_throttles": {"oMLfGaIB1KhvgqagrHgk": _remote("provider", "/throttles/400")},
    **{f"plain38.provider.{case}": {"oMLfGaIB1KhvgqagrHgk": _says(*said)} for case, said in PROVIDERS.items()},
    "stream38.*": {STREAMED: _remote("r2 schat", "/proverb/v1/chat/completions", CHAT)},
    "stream38.*_tool": {STREAMED: _remote("chat", "/tool/v1/chat/completions", CHAT)},
    "stream38.*_500": {STREAMED: _remote("chat", "/boom/v1/chat/completions", CHAT)},
    "stream38.*_cut": {STREAMED: _remote("chat", "/cut/v1/chat/completions", CHAT)},
}
"""Models that stand in for others in single exchanges, in which their providers failed."""


async def before_stand_ins(calls: Calls, exchange: Exchange) -> None:
    """Create what an exchange presupposes: what it names, and what its response shows."""
    if exchange.file not in SAMPLED:
        return
    models = dict(MODELS)
    for pattern, troubled in OF_CASES.items():
        if fnmatchcase(exchange.case, pattern):
            models |= troubled
            for key in (*troubled, *AGENTS):
                calls.names.pop(key, None)
    shown = exchange.response.text if exchange.response.status == 200 else ""
    text = exchange.request.path + (exchange.request.body or b"").decode("utf-8", "replace") + shown
    agents = {key: record for key, record in AGENTS.items() if key in text}
    others = {key: other for key, other in OTHERS.items() if key in text}
    await _make(calls, "models", models, f"{text}{agents}{others}")
    await _make(calls, "agents", agents, text)
    for key, (kind, record) in others.items():
        await _make(calls, kind, {key: record}, text)
    await _before_read(calls, exchange)


async def stand_in(calls: Calls, recorded_id: str) -> str:
    """Return the model that stands in for another one."""
    if recorded_id not in calls.names:
        await write(calls, "models", recorded_id, MODELS[recorded_id])
    return calls.names[recorded_id]


async def _make(calls: Calls, kind: str, records: Mapping[str, Record], text: str) -> None:
    for key, record in records.items():
        if key in text and key not in calls.names:
            await write(calls, kind, key, record)


async def _before_read(calls: Calls, exchange: Exchange) -> None:
    """Create what the exchange reads."""
    found = READ.match(exchange.request.path)
    if not found or found[1] not in WRITERS or exchange.response.status != 200:
        return
    kind, recorded_id = found[1], found[2] or ""
    if exchange.request.method != "GET" and recorded_id != "_search":
        return
    if exchange.case in WRITTEN:
        return
    records: dict[str, Any] = dict(written_in(kind, recorded_id, exchange.response))
    for key, record in records.items():
        await write(calls, kind, key, record)
