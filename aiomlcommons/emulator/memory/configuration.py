"""Configurations of memory containers: the server's defaults, merging and validation."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, get_args

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.memory_containers import MemoryConfiguration, MemoryStrategy
from aiomlcommons.api.memory_documents import MemoryType
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.errors import STRATEGY_MODELS, illegal, missing

EMBEDDINGS = (FunctionName.TEXT_EMBEDDING, FunctionName.SPARSE_ENCODING)
TYPES: tuple[MemoryType, ...] = get_args(MemoryType)
# What an update can change; other fields would need other indices.
CHANGEABLE = (
    "llm_id",
    "strategies",
    "max_infer_size",
    "embedding_model_id",
    "embedding_model_type",
    "embedding_dimension",
)
INFER_SIZE = 5
LARGEST_INFER_SIZE = 10


def index_name(configuration: MemoryConfiguration, kind: MemoryType) -> str | None:
    """Return the index for a type of memory, or None where that type is disabled."""
    off = {"sessions": configuration.disable_session, "history": configuration.disable_history}
    if off.get(kind):
        return None
    system = ".plugins-ml-am-" if configuration.use_system_index else ""
    return f"{system}{configuration.index_prefix}-memory-{kind}"


def completed(given: MemoryConfiguration) -> MemoryConfiguration:
    """Return a configuration with the server's defaults. The default prefix of system indices is shared."""
    use_system_index = given.use_system_index is not False
    prefix = (given.index_prefix or "").strip() or ("default" if use_system_index else uuid.uuid4().hex[:8])
    return alter(
        given,
        index_prefix=prefix,
        use_system_index=use_system_index,
        disable_history=bool(given.disable_history),
        disable_session=given.disable_session is not False,
        max_infer_size=_infer_size(given),
        strategies=[_named(strategy) for strategy in given.strategies or ()] or None,
        parameters=given.parameters or None,
        index_settings=given.index_settings or None,
    )


def _infer_size(given: MemoryConfiguration) -> int | None:
    if given.max_infer_size is not None and given.max_infer_size > LARGEST_INFER_SIZE:
        raise illegal("Maximum infer size cannot exceed 10")
    # Unused without a model.
    return None if given.llm_id is None else given.max_infer_size or INFER_SIZE


def _named(strategy: MemoryStrategy) -> MemoryStrategy:
    kind = strategy.type or ""
    key = strategy.id or f"{kind.lower()}_{uuid.uuid4().hex[:8]}"
    return alter(strategy, id=key, type=kind.upper() or None, enabled=strategy.enabled is not False)


def changed(cluster: Cluster, old: MemoryConfiguration, new: MemoryConfiguration) -> MemoryConfiguration:
    """Return a configuration after an update, in which index names do not change; raise Refused where it is invalid."""
    given = {name: value for name in CHANGEABLE if (value := getattr(new, name)) is not None}
    if new.strategies:
        given["strategies"] = _merged(old.strategies or [], new.strategies)
    updated = completed(alter(old, **given))
    check(cluster, updated)
    return updated


def _merged(old: list[MemoryStrategy], new: list[MemoryStrategy]) -> list[MemoryStrategy]:
    """Merge strategies: one with an id updates the existing one, others are added."""
    found = {strategy.id or "": strategy for strategy in old}
    added: list[MemoryStrategy] = []
    for strategy in new:
        if strategy.id is None:
            added.append(strategy)
        elif strategy.id in found:
            found[strategy.id] = alter(found[strategy.id], **_given(strategy))
        else:
            raise missing(f"Strategy with id {strategy.id} not found")
    return [*found.values(), *added]


def _given(strategy: MemoryStrategy) -> Mapping[str, Any]:
    fields = ("type", "namespace", "configuration", "enabled")
    return {name: value for name in fields if (value := getattr(strategy, name)) is not None}


# ---- validation -----------------------------------------------------------------------------------------------------


def check(cluster: Cluster, given: MemoryConfiguration) -> None:
    """Raise Refused for a configuration that is inconsistent, or does not match the existing models."""
    _check_embedding(given)
    _check_strategies(given)
    _check_models(cluster, given)


def _check_embedding(given: MemoryConfiguration) -> None:
    kind = given.embedding_model_type
    if (given.embedding_model_id is None) != (kind is None):
        lacks, has = ("type", "ID") if kind is None else ("ID", "type")
        raise illegal(f"Embedding model {lacks} is required when embedding model {has} is provided")
    if kind is None:
        return
    if kind not in EMBEDDINGS:
        raise illegal("Embedding model type must be either TEXT_EMBEDDING or SPARSE_ENCODING")
    dimension = isinstance(given.embedding_dimension, int)
    if kind == FunctionName.TEXT_EMBEDDING and not dimension:
        raise illegal("Dimension is required for TEXT_EMBEDDING")
    if kind == FunctionName.SPARSE_ENCODING and dimension:
        raise illegal("Dimension is not allowed for SPARSE_ENCODING")


def _check_strategies(given: MemoryConfiguration) -> None:
    lacks = [
        *([] if given.llm_id else ["LLM model (llm_id)"]),
        *(
            []
            if given.embedding_model_id
            else ["embedding model (embedding_model_id, embedding_model_type, dimension)"]
        ),
    ]
    if given.strategies and lacks:
        words = "LLM model and embedding model" if len(lacks) == 2 else lacks[0]
        raise illegal(STRATEGY_MODELS.format(missing=words))


def _check_models(cluster: Cluster, given: MemoryConfiguration) -> None:
    if given.llm_id is not None:
        llm = cluster.models.get(given.llm_id)
        if llm is None:
            raise illegal(f"LLM model with ID {given.llm_id} not found")
        if llm.algorithm != FunctionName.REMOTE:
            raise illegal(f"LLM model must be a REMOTE model, found: {llm.algorithm}")
    if given.embedding_model_id is not None:
        model = cluster.models.get(given.embedding_model_id)
        if model is None:
            raise illegal(f"Embedding model with ID {given.embedding_model_id} not found")
        if model.algorithm not in {given.embedding_model_type, FunctionName.REMOTE}:
            kind = given.embedding_model_type
            raise illegal(f"Embedding model must be of type {kind} or REMOTE, found: {model.algorithm}")
