"""The mapping that an index of vectors needs: checking it, and the body that creates the index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.ingest.errors import SinkError


def index_body(
    given: Mapping[str, Any], field: str, dimension: int | None, id_field: str | None = None
) -> dict[str, Any]:
    """Return the body that creates an index for vectors (``dimension`` None: sparse ones); ``given`` overrides it.

    ``id_field`` is the field that keeps the ids of the documents, if there is one.
    """
    kind: dict[str, Any] = {"type": "rank_features"}
    settings: dict[str, Any] = {}
    if dimension is not None:
        kind, settings = {"type": "knn_vector", "dimension": dimension}, {"index": {"knn": True}}
    ids = {id_field: {"type": "keyword"}} if id_field else {}
    ours: dict[str, Any] = {"mappings": {"properties": {field: kind, **ids}}, "settings": settings}
    return _merged(ours, given)


def check_index(name: str, mappings: Mapping[str, Any], field: str, dimension: int | None, *, sparse: bool) -> None:
    """Raise SinkError if the field cannot hold the vectors; a ``dimension`` of None is not checked."""
    found = _field(mappings, field)
    wanted = "rank_features" if sparse else "knn_vector"
    if found.get("type") != wanted:
        actual = f"is {found['type']}" if "type" in found else "is not in its mapping"
        raise SinkError(f"index {name}: the field {field!r} {actual}, and these vectors need a field of type {wanted}")
    existing = found.get("dimension")
    if existing is not None and dimension is not None and int(existing) != dimension:
        raise SinkError(
            f"index {name}: the field {field!r} is of dimension {existing}, and these vectors of {dimension}"
        )


def searchable(mappings: Mapping[str, Any], field: str) -> str | None:
    """Return the name by which whole values of a field are found: its own, or that of its keywords; None if by none."""
    found = _field(mappings, field)
    if not found or found.get("type") == "text":
        # A dynamic mapping gives a text its keywords.
        return f"{field}.keyword" if not found or "keyword" in found.get("fields", {}) else None
    return field


def holds_floats(mappings: Mapping[str, Any], field: str) -> bool:
    """Return whether a field of vectors is known to hold float32, not byte, binary or half-precision vectors."""
    found = _field(mappings, field)
    return "model_id" not in found and found.get("data_type", "float") == "float"


def _field(mappings: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return the mapping of a field, which may be nested in objects (``doc.vector``)."""
    found: Any = mappings
    for name in field.split("."):
        found = found.get("properties", {}).get(name, {})
    return found if isinstance(found, Mapping) else {}


def _merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    both = {key: _merged(ours[key], theirs[key]) for key in ours.keys() & theirs.keys() if _are_maps(ours, theirs, key)}
    return {**ours, **theirs, **both}


def _are_maps(ours: Mapping[str, Any], theirs: Mapping[str, Any], key: str) -> bool:
    return isinstance(ours[key], Mapping) and isinstance(theirs[key], Mapping)
