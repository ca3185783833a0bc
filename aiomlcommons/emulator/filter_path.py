"""``filter_path``: which parts of an answer are wanted, as paths with ``*`` and ``**``; those after a ``-`` are not."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Path = Sequence[str]
ANY_DEPTH = "**"


def filtered(answer: Any, wanted: str) -> Any:
    """Return the parts of an answer that are wanted; an empty object if there are none."""
    patterns = [one.strip() for one in wanted.split(",") if one.strip()]
    keeps = [one.split(".") for one in patterns if not one.startswith("-")]
    drops = [one[1:].split(".") for one in patterns if one.startswith("-")]
    found = _kept(answer, keeps) if keeps else answer
    return (_dropped(found, drops) if drops else found) or {}


def _kept(node: Any, paths: Sequence[Path]) -> Any:
    """Return the parts of a node at the ends of paths; None if there are none."""
    if isinstance(node, list):
        return [part for item in node if (part := _kept(item, paths)) is not None] or None
    if not isinstance(node, Mapping):
        return None
    found = {}
    for key, value in node.items():
        rests = _rests(key, paths)
        part = value if any(not rest for rest in rests) else _kept(value, rests) if rests else None
        if part is not None:
            found[key] = part
    return found or None


def _dropped(node: Any, paths: Sequence[Path]) -> Any:
    """Return a node without the parts at the ends of paths."""
    if isinstance(node, list):
        return [_dropped(item, paths) for item in node]
    if not isinstance(node, Mapping):
        return node
    every = {key: _rests(key, paths) for key in node}
    return {key: _dropped(node[key], rests) for key, rests in every.items() if all(rests)}


def _rests(key: str, paths: Iterable[Path]) -> list[Path]:
    """Return what is left of the paths that a key is on."""
    found: list[Path] = []
    for path in paths:
        if path[0] == ANY_DEPTH:
            found += [path, *_rests(key, [path[1:]] if path[1:] else [])]
            if not path[1:]:
                found.append([])
        elif fnmatch.fnmatchcase(key, path[0]):
            found.append(path[1:])
    return found
