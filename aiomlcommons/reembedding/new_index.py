"""The new index: the settings and the mapping of the old one, with the new field of vectors."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from aiomlcommons.indices.mapping import field_of, given_settings, index_body, merged
from aiomlcommons.indices.plain_fields import PlainField
from aiomlcommons.indices.vector_field import Field, VectorField, space_of
from aiomlcommons.reembedding.facts import IndexFacts
from aiomlcommons.reembedding.state import without_state
from aiomlcommons.reembedding.task import of

# What the server makes itself, or what says how an index came to be, and blocks.
_OWN = {"uuid", "version", "creation_date", "creation_date_string", "provided_name", "history", "resize", "shrink"}
_OWN |= {"blocks", "verified_before_close", "remote_store", "hidden_by"}
FINGERPRINT = PlainField("keyword", {"index": False})
"""What says of which model and text the vectors of a document are: read one by one, never searched."""
# The longest name of an index, in bytes, is 255; the rest is for the name of the index itself.
_LONGEST = 80


def settings_of(source: IndexFacts, pipeline: str | None, search_pipeline: str | None) -> dict[str, Any]:
    """Return the settings of the new index: those of the old one, but for what the server makes itself."""
    kept: dict[str, Any] = {name: copy.deepcopy(value) for name, value in source.settings.items() if name not in _OWN}
    routing = kept.get("routing")
    if isinstance(routing, dict):
        routing.get("allocation", {}).pop("initial_recovery", None)
    if pipeline is not None:
        kept["default_pipeline"] = pipeline
    if search_pipeline is not None:
        kept["search"] = {**(kept.get("search") or {}), "default_pipeline": search_pipeline}
    return kept


def body_of(
    source: IndexFacts, given: Mapping[str, Any], settings: Mapping[str, Any], field: str, vectors: VectorField
) -> dict[str, Any]:
    """Return the body that creates the new index; what ``given``, the user's own body, says counts before all."""
    mappings = without(copy.deepcopy(dict(source.mappings)), field)
    mappings["_meta"] = without_state(mappings.get("_meta") or {})
    if kept := _kept_of(field_of(source.mappings, field), vectors):
        mappings = merged(mappings, _at(field, kept, mappings))
    had = {name: value for name, value in settings.items() if name not in vectors.settings.get("index", {})}
    whole = {"mappings": merged(mappings, given.get("mappings") or {})}
    whole["settings"] = {"index": merged(had, nested(given_settings(given)))}
    if given.get("aliases"):
        whole["aliases"] = given["aliases"]
    return index_body(whole, {field: vectors, of(field): FINGERPRINT})


def added_fields(field: str, vectors: VectorField) -> dict[str, Any]:
    """Return the mapping of nothing but the new field and its fingerprints, for an index that gets a second field."""
    fields: dict[str, Field] = {field: vectors, of(field): FINGERPRINT}
    return {"properties": index_body({}, fields)["mappings"]["properties"]}


def nested(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with names such as ``search.default_pipeline`` as objects within each other."""
    made: dict[str, Any] = {}
    for name, value in settings.items():
        for part in reversed(name.split(".")):
            value = {part: value}
        made = merged(made, value)
    return made


def _at(name: str, spec: Mapping[str, Any], mappings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with nothing but a field."""
    above, dot, rest = name.partition(".")
    if not dot or name in (mappings.get("properties") or {}):
        return {"properties": {name: dict(spec)}}
    return {"properties": {above: _at(rest, spec, (mappings.get("properties") or {}).get(above) or {})}}


def without(mappings: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a mapping without a field, which may be nested in objects."""
    properties = dict(mappings.get("properties") or {})
    above, dot, rest = name.partition(".")
    if name in properties:
        del properties[name]
    elif dot and above in properties:
        properties[above] = without(dict(properties[above]), rest)
    return {**mappings, "properties": properties}


# ---- the field of the vectors ----------------------------------------------------------------------------------------


@attrs.frozen
class Chosen:
    """The new field of vectors, and what of the old one it cannot keep, in words."""

    vectors: VectorField
    remarks: tuple[str, ...] = ()


def chosen(needed: VectorField, old: Mapping[str, Any], *, version: tuple[int, int] | None) -> Chosen:
    """Return the field that a model's vectors need, with engine, method and space of the old one where they fit."""
    kind = old.get("type")
    if needed.sparse:
        kept = old.get("method") if kind == "sparse_vector" else None
        return Chosen(attrs.evolve(needed, method=needed.method or kept))
    if kind != "knn_vector":
        return Chosen(needed)
    had: Mapping[str, Any] = old.get("method") or {}
    engine = needed.engine or had.get("engine") or old.get("engine")
    has_nmslib = version is not None and version < (3, 0)
    if engine == "undefined" or (engine == "nmslib" and not has_nmslib and needed.engine is None):
        engine = None
    own = {name: had[name] for name in ("name", "parameters") if had.get(name)}
    if needed.engine not in {None, had.get("engine")}:
        own = {}  # parameters are those of an engine
    if own.get("name") == "ivf" and needed.method is None:
        own, engine = {}, needed.engine  # which is trained for one model's vectors
    return Chosen(
        attrs.evolve(
            needed, engine=engine, method=needed.method or own or None, space_type=_space(needed, space_of(old))
        ),
        tuple(_losses(needed, old, engine)),
    )


def _space(needed: VectorField, had: str | None) -> str | None:
    if needed.space_type is not None or had is None:
        return needed.space_type
    return had if not needed.suits or had in needed.suits else None


def _losses(needed: VectorField, old: Mapping[str, Any], engine: str | None) -> Iterator[str]:
    method = old.get("method") or {}
    if (had := method.get("engine")) == "nmslib" and engine != had:
        yield "the engine nmslib is gone since 3.0: the server chooses another one"
    if method.get("name") == "ivf" and needed.method is None:
        yield "the method ivf is trained for the old vectors: the new field has the default method"
    if "model_id" in old:
        yield f"the old field was trained (by {old['model_id']}), the new one has the default method"
    if str(old.get("data_type", "float")).lower() != "float":
        yield f"the old field held {old['data_type']} vectors, the new one holds floats"
    had, has = space_of(old), _space(needed, space_of(old)) or (needed.suits[0] if needed.suits else None)
    if None not in {had, has} and had != has:
        yield f"the old field compared vectors by {had}, the new one does by {has}, which the new model is made for"


def _kept_of(old: Mapping[str, Any], vectors: VectorField) -> dict[str, Any]:
    """Return what of the old field is kept beside the method: how it is kept on disk."""
    if vectors.sparse or old.get("method") or vectors.engine or vectors.method:
        return {}
    return {name: old[name] for name in ("mode", "compression_level") if name in old}


# ---- the name --------------------------------------------------------------------------------------------------------


def target_name(base: str, model: str) -> str:
    """Return the name of the new index: that of the first one, and the model's."""
    words = re.sub(r"[^a-z0-9.]+", "-", model.rpartition("/")[2].lower()).strip("-.")
    return f"{base}-{words[:_LONGEST].strip('-.') or 'new'}"
