"""Unrecorded writes and indices between the exchanges of the recording of pipelines and neural queries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from tests.wire.recordings import Exchange

FILE = "opensearch-3.8.0-neural.jsonl"
DENSE, SPARSE, REMOTE = "3c7RF6IBTIAThd_SAhUn", "4s7TF6IBTIAThd_SuRUn", "Bs7UF6IBTIAThd_S2Bb8"
SHARDS = {"index.knn": True, "number_of_replicas": 0}
LUCENE = {"dense_embedding_config": {"method": {"name": "hnsw", "engine": "lucene"}}}
DOCUMENT = b'{"index":{"_index":"s2-dense","_id":"unrecorded"}}\n{"text":"unrecorded"}\n'
VECTOR = b'{"index":{"_index":"s2-b64","_id":"1"}}\n{"embedding":[1,2,3]}\n'


class Calls(Protocol):
    """The methods of the player that this module uses."""

    names: dict[str, str]
    hosts: Mapping[str, str]

    async def call(self, method: str, path: str, body: Any = None) -> Any: ...


async def before_neural(calls: Calls, exchange: Exchange, rows: Sequence[Exchange]) -> None:
    """Do what was done, unrecorded, just before an exchange."""
    if exchange.file == FILE and (step := STEPS.get(exchange.case)) is not None:
        await step(calls, rows)


async def _a_write(calls: Calls, _: Sequence[Exchange]) -> None:
    await calls.call("POST", "/_bulk", DOCUMENT)


async def _a_vector(calls: Calls, _: Sequence[Exchange]) -> None:
    mappings = {"properties": {"embedding": {"type": "knn_vector", "dimension": 3}}}
    await calls.call("PUT", "/s2-b64", {"settings": {"index.knn": True}, "mappings": mappings})
    await calls.call("POST", "/_bulk", VECTOR)


async def _a_simulation(calls: Calls, _: Sequence[Exchange]) -> None:
    """Let the remote pipeline be counted, as it had been used."""
    await calls.call("POST", "/_ingest/pipeline/s2-remote/_simulate", {"docs": [{"_source": {"text": "unrecorded"}}]})


async def _all_again(calls: Calls, rows: Sequence[Exchange]) -> None:
    """Write all documents once more, with vectors of before."""
    processor = {"model_id": calls.names[DENSE], "field_map": {"text": "embedding"}, "skip_existing": True}
    await calls.call("PUT", "/_ingest/pipeline/s2-skip", {"processors": [{"text_embedding": processor}]})
    body = _body(rows, "_bulk again, batch 10, no skip (50)")
    await calls.call("POST", "/_bulk?pipeline=s2-skip", body)


async def _sparse(calls: Calls, _: Sequence[Exchange]) -> None:
    await _semantic(calls, "s2-sems", {"model_id": calls.names[SPARSE]})


async def _chunks(calls: Calls, _: Sequence[Exchange]) -> None:
    await _semantic(calls, "s2-semc", {"model_id": calls.names[REMOTE], "chunking": True, **LUCENE})


async def _dense(calls: Calls, rows: Sequence[Exchange]) -> None:
    await _semantic(calls, "s2-sem", {"model_id": calls.names[DENSE], **LUCENE})
    body = _body(rows, "_bulk semantic (remote typed dense)").replace(b"s2-semr", b"s2-sem")
    await calls.call("POST", "/_bulk?refresh=true", body)


async def _semantic(calls: Calls, index: str, field: Mapping[str, Any]) -> None:
    mappings = {"properties": {"text": {"type": "semantic", **field}}}
    await calls.call("PUT", f"/{index}", {"settings": SHARDS, "mappings": mappings})


def _body(rows: Sequence[Exchange], case: str) -> bytes:
    return next(row.request.body or b"" for row in rows if row.case == case)


STEPS: Mapping[str, Callable[[Calls, Sequence[Exchange]], Awaitable[None]]] = {
    "_bulk: pipeline=_none and own vector": _a_write,
    "_bulk again, batch 10, no skip (50)": _all_again,
    "base64 vector (big endian)": _a_vector,
    "ingest stats": _a_simulation,
    "_bulk semantic (sparse)": _sparse,
    "_bulk semantic (remote typed dense, chunking)": _chunks,
    "get semantic document (local dense, additional_config given)": _dense,
}
