"""Comparison of the shapes of two responses: the same keys and types of values, recursively."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from aiomlcommons.stream import Frames

CHANGING = {"timestamp", "messageId", "threadId", "result"}
TOKENS = re.compile(r"(dataAsMap\.response\[\]|_source\.(weights|text_semantic_info\.embedding))$")


def differences(recorded: Any, got: Any, known: Mapping[str, str] = {}, where: str = "$") -> Iterator[str]:
    """Return where the second value differs from the first.

    Of lists one item each is compared: one whose id is ``known`` to match the recorded one, if there is any.
    """
    if _kind(recorded) != _kind(got):
        yield f"{where} is {_kind(got)}, recorded is {_kind(recorded)}"
    elif isinstance(recorded, Mapping):
        yield from _mappings(recorded, got, known, where)
    elif isinstance(recorded, list):
        if bool(recorded) != bool(got):
            yield f"{where} has {len(got)} items, recorded are {len(recorded)}"
        elif recorded:
            yield from differences(*_pair(recorded, got, known), known, f"{where}[]")


def stream_differences(recorded: bytes, got: bytes) -> Iterator[str]:
    """Return where a stream differs from the recorded one in the number, order, shape or content of frames."""
    was, now = (list(Frames().feed(stream)) for stream in (recorded, got))
    if len(was) != len(now):
        yield f"{len(now)} frames, recorded are {len(was)}: {now}"
    for number, (first, second) in enumerate(zip(was, now, strict=False)):
        before, after = orjson.loads(first), orjson.loads(second)
        yield from differences(before, after, where=f"frame {number}: $")
        if _content(before) != _content(after):
            yield f"frame {number} tells {_content(after)}, recorded is {_content(before)}"


def _content(frame: Any) -> Any:
    """Return the content of a frame without ids, times, and data of the recorded server."""
    if isinstance(frame, Mapping):
        # Of an id only its presence matters.
        return {name: bool(value) if name in CHANGING else _content(value) for name, value in frame.items()}
    if isinstance(frame, list):
        return [_content(item) for item in frame]
    if not isinstance(frame, str) or frame.startswith("row,"):
        return frame if not isinstance(frame, str) else "a table"
    try:
        return orjson.loads(frame)
    except orjson.JSONDecodeError:
        return frame


def _mappings(
    recorded: Mapping[str, Any], got: Mapping[str, Any], known: Mapping[str, str], where: str
) -> Iterator[str]:
    if recorded.keys() != got.keys():
        # Maps whose keys are data: tokens, ids of nodes and models.
        if TOKENS.search(where) or (recorded.keys() <= known.keys() and got.keys() <= set(known.values())):
            yield from differences([*recorded.values()], [*got.values()], known, f"{where}.*")
            return
        missing, extra = sorted(recorded.keys() - got.keys()), sorted(got.keys() - recorded.keys())
        yield f"{where} lacks {missing}, has {extra} that was not recorded"
        return
    for key, value in recorded.items():
        yield from differences(value, got[key], known, f"{where}.{key}")


def _pair(recorded: list[Any], got: list[Any], known: Mapping[str, str]) -> tuple[Any, Any]:
    ours = {item["_id"]: item for item in got if isinstance(item, Mapping) and "_id" in item}
    for item in recorded:
        if isinstance(item, Mapping) and known.get(item.get("_id", "")) in ours:
            return item, ours[known[item["_id"]]]
    return recorded[0], got[0]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    kinds = {str: "text", bytes: "bytes", list: "a list", dict: "an object", type(None): "null"}
    return kinds.get(type(value), type(value).__name__)
