"""What the server says to a search that it refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from aiomlcommons.emulator.errors import RESULT_WINDOW, Refused, illegal, refused

WINDOW = 10_000
NEAR = 0.5
TOKENS = {str: "VALUE_STRING", list: "START_ARRAY", bool: "VALUE_BOOLEAN", type(None): "VALUE_NULL"}


def shards_failed(index: str, node_id: str, cause: Mapping[str, Any], status: int = 400) -> Refused:
    """Return the error of a search that failed on its only shard, for this cause."""
    root = {key: value for key, value in cause.items() if key != "caused_by"}
    # The server wraps an illegal argument once more.
    is_wrapped = cause["type"] == "illegal_argument_exception"
    error = {
        "root_cause": [root],
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
        "phase": "query",
        "grouped": True,
        "failed_shards": [{"shard": 0, "index": index, "node": node_id, "reason": cause}],
        "caused_by": {**cause, "caused_by": cause} if is_wrapped else cause,
    }
    return Refused(status, {"error": error, "status": status})


def phase_failed(cause: Mapping[str, Any], status: int = 400) -> Refused:
    """Return the error of a search that failed after its shards had answered, for this cause."""
    error = {
        "root_cause": [],
        "type": "search_phase_execution_exception",
        "reason": "The phase has failed",
        "phase": "query",
        "grouped": True,
        "failed_shards": [],
        "caused_by": cause,
    }
    return Refused(status, {"error": error, "status": status})


def too_large(index: str, size: int, node_id: str) -> Refused:
    """Return the error of a page that begins too far down."""
    return shards_failed(index, node_id, cause("illegal_argument_exception", RESULT_WINDOW.format(size=size)))


def cause(kind: str, reason: str) -> dict[str, Any]:
    """Return a cause: a type and a reason."""
    return {"type": kind, "reason": reason}


def parsing(reason: str) -> Refused:
    """Return the error of a query that cannot be parsed. The place in the body is always its beginning."""
    return refused(400, "parsing_exception", reason, line=1, col=1)


def unreadable(reason: str, caused_by: Mapping[str, Any] | None = None) -> Refused:
    """Return the error of a part of a body that cannot be parsed."""
    return refused(400, "x_content_parse_exception", f"[1:1] {reason}", caused_by)


def token_of(value: Any) -> str:
    """Return what the server's parser calls a value."""
    return "START_OBJECT" if isinstance(value, Mapping) else TOKENS.get(type(value), "VALUE_NUMBER")


def malformed() -> Refused:
    """Return the error of what is no query."""
    return illegal("query malformed, empty clause found at [1:1]")


def unknown_query(name: str, known: Iterable[str], body: Mapping[str, Any]) -> Refused:
    """Return the error of a query that the server does not know."""
    text = orjson.dumps(body, default=str)
    token = orjson.dumps(name) + b":"
    column = text.find(token) + len(token) + 1
    why = cause("named_object_not_found_exception", f"[1:{column}] unknown field [{name}]")
    reason = f"unknown query [{name}]{suggestion(name, known)}"
    return refused(400, "parsing_exception", reason, why, line=1, col=column)


def not_emulated(what: str) -> Refused:
    """Return 501: the server can do this, and the emulator cannot."""
    return refused(501, "not_emulated", f"the emulator has no {what}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the server's words about names near to an unknown one."""
    ranked = sorted((-_likeness(name, other), other) for other in known)
    near = [other for score, other in ranked if -score > NEAR]
    if not near:
        return ""
    return f" did you mean [{near[0]}]?" if len(near) == 1 else f" did you mean any of [{', '.join(near)}]?"


def _likeness(one: str, other: str) -> float:
    """Return 1 minus the edit distance (Levenshtein) by the longer length."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, second in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != second))
    return 1 - row[-1] / max(len(one), len(other), 1)
