"""The field of an index that holds the vectors of a model: its mapping, and the settings of the index that it needs.

https://docs.opensearch.org/latest/mappings/supported-field-types/knn-methods-engines/
https://docs.opensearch.org/latest/mappings/supported-field-types/sparse-vector/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.spelling import did_you_mean
from aiomlcommons.typed import typed_but

Method: TypeAlias = str | Mapping[str, Any]
"""A method by its name, or as the mapping has it: ``{"name": "hnsw", "parameters": {"m": 32}}``."""

ENGINES = ("faiss", "lucene", "nmslib", "jvector")
METHODS = ("hnsw", "ivf", "flat", "disk_ann", "seismic")
SPACES = ("cosinesimil", "innerproduct", "l2", "l1", "linf", "hamming")
# The space of a field that names none.
DEFAULT_SPACE = "l2"
# Every engine has this method.
USUAL_METHOD = "hnsw"
# Ranks vectors of any length as the models that do not say otherwise were trained to be compared.
USUAL_SPACE = "cosinesimil"
# What the caller says of a field by one of these settles its space or excludes a method.
_SETTLED = {"space_type", "engine", "mode", "compression_level", "model_id", "data_type"}


def _near(known: tuple[str, ...]) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """Return a validator that refuses a word which is nearly a known one; the server judges any other."""

    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        name = value.get("name") if isinstance(value, Mapping) else value
        if name is None and value is None:
            return
        if not isinstance(name, str) or not name.strip():
            raise InvalidRequest(f"{attribute.name} must be a name like {known[0]!r}, not {value!r}")
        if name not in known and (hint := did_you_mean(name, known)):
            raise InvalidRequest(f"{attribute.name}: there is no {name!r}; {hint}")

    return check


class Field(Protocol):
    """A field that an index is to have."""

    @property
    def type(self) -> str:
        """The type of the field."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that an index with such a field needs."""
        ...

    def mapping(self, given: Mapping[str, Any], /) -> dict[str, Any]:
        """Return the mapping of the field; ``given`` is what the caller's own body says of it, and is added later."""
        ...

    def differing(self, found: Mapping[str, Any]) -> Iterator[str]:
        """Yield how the mapping of a field of this type differs, in words that follow its name."""
        ...


@attrs.frozen(kw_only=True, field_transformer=typed_but("engine method space_type"))
class VectorField:
    """What a field is to hold, and how it is to be searched.

    Attributes:
        dimension: The length of the vectors; None if they are sparse, or if it is not known.
        sparse: Whether they are ``{token: weight}``.
        engine: The engine that was asked for. Default: the server's own.
        method: The method that was asked for; ``seismic`` makes a ``sparse_vector`` of a sparse field.
        space_type: The space that was asked for. Default: one that suits the model.
        suits: The spaces that rank the model's vectors as it was trained for, the best first; empty if not known.
    """

    dimension: int | None = None
    sparse: bool = False
    engine: str | None = attrs.field(default=None, validator=_near(ENGINES))
    method: Method | None = attrs.field(default=None, validator=_near(METHODS))
    space_type: str | None = attrs.field(default=None, validator=_near(SPACES))
    suits: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        for name in ("engine", "space_type") if self.sparse else ():
            if getattr(self, name) is not None:
                raise InvalidRequest(
                    f"{name}={getattr(self, name)!r} is for dense vectors, and the model's are sparse: leave it out; "
                    "method='seismic' makes a field of type sparse_vector"
                )

    @property
    def type(self) -> str:
        """The type of the field."""
        if not self.sparse:
            return "knn_vector"
        return "rank_features" if self.method is None else "sparse_vector"

    @property
    def asked(self) -> dict[str, Any]:
        """What was asked for, as the parts of a method."""
        method = {"name": self.method} if isinstance(self.method, str) else dict(self.method or {})
        others = {"engine": self.engine, "space_type": self.space_type}
        return method | {name: value for name, value in others.items() if value is not None}

    def mapping(self, given: Mapping[str, Any], /) -> dict[str, Any]:
        """Return the mapping of the field; ``given`` is what the caller's own body says of it, and is added later."""
        if self.type == "rank_features":
            return {"type": self.type}
        if self.sparse:
            return {"type": self.type, "method": self.asked}
        # A method has its space in every version of k-NN; as a parameter of the field only newer ones know it.
        method = {"name": USUAL_METHOD, "space_type": self.suits[0] if self.suits else USUAL_SPACE, **self.asked}
        field = {"type": self.type, "dimension": self.dimension}
        return field if not self.asked and given.keys() & _SETTLED else {**field, "method": method}

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that an index with such a field needs."""
        needed = {"knn_vector": {"index": {"knn": True}}, "sparse_vector": {"index": {"sparse": True}}}
        return dict(needed.get(self.type, {}))

    def differing(self, found: Mapping[str, Any]) -> Iterator[str]:
        """Yield how the mapping of a field of this type differs. What either side does not tell is not compared."""
        dimension = found.get("dimension")
        if None not in {dimension, self.dimension} and int(str(dimension)) != self.dimension:
            yield f"is of dimension {dimension}, and these vectors of {self.dimension}"
        method: Mapping[str, Any] = found.get("method") or {}
        known = {"engine": found.get("engine"), **method, "space_type": space_of(found)}
        for key, words in {"engine": "the engine", "space_type": "the space", "name": "the method"}.items():
            has, asked = known.get(key), self.asked.get(key)
            # k-NN calls an engine that it chooses itself undefined.
            if None not in {has, asked} and has not in {asked, "undefined"}:
                yield f"has {words} {has}, not {asked}"
        there: Mapping[str, Any] = method.get("parameters") or {}
        for key, asked in (self.asked.get("parameters") or {}).items():
            if key in there and there[key] != asked:
                yield f"has the parameter {key} {there[key]}, not {asked}"


def space_of(found: Mapping[str, Any]) -> str | None:
    """Return the space of a dense field; None if a trained model, or its type of numbers, decides it."""
    if "model_id" in found or str(found.get("data_type", "float")).lower() == "binary":
        return None
    return str((found.get("method") or {}).get("space_type") or found.get("space_type") or DEFAULT_SPACE)
