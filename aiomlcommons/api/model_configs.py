"""Configurations of local models, by type of model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeVar, dataclass_transform

import attrs

from aiomlcommons.record import Record, record

T = TypeVar("T")


class FrameworkType(StrEnum):
    """Framework of a local model. Case-insensitive in requests."""

    HUGGINGFACE_TRANSFORMERS = "HUGGINGFACE_TRANSFORMERS"
    SENTENCE_TRANSFORMERS = "SENTENCE_TRANSFORMERS"
    HUGGINGFACE_TRANSFORMERS_NEURON = "HUGGINGFACE_TRANSFORMERS_NEURON"


class PoolingMode(StrEnum):
    """Pooling of token vectors into one. Case-insensitive in requests."""

    MEAN = "MEAN"
    MEAN_SQRT_LEN = "MEAN_SQRT_LEN"
    MAX = "MAX"
    WEIGHTED_MEAN = "WEIGHTED_MEAN"
    CLS = "CLS"
    LAST_TOKEN = "LAST_TOKEN"  # noqa: S105 - no password
    NONE = "NONE"


@record
class ModelConfig(Record):
    """The configuration of a local model; the required fields depend on its ``function_name``.

    A dense model needs ``model_type``, ``embedding_dimension`` and ``framework_type``; a question-answering one needs
    ``model_type`` and ``framework_type``. ``all_config`` is the model's own configuration as a JSON string.
    """

    model_type: str | None = None
    embedding_dimension: int | None = None
    framework_type: FrameworkType | str | None = None
    all_config: str | None = None
    additional_config: Mapping[str, Any] | None = None
    model_max_length: int | None = None
    pooling_mode: PoolingMode | str | None = None
    normalize_result: bool | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(attrs.field,))
def _kind(cls: type[T]) -> type[T]:
    # Fields of the base class that this kind needs are declared anew without a default. attrs lets them follow others
    # that have one, because all are keywords; pyright keeps them in the place where the base class has them.
    return attrs.frozen(cls, kw_only=True, repr=False)


@_kind
class TextEmbeddingModelConfig(ModelConfig):
    """The config of a dense model; the server rejects it without these three fields."""

    model_type: str  # pyright: ignore[reportGeneralTypeIssues]
    embedding_dimension: int  # pyright: ignore[reportGeneralTypeIssues]
    framework_type: FrameworkType | str  # pyright: ignore[reportGeneralTypeIssues]


@_kind
class QuestionAnsweringModelConfig(ModelConfig):
    """The config of a question-answering or highlighting model."""

    model_type: str  # pyright: ignore[reportGeneralTypeIssues]
    framework_type: FrameworkType | str  # pyright: ignore[reportGeneralTypeIssues]


def missing(function_name: str | None, config: ModelConfig) -> Iterator[str]:
    """Return the required fields that a config lacks; without a function the server assumes a dense model.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/register-model/
    """
    if (function_name or "TEXT_EMBEDDING").upper() == "TEXT_EMBEDDING":
        for name in ("model_type", "embedding_dimension", "framework_type"):
            if getattr(config, name) is None:
                yield f"model_config.{name} is missing: a TEXT_EMBEDDING model needs it"


def newer(config: ModelConfig, model_format: str | None) -> Iterator[tuple[str, str]]:
    """Return the values that older servers ignore silently, which changes the vectors, and the version that added them.

    A sentence-transformers model does the pooling itself, unless it is an ONNX one.
    """
    pools_itself = _is(config.framework_type, FrameworkType.SENTENCE_TRANSFORMERS) and not _is(model_format, "ONNX")
    if config.pooling_mode and not _is(config.pooling_mode, PoolingMode.MEAN) and not pools_itself:
        yield "model_config.pooling_mode", "2.5"
    for name in ("query_prefix", "passage_prefix"):
        if getattr(config, name):
            yield f"model_config.{name}", "2.13"


def _is(given: str | None, word: str) -> bool:
    return (given or "").upper() == word
