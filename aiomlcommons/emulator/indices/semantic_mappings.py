"""Mappings with semantic fields: beside each the field of its embeddings, which suits the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import Model
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal, refused
from aiomlcommons.emulator.indices.errors import bad_mapping
from aiomlcommons.emulator.indices.semantic import INFO
from aiomlcommons.emulator.models import asking
from aiomlcommons.emulator.pipelines.chunking import ALGORITHMS as ALGORITHMS_OF_CHUNKS
from aiomlcommons.emulator.pipelines.chunking import cutter_of
from aiomlcommons.emulator.pipelines.options import Options

ALGORITHMS = (
    FunctionName.SPARSE_ENCODING,
    FunctionName.SPARSE_TOKENIZE,
    FunctionName.TEXT_EMBEDDING,
    FunctionName.REMOTE,
)
SPARSE = {FunctionName.SPARSE_ENCODING, FunctionName.SPARSE_TOKENIZE}
BAD_MODEL = "model_id should be a non-empty string for the semantic field at {path}"
BAD_CHUNKING = "chunking should either be a boolean or a list of maps for the semantic field at {path}"
BAD_DENSE = "dense_embedding_config should be a Map<String, Object> for the semantic field at {path}"
BAD_RAW = "raw_field_type {name} is not supported. It should be one of [{known}]"
RAW = ("match_only_text", "binary", "wildcard", "text", "keyword", "token_count")
PRUNE_TYPES = ("none", "top_k", "alpha_mass", "max_ratio", "abs_value")
NO_MODEL = "model_id is required for the semantic field at {path}"
FAILED = "Failed to transform the mapping for the semantic field at {path} due to {why}"
NO_SPACE = "space_type is not defined or not a string in the additional_config of the model {id}."
NO_DIMENSION = "Model {id} is a text embedding model, but the embedding dimension is not defined in the model config."
NO_CONFIG = "Model config is null for the remote model {id}."
BAD_ALGORITHM = (
    "The algorithm {name} of the model {id} is not supported in the semantic field. Supported algorithms: [{known}]."
)
BAD_TYPE = (
    "The model type {name} of the model {id} is not supported in the semantic field. Supported remote model types: "
    "[TEXT_EMBEDDING,SPARSE_ENCODING]"
)
CANNOT = "Cannot build the semantic info config because {why}"
NOT_FOR_SPARSE = CANNOT.format(why="dense_embedding_config is not supported by the sparse model.")
NOT_FOR_DENSE = "the dense(text embedding) model cannot support {name}"
PLUGIN_OF = {"knn_vector": "knn", "semantic": "neural-search", "sparse_vector": "neural-search"}
UNREAD = {"type": "text", "index": False}
OF_MODEL = {"properties": dict.fromkeys(("id", "name", "type"), UNREAD)}


def expanded(cluster: Cluster, mappings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a mapping with the fields of embeddings that its semantic fields need. Raises Refused."""
    properties = mappings.get("properties")
    if not isinstance(properties, Mapping):
        return mappings
    return {**mappings, "properties": _expanded(cluster, properties, "")}


def _expanded(cluster: Cluster, properties: Mapping[str, Any], above: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, spec in properties.items():
        path = f"{above}{name}"
        _check_plugin(cluster, name, spec)
        if isinstance(spec, Mapping) and spec.get("type") == "semantic":
            found[name] = {**spec, "raw_field_type": spec.get("raw_field_type", "text")}
            before, _, last = name.rpartition(".")
            info = str(spec.get("semantic_info_field_name", f"{last}{INFO}"))
            found[f"{before}.{info}" if before else info] = _info(cluster, path, spec)
        elif isinstance(spec, Mapping) and isinstance(spec.get("properties"), Mapping):
            found[name] = {**spec, "properties": _expanded(cluster, spec["properties"], f"{path}.")}
        else:
            found[name] = spec
    return found


def _check_plugin(cluster: Cluster, name: str, spec: Any) -> None:
    """Raise Refused for a field of a plugin that the node has not."""
    kind = str(spec.get("type")) if isinstance(spec, Mapping) else ""
    if kind in PLUGIN_OF and not cluster.has(PLUGIN_OF[kind]):
        raise bad_mapping(f"No handler for type [{kind}] declared on field [{name.rpartition('.')[2]}]")


def _info(cluster: Cluster, path: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    model_id = spec.get("model_id")
    if model_id is None:
        raise illegal(NO_MODEL.format(path=path))
    if not isinstance(model_id, str) or not model_id:
        raise illegal(BAD_MODEL.format(path=path))
    _check_name(path, spec)
    try:
        model = asking.found(cluster, model_id)
    except Refused as error:
        why = error.body["error"]["reason"]
        raise refused(500, "runtime_exception", f"Failed to fetch model [{model_id}]: {why}") from None
    try:
        _check_kinds(path, spec)
        embedding = _sparse(spec) if function_of(model_id, model) in SPARSE else _dense(model_id, model, spec)
    except Refused as error:
        why = {name: error.body["error"][name] for name in ("type", "reason")}
        words = FAILED.format(path=path, why=why["reason"])
        raise refused(400, "illegal_argument_exception", words, why) from None
    _check_options(spec, path.rpartition(".")[2])
    if spec.get("chunking", False) is not False:
        chunks = {"type": "nested", "properties": {"text": {"type": "text"}, "embedding": embedding}}
        return {"properties": {"chunks": chunks, "model": OF_MODEL}}
    return {"properties": {"embedding": embedding, "model": OF_MODEL}}


def _check_name(path: str, spec: Mapping[str, Any]) -> None:
    name = spec.get("semantic_info_field_name")
    if name == "":
        raise illegal(f"semantic_info_field_name cannot be an empty string for the semantic field at {path}")
    if name is not None and "." in name:
        raise illegal(f"semantic_info_field_name should not contain '.' for the semantic field at {path}")


def _check_kinds(path: str, spec: Mapping[str, Any]) -> None:
    if not isinstance(spec.get("chunking", False), bool | list):
        raise illegal(BAD_CHUNKING.format(path=path))
    if not isinstance(spec.get("dense_embedding_config", {}), Mapping):
        raise illegal(BAD_DENSE.format(path=path))


def _check_options(spec: Mapping[str, Any], name: str) -> None:
    """Raise Refused for what the mapping itself refuses of a semantic field."""
    raw, skips = spec.get("raw_field_type", "text"), spec.get("skip_existing_embedding", False)
    if raw not in RAW:
        raise bad_mapping(BAD_RAW.format(name=raw, known=", ".join(RAW)), "illegal_argument_exception")
    if str(skips).lower() not in {"true", "false"}:
        words = f"Failed to parse value [{skips}] as only [true] or [false] are allowed."
        raise bad_mapping(words, "illegal_argument_exception")
    given = spec.get("sparse_encoding_config", {})
    if not isinstance(given, Mapping):
        raise bad_mapping(f"[{name}] must be a Map")
    if (kind := given.get("prune_type")) not in {None, *PRUNE_TYPES}:
        raise bad_mapping(f"Invalid [prune_type]. Valid values are [{','.join(PRUNE_TYPES)}].")
    if kind in {None, "none"} and "prune_ratio" in given:
        raise bad_mapping("prune_ratio should not be defined when prune_type is none or null")
    for one in spec["chunking"] if isinstance(spec.get("chunking"), list) else ():
        _check_chunking(name, one)


def _check_chunking(name: str, given: Any) -> None:
    if not isinstance(given, Mapping):
        raise bad_mapping(f"[{name}] must be either a List of Maps or a Boolean")
    if unknown := [key for key in given if key not in {"algorithm", "parameters"}]:
        raise bad_mapping(f"[chunking] does not support parameters [[{', '.join(unknown)}]]")
    if (algorithm := given.get("algorithm")) is None:
        raise bad_mapping("[algorithm] is required to configure the chunking strategy.")
    if algorithm not in ALGORITHMS_OF_CHUNKS:
        raise bad_mapping(f"[algorithm] must be [{', '.join(ALGORITHMS_OF_CHUNKS)}]")
    if not isinstance(parameters := given.get("parameters", {}), Mapping):
        raise bad_mapping("parameters in chunking should be a Map.")
    try:
        cutter_of(Options("semantic", {}, of_search=True), {algorithm: parameters})
    except Refused as error:
        raise bad_mapping(error.body["error"]["reason"], "illegal_argument_exception") from None


def function_of(model_id: str, model: Model) -> str:
    """Return what a model does, a remote one by the type in its configuration. Raises Refused for another one."""
    if model.algorithm in SPARSE or model.algorithm == FunctionName.TEXT_EMBEDDING:
        return str(model.algorithm)
    if model.algorithm != FunctionName.REMOTE:
        known = ",".join(ALGORITHMS)
        raise illegal(BAD_ALGORITHM.format(name=model.algorithm, id=model_id, known=known))
    if model.model_config is None:
        raise illegal(NO_CONFIG.format(id=model_id))
    kind = str(model.model_config.model_type).upper()
    if kind not in {FunctionName.TEXT_EMBEDDING, *SPARSE}:
        raise illegal(BAD_TYPE.format(name=model.model_config.model_type, id=model_id))
    return kind


def _sparse(spec: Mapping[str, Any]) -> dict[str, Any]:
    if "dense_embedding_config" in spec:
        raise illegal(NOT_FOR_SPARSE)
    return {"type": "rank_features"}


def _dense(model_id: str, model: Model, spec: Mapping[str, Any]) -> dict[str, Any]:
    config = model.model_config
    if config is None or config.embedding_dimension is None:
        raise illegal(NO_DIMENSION.format(id=model_id))
    space = (config.additional_config or {}).get("space_type")
    if not isinstance(space, str):
        raise illegal(NO_SPACE.format(id=model_id))
    for name in ("semantic_field_search_analyzer", "sparse_encoding_config"):
        if name in spec:
            raise illegal(CANNOT.format(why=NOT_FOR_DENSE.format(name=name)))
    given: Mapping[str, Any] = spec.get("dense_embedding_config", {})
    for name, where in (("dimension", given), ("data_type", given), ("space_type", given)):
        if name in where or name in given.get("method", {}):
            raise illegal(f"Cannot configure {name} in dense_embedding_config in the semantic field.")
    method = {"name": "hnsw", **given.get("method", {}), "space_type": space}
    return {"type": "knn_vector", "dimension": config.embedding_dimension, **given, "method": method}
