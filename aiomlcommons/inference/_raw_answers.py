"""What providers answer, as tensors: the server passes it on where a connector has no ``post_process_function``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

NAMES = ("embeddings", "embedding", "response", "vectors", "embeddingsByType", "predictions")
"""The keys of embeddings: those of Cohere, of Bedrock, of the server itself for a bare list, and of other providers."""


def dense(tensors: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return tensors with a tensor for each embedding that a provider answered in a map of its own."""
    return [one for tensor in tensors for one in _dense(tensor)]


def _dense(tensor: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    answer = tensor.get("dataAsMap")
    if not isinstance(answer, Mapping):
        return [tensor]
    if (rows := _vectors(answer)) is None:
        return [tensor]
    return [{"data_type": "FLOAT32", "data": row} for row in rows]


def _vectors(answer: Mapping[str, Any]) -> list[Any] | None:
    rows = answer.get("data")
    if isinstance(rows, list) and all(isinstance(row, Mapping) and "embedding" in row for row in rows):
        return [row["embedding"] for row in rows]  # OpenAI
    found = next((answer[name] for name in NAMES if name in answer), None)
    if isinstance(found, Mapping):  # by type: {"float": [...]}
        found = next(iter(found.values()), None)
    if not isinstance(found, list) or not found:
        return None
    return found if isinstance(found[0], list) else None if isinstance(found[0], Mapping) else [found]


def scores(tensors: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return tensors with a tensor for each score that a provider answered in a map, in the order of the texts."""
    return [one for tensor in tensors for one in _scores(tensor)]


def _scores(tensor: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    answer = tensor.get("dataAsMap")
    if not isinstance(answer, Mapping):
        return [tensor]
    rows = next((answer[name] for name in ("results", "response", "scores", "data") if name in answer), None)
    if not isinstance(rows, list):
        return [tensor]
    if all(isinstance(row, Mapping) and "index" in row for row in rows):
        ordered = sorted(rows, key=lambda row: row["index"])
        if [row["index"] for row in ordered] != list(range(len(rows))):
            raise ValueError("the results are not one for each document")
        rows = [row.get("relevance_score", row.get("relevanceScore", row.get("score"))) for row in ordered]
    return [{"data": [row]} for row in rows]


def result(tensor: Mapping[str, Any]) -> Any:
    """Return the answer to a question: of a local model, or in the map of a provider."""
    answer = tensor.get("dataAsMap")
    if "result" in tensor or not isinstance(answer, Mapping):
        return tensor["result"]
    return answer[next((name for name in ("answer", "response") if name in answer), "result")]
