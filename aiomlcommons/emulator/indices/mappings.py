"""Mappings: which fields an index has, checked and merged as the server does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.emulator.encoding import java
from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.indices.errors import bad_mapping
from aiomlcommons.emulator.querying.errors import not_emulated
from aiomlcommons.emulator.querying.types import FRACTIONS, WHOLE

Mapped = dict[str, Any]
ROOT = {"properties", "dynamic", "_source", "_meta", "_routing", "date_detection", "numeric_detection"}
COMMON = {
    "type",
    "index",
    "store",
    "doc_values",
    "boost",
    "meta",
    "copy_to",
    "fields",
    "null_value",
    "ignore_malformed",
}
OF_TEXT = {"analyzer", "search_analyzer", "norms", "index_options", "similarity", "fielddata", "term_vector"}
OF_KEYWORD = {"ignore_above", "normalizer", "norms", "eager_global_ordinals", "split_queries_on_whitespace"}
OF_VECTORS = {"dimension", "method", "data_type", "space_type", "mode", "compression_level", "engine", "model_id"}
OF_SEMANTIC = {
    *("model_id", "search_model_id", "raw_field_type", "semantic_info_field_name", "chunking"),
    *("semantic_field_search_analyzer", "dense_embedding_config", "sparse_encoding_config", "skip_existing_embedding"),
}
TYPES: Mapping[str, set[str]] = {
    "text": OF_TEXT | {"position_increment_gap", "index_prefixes", "index_phrases"},
    "keyword": OF_KEYWORD,
    **{kind: {"coerce"} for kind in WHOLE},
    **{kind: {"coerce"} for kind in FRACTIONS - {"scaled_float"}},
    "boolean": set(),
    "date": {"format", "locale", "print_format"},
    "object": {"properties", "dynamic", "enabled"},
    "knn_vector": OF_VECTORS,
    "rank_feature": {"positive_score_impact"},
    "rank_features": {"positive_score_impact"},
    "nested": {"properties", "dynamic", "include_in_parent", "include_in_root"},
    "sparse_vector": {"method"},
    "semantic": OF_SEMANTIC,
}
# The server has these types, too.
OTHERS = {
    *("alias", "binary", "completion", "constant_keyword", "date_nanos", "date_range", "derived", "flat_object"),
    *("float_range", "geo_point", "geo_shape", "integer_range", "ip", "ip_range", "join", "long_range"),
    *(
        "match_only_text",
        "percolator",
        "scaled_float",
        "search_as_you_type",
        "token_count",
    ),
    *("unsigned_long", "wildcard", "xy_point", "xy_shape"),
}
NO_METHOD = "Cannot set modelId or method parameters when index.knn setting is false"
FIXED: Mapping[str, Any] = {"index": True, "doc_values": True, "dimension": None}
OF_SOURCE: Mapping[str, Any] = {"enabled": True, "includes": [], "excludes": []}
SPACES = ("l2", "cosinesimil", "l1", "linf", "innerproduct", "hamming")
ENGINES = ("lucene", "faiss", "nmslib")
LARGEST = 16_000


def checked(given: Mapping[str, Any], *, is_knn: bool) -> Mapped:
    """Return a mapping as the server keeps it. Raises Refused for one that it refuses.

    Without k-NN the index takes vectors, but no method to search them by.
    """
    unknown = {name: value for name, value in given.items() if name not in ROOT}
    if unknown:
        listed = " ".join(f"[{name} : {java(value)}]" for name, value in unknown.items())
        raise bad_mapping(f"Root mapping definition has unsupported parameters:  {listed}")
    return _kept(given, "", is_knn=is_knn)


def _kept(given: Mapping[str, Any], above: str, *, is_knn: bool) -> Mapped:
    kept: Mapped = {name: value for name, value in given.items() if name != "properties"}
    if "dynamic" in kept:
        kept["dynamic"] = str(kept["dynamic"]).lower()
    if properties := _expanded(given.get("properties") or {}):
        kept["properties"] = {
            name: _field(f"{above}{name}", properties[name], is_knn=is_knn) for name in sorted(properties)
        }
    return kept


def _expanded(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields whose names have dots as those of objects."""
    found: dict[str, Any] = {}
    for name, spec in properties.items():
        head, _, rest = name.partition(".")
        if rest:
            found[head] = {"properties": {**found.get(head, {}).get("properties", {}), rest: spec}}
        else:
            found[name] = spec
    return found


def _field(path: str, spec: Any, *, is_knn: bool) -> Mapped:
    name = path.rpartition(".")[2]
    if not isinstance(spec, Mapping) or ("type" not in spec and "properties" not in spec):
        raise bad_mapping(f"No type specified for field [{name}]")
    kind = spec.get("type", "object")
    if kind in OTHERS:
        raise not_emulated(f"fields of type [{kind}]")
    if kind not in TYPES:
        raise bad_mapping(f"No handler for type [{kind}] declared on field [{name}]")
    if unknown := [key for key in spec if key not in COMMON and key not in TYPES[kind]]:
        shown = spec.get("raw_field_type", "text") if kind == "semantic" else kind
        raise bad_mapping(f"unknown parameter [{unknown[0]}] on mapper [{name}] of type [{shown}]")
    if kind == "sparse_vector" and "method" not in spec:
        raise bad_mapping("[sparse_vector] requires [method] parameter")
    if "fields" in spec:
        spec = {
            **spec,
            "fields": {inner: _field(f"{path}.{inner}", one, is_knn=is_knn) for inner, one in spec["fields"].items()},
        }
    if kind != "knn_vector":
        return _kept(spec, f"{path}.", is_knn=is_knn)
    if is_knn:
        return _vectors(path, spec)
    if "method" in spec or "model_id" in spec:
        raise bad_mapping(NO_METHOD, "illegal_argument_exception")
    return {**_vectors(path, spec), "doc_values": True}


def _vectors(path: str, spec: Mapping[str, Any]) -> Mapped:
    method = spec.get("method", {})
    engine = method.get("engine", "lucene")
    if engine not in ENGINES:
        raise bad_mapping(f"Invalid engine: {engine}")
    _check_dimension(path, spec.get("dimension"), engine)
    for space in (spec.get("space_type"), method.get("space_type")):
        if space is not None and space not in SPACES:
            known = f"Valid values are: [{', '.join(SPACES)}]"
            raise bad_mapping(f"Unable to find space: {space} . {known}", "illegal_argument_exception")
    kept = dict(spec)
    if method:
        defaults = {"space_type": spec.get("space_type", "l2"), "parameters": {}}
        kept["method"] = {"engine": engine, **defaults, **method}
    if "data_type" in spec:
        kept["data_type"] = str(spec["data_type"]).upper()
    return kept


def _check_dimension(path: str, dimension: Any, engine: str) -> None:
    if dimension is None:
        raise bad_mapping(f"Dimension value missing for vector: {path}", "illegal_argument_exception")
    if int(dimension) <= 0:
        raise bad_mapping(f"Dimension value must be greater than 0 for vector: {path}", "illegal_argument_exception")
    if int(dimension) > LARGEST:
        problem = f"Dimension value cannot be greater than {LARGEST} for vector with engine: {engine};"
        raise bad_mapping(f"Validation Failed: 1: {problem}", "validation_exception")


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapped:
    """Return a mapping with the fields of another one. Raises Refused where a field would change."""
    _check_source(old, new)
    before, after = old.get("properties", {}), new.get("properties", {})
    both = {name: _one(name, before[name], after[name]) for name in after if name in before}
    properties = {**before, **after, **both}
    found = {**old, **{name: value for name, value in new.items() if name != "properties"}}
    return {**found, "properties": {name: properties[name] for name in sorted(properties)}} if properties else found


def _one(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapped:
    was, now = (spec.get("type", "object") for spec in (old, new))
    if was != now:
        raise illegal(f"mapper [{name}] cannot be changed from type [{was}] to [{now}]")
    _check_same(name, old, new, FIXED)
    return merged(old, new) if "properties" in new else {**old, **new}


def _check_source(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise Refused where what an index keeps of documents would change."""
    if "_source" in new:
        _check_same("_source", old.get("_source", {}), new["_source"], OF_SOURCE)


def _check_same(name: str, old: Mapping[str, Any], new: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    """Raise Refused where a parameter would change that is fixed; ``fixed`` are those with their defaults."""
    changes = [
        f"\n\tCannot update parameter [{key}] from [{_told(was)}] to [{_told(now)}]"
        for key, default in fixed.items()
        if java(was := old.get(key, default)) != java(now := new.get(key, default))
    ]
    if changes:
        raise illegal(f"Mapper for [{name}] conflicts with existing mapper:{''.join(changes)}")


def _told(value: Any) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, list) else java(value)
