"""Mappings of indices: the body that creates one, and what the mapping of an existing one says of a field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiomlcommons.indices.vector_field import Field


def index_body(given: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    """Return the body that creates an index with fields, by their names. What ``given`` says counts before that."""
    mappings = given.get("mappings") or {}
    properties: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for name, field in fields.items():
        properties = merged(properties, _placed(name, field.mapping(field_of(mappings, name)), mappings))
        settings = merged(settings, field.settings)
    said = {name: value for name, value in given.items() if value is not None}
    return merged({"mappings": {"properties": properties}, "settings": settings}, said)


def _placed(name: str, mapping: dict[str, Any], mappings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a field, which may be nested in objects, as properties: in the form in which ``mappings`` have it."""
    above, dot, rest = name.partition(".")
    if not dot or name in (mappings.get("properties") or {}):
        return {name: mapping}
    return {above: {"properties": _placed(rest, mapping, (mappings.get("properties") or {}).get(above) or {})}}


def given_settings(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings in the body that creates an index, as the server shows them: it takes several forms."""
    found: dict[str, Any] = {}
    for name, value in (body.get("settings") or {}).items():
        found |= value if name == "index" and isinstance(value, Mapping) else {name.removeprefix("index."): value}
    return found


def field_of(mappings: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return the mapping of a field, which may be nested in objects (``doc.vector``); empty if there is none."""
    whole = (mappings.get("properties") or {}).get(field)
    if isinstance(whole, Mapping):
        return whole
    found: Any = mappings
    for name in field.split("."):
        found = found.get("properties", {}).get(name, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def fields_of_type(mappings: Mapping[str, Any], kind: str, above: str = "") -> Iterator[str]:
    """Yield the names of the fields that are of a type."""
    for name, spec in (mappings.get("properties") or {}).items():
        if spec.get("type") == kind:
            yield f"{above}{name}"
        yield from fields_of_type(spec, kind, f"{above}{name}.")


def searchable(mappings: Mapping[str, Any], field: str) -> str | None:
    """Return the name by which whole values of a field are found: its own, or that of its keywords; None if by none."""
    found = field_of(mappings, field)
    if not found or found.get("type") == "text":
        # A dynamic mapping gives a text its keywords.
        return f"{field}.keyword" if not found or "keyword" in found.get("fields", {}) else None
    return field


def holds_floats(mappings: Mapping[str, Any], field: str) -> bool:
    """Return whether a field of vectors is known to hold float32, not byte, binary or half-precision vectors."""
    found = field_of(mappings, field)
    return "model_id" not in found and str(found.get("data_type", "float")).lower() == "float"


def merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Return both as one, object by object; where both say something, ``theirs`` counts."""
    both = {key: merged(ours[key], theirs[key]) for key in ours.keys() & theirs.keys() if _are_maps(ours, theirs, key)}
    return {**ours, **theirs, **both}


def _are_maps(ours: Mapping[str, Any], theirs: Mapping[str, Any], key: str) -> bool:
    return isinstance(ours[key], Mapping) and isinstance(theirs[key], Mapping)
