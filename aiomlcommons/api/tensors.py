"""Tensors: the outputs of models and agents."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

import attrs

from aiomlcommons.record import Record, record


class DataType(StrEnum):
    """Data type of a tensor."""

    FLOAT32 = "FLOAT32"
    FLOAT64 = "FLOAT64"
    FLOAT16 = "FLOAT16"
    UINT8 = "UINT8"
    INT32 = "INT32"
    INT8 = "INT8"
    INT64 = "INT64"
    BOOLEAN = "BOOLEAN"
    UNKNOWN = "UNKNOWN"
    STRING = "STRING"
    BINARY = "BINARY"
    UBINARY = "UBINARY"


@record
class ByteBuffer(Record):
    """A tensor's bytes: base64 text in JSON, raw bytes in CBOR; ``order`` is ``LITTLE_ENDIAN`` or ``BIG_ENDIAN``."""

    array: str | bytes = attrs.field(repr=lambda array: f"<{len(array)}>")
    order: str


@record
class MapTensor(Record):
    """An output that is a map: token weights, highlights, or a provider's own JSON."""

    dataAsMap: Mapping[str, Any]
    name: str | None = None


@record
class TextTensor(Record):
    """An output that is text, such as an answer or the result of a tool."""

    result: str
    name: str | None = None


@record
class NumberTensor(Record):
    """An output of numbers, as a list, as bytes, or both: an embedding, a score."""

    data_type: DataType | str | None = None
    shape: list[int] | None = None
    data: list[float] | None = None
    byte_buffer: ByteBuffer | None = None
    name: str | None = None


# Outputs are told apart by their fields; one with a name only is parsed as a NumberTensor without its numbers.
ModelTensor: TypeAlias = MapTensor | TextTensor | NumberTensor


@record
class ModelTensors(Record):
    """A local model's outputs for one document, or a remote model's for one call."""

    output: list[ModelTensor] | None = None
    status_code: int | None = None
