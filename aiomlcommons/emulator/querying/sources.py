"""Which part of a document is shown: ``_source`` of a request."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any


def shown(source: Mapping[str, Any] | None, wanted: Any) -> Mapping[str, Any] | None:
    """Return the part of a document that is wanted; None where none is."""
    if wanted is False or source is None:
        return None
    includes, excludes = _patterns(wanted)
    return _filtered(source, includes, excludes) if includes or excludes else source


def kept(source: Mapping[str, Any], rule: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the part of a document that an index keeps by ``_source`` of its mapping; None where it keeps none."""
    return None if str(rule.get("enabled", True)).lower() == "false" else shown(source, rule)


def _patterns(wanted: Any) -> tuple[list[str], list[str]]:
    if isinstance(wanted, str):
        wanted = [wanted]
    if isinstance(wanted, Sequence):
        wanted = {"includes": wanted}
    if not isinstance(wanted, Mapping):
        return [], []
    includes, excludes = (wanted.get(f"{word}s", wanted.get(word)) for word in ("include", "exclude"))
    return _listed(includes), _listed(excludes)


def _listed(patterns: Any) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns or ())


def _filtered(
    node: Mapping[str, Any], includes: Sequence[str], excludes: Sequence[str], above: str = ""
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.items():
        path = f"{above}{key}"
        if _named(path, excludes):
            continue
        inner = [] if _named(path, includes) else includes
        part = _part(value, inner, excludes, f"{path}.")
        if part is not None or value is None:
            found[key] = part
    return found


def _part(value: Any, includes: Sequence[str], excludes: Sequence[str], above: str) -> Any:
    """Return the part of a value below a path that is wanted, or None; without ``includes`` all of it is."""
    if not includes and not any("*" in pattern or pattern.startswith(above) for pattern in excludes):
        return value
    if isinstance(value, Mapping):
        part = _filtered(value, includes, excludes, above)
        return part if part or not includes else None
    if isinstance(value, list):
        parts = [part for item in value if (part := _part(item, includes, excludes, above)) not in (None, {})]
        return parts if parts or not includes else None
    return None if includes else value


def _named(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
