"""The responses of the replay server, as bytes that a real server of version 3.8 would send.

What a name asks for is in the name itself: the model ``local-384`` is a local one of 384 dimensions, ``remote-384`` one
of a provider, ``json-384`` the same on a server that answers in JSON whatever is accepted, and the index
``documents-384`` has a vector field of 384 dimensions. So the server has no state, and may be several processes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import cbor2
import numpy as np
import numpy.typing as npt
import orjson

CBOR, JSON = b"application/cbor", b"application/json; charset=UTF-8"
LOCAL, REMOTE, REMOTE_JSON = "local", "remote", "json"
TASK_ID, UUID = "t4oRx5sBfWJjFPYd3fHa", "u1uVjWq8RZ2bOa5rV4mJ2A"

Handler = Callable[[bytearray, int, int], bytes]
"""Returns the whole response to a request, whose body lies in a buffer from a start to an end."""


def response(body: bytes, content_type: bytes = JSON) -> bytes:
    """Return a response as it travels."""
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (content_type, len(body), body)


def vectors(count: int, dimension: int) -> npt.NDArray[np.float32]:
    """Return the embeddings that every prediction of so many texts has: unit vectors of random directions."""
    numbers = np.random.default_rng(dimension).standard_normal((count, dimension))
    unit: npt.NDArray[np.float32] = (numbers / np.linalg.norm(numbers, axis=1, keepdims=True)).astype("f4")
    return unit


@cache
def embeddings(kind: str, count: int, dimension: int) -> bytes:
    """Return the response to a prediction: bytes of a local model, or numbers of a provider, rounded as OpenAI does."""
    results: list[dict[str, object]]
    if kind == LOCAL:
        results = [{"output": [_of_bytes(row.tobytes(), dimension)]} for row in vectors(count, dimension)]
    else:
        numbers = vectors(count, dimension).astype("f8").round(9).tolist()
        results = [{"output": [_of_numbers(row) for row in numbers], "status_code": 200}]
    data = {"inference_results": results}
    if kind == REMOTE_JSON:
        return response(orjson.dumps(data), JSON)
    # Of indefinite length, as Jackson writes containers, with numbers as float64.
    return response(cbor2.dumps(data, indefinite_containers=True), CBOR)


def _of_bytes(array: bytes, dimension: int) -> dict[str, object]:
    buffer = {"array": array, "order": "LITTLE_ENDIAN"}
    return {"name": "sentence_embedding", "data_type": "FLOAT32", "shape": [dimension], "byte_buffer": buffer}


def _of_numbers(row: list[float]) -> dict[str, object]:
    return {"name": "sentence_embedding", "data_type": "FLOAT32", "shape": [len(row)], "data": row}


def predict(kind: str, dimension: str) -> Handler:
    """Answer predictions with an embedding for each text."""
    size = int(dimension)
    return lambda room, start, end: embeddings(kind, len(orjson.loads(memoryview(room)[start:end])["text_docs"]), size)


@cache
def _accepted(count: int) -> bytes:
    item = {"_index": "documents", "_id": "d1234567", "_version": 1, "result": "created", "_seq_no": 1234567}
    item |= {"_shards": {"total": 1, "successful": 1, "failed": 0}, "_primary_term": 1, "status": 201}
    return response(orjson.dumps({"took": 5, "errors": False, "items": [{"index": item}] * count}))


def bulk() -> Handler:
    """Accept all documents of a request at once; two lines are a document."""
    return lambda room, start, end: _accepted(room.count(b"\n", start, end) // 2)


def constant(data: object) -> Handler:
    """Answer every request with the same JSON."""
    whole = response(orjson.dumps(data))
    return lambda *_: whole


def model(name: str, kind: str, dimension: str) -> Handler:
    """Answer with a deployed model."""
    record: dict[str, object] = {"name": name, "model_group_id": "g1", "model_version": "1", "model_state": "DEPLOYED"}
    record |= {"algorithm": "REMOTE", "connector_id": "c1"} if kind != LOCAL else {"algorithm": "TEXT_EMBEDDING"}
    if kind == LOCAL:
        settings = {
            "model_type": "bert",
            "embedding_dimension": int(dimension),
            "framework_type": "SENTENCE_TRANSFORMERS",
        }
        record |= {"model_format": "TORCH_SCRIPT", "model_content_hash_value": "c" * 64, "model_config": settings}
    record |= {"planning_worker_node_count": 1, "current_worker_node_count": 1, "planning_worker_nodes": ["n1"]}
    return constant(record | {"created_time": 1764236400000, "last_updated_time": 1764236401000})


def mapping(index: str, dimension: str) -> Handler:
    """Answer with an index whose vectors have so many dimensions."""
    field = {"type": "knn_vector", "dimension": int(dimension)}
    return constant({index: {"mappings": {"properties": {"embedding": field, "text": {"type": "text"}}}}})


def routes(version: str) -> dict[re.Pattern[str], Callable[..., Handler]]:
    """Return who answers which requests: patterns of ``METHOD path``, whose groups are the arguments."""
    about = {"name": "n1", "cluster_name": "replay", "cluster_uuid": UUID, "tagline": "The OpenSearch Project"}
    about |= {"version": {"distribution": "opensearch", "number": version}}  # type: ignore[dict-item]
    nodes = {"n1": {"roles": ["data", "ml"], "os": {"allocated_processors": 8}}}
    task = {"task_id": TASK_ID, "task_type": "DEPLOY_MODEL", "function_name": "TEXT_EMBEDDING", "state": "COMPLETED"}
    task |= {"model_id": "local-384", "worker_node": ["n1"], "create_time": 1764236400000, "is_async": True}  # type: ignore[dict-item]
    deployed = {"model_state": "DEPLOYED", "worker_nodes": ["n1"]}
    shards: dict[str, object] = {"_shards": {"total": 1, "successful": 1, "failed": 0}}
    hits = {"took": 1, "timed_out": False, **shards, "hits": {"total": {"value": 0, "relation": "eq"}, "hits": []}}
    own = {"uuid": UUID, "knn": "true", "number_of_shards": "1"}
    table: dict[str, Callable[..., Handler]] = {
        r"GET /": lambda: constant(about),
        r"GET /_nodes.*": lambda: constant({"cluster_name": "replay", "nodes": nodes}),
        r"POST .*/_predict/[a-z_]+/(local|remote|json)-(\d+)": predict,
        r"POST .*/models/(local|remote|json)-(\d+)/_predict": predict,
        r"GET /_plugins/_ml/models/((local|remote|json)-(\d+))": model,
        r"GET .*/tasks/[^/]+": lambda: constant(task),
        r"GET .*/profile/models/([^/]+)": lambda name: constant({"nodes": {"n1": {"models": {name: deployed}}}}),
        r"POST .*/upload_chunk/\d+": lambda: constant({"status": "Uploaded", "model_state": "REGISTERING"}),
        r"POST (?:/[^/]+)?/_bulk": bulk,
        r"GET /([^/]+-(\d+))/_mapping": mapping,
        r"GET /([^/]+)/_settings": lambda index: constant({index: {"settings": {"index": own}}}),
        r"(?:GET|POST) .*/_search": lambda: constant(hits),
        r"(?:GET|POST) .*/_refresh": lambda: constant(shards),
        r"(?:PUT|DELETE) .*": lambda: constant({"acknowledged": True, "shards_acknowledged": True, "index": "i"}),
    }
    return {re.compile(pattern): maker for pattern, maker in table.items()}
