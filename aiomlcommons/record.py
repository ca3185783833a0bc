"""Records: the JSON objects of the API as frozen attrs classes, and where the fields of a request travel."""

from __future__ import annotations

import enum
from typing import Any, ClassVar, Final, Literal, TypeVar, dataclass_transform

import attrs

from aiomlcommons.display.brief import brief, brief_headers
from aiomlcommons.display.shown import Readable

T = TypeVar("T")


class Null(enum.Enum):
    """The type of ``NULL``."""

    NULL = "null"

    def __repr__(self) -> str:
        return "NULL"

    def __bool__(self) -> Literal[False]:
        return False


NULL: Final = Null.NULL
"""An explicit JSON ``null``, for APIs that distinguish it from an absent key (``None`` leaves the key out)."""


def in_query(*, wire: str | None = None, default: Any = None) -> Any:
    """Declare a field of the query string, named ``wire`` there if its name is a keyword of Python."""
    metadata = {"in": "query"} if wire is None else {"in": "query", "wire": wire}
    return attrs.field(default=default, metadata=metadata)


def as_body(*, default: Any = attrs.NOTHING, factory: Any = None) -> Any:
    """Declare the field that is the whole body: a search DSL, a JSON array, or raw bytes."""
    if factory is not None:
        return attrs.field(factory=factory, metadata={"in": "body"})
    return attrs.field(default=default, metadata={"in": "body"})


def renamed(wire: str, *, default: Any = attrs.NOTHING) -> Any:
    """Declare a field whose name on the wire attrs does not accept, such as ``_id``."""
    return attrs.field(default=default, metadata={"wire": wire})


def masked(*, default: Any = attrs.NOTHING) -> Any:
    """Declare a field that may hold secrets: it is sent in full and masked in ``repr``."""
    return attrs.field(default=default, repr=lambda value: "None" if value is None else "'***'")


def mask_secrets(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Mask the values of secret names, such as ``api_key`` in ``parameters``, in the ``repr`` of each field.

    The repr of records and requests does so itself; this is for subclasses for which attrs makes one.
    """
    return [
        field.evolve(repr=brief_headers if field.name == "headers" else brief) if field.repr is True else field
        for field in fields
    ]


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field, renamed, masked))
def record(cls: type[T]) -> type[T]:
    """Turn a class into a record: a frozen JSON object of the API."""
    return attrs.frozen(cls, repr=False, field_transformer=mask_secrets)


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(attrs.field, in_query, renamed, masked)
)
def mixin(cls: type[T]) -> type[T]:
    """Turn a class into a set of keyword-only fields that several requests share."""
    return attrs.frozen(cls, kw_only=True, repr=False, field_transformer=mask_secrets)


@record
class Record(Readable):
    """Base of a JSON object of the API. Unknown keys are kept in ``extra`` and written back.

    Its ``repr`` is short; ``to_dict()`` and ``to_json()`` have everything, and ``from_dict`` reads it back.
    A field without a default is always serialized; one whose default is None is omitted when None.
    """

    extra: dict[str, Any] = attrs.field(factory=dict, kw_only=True)


@record
class Tagged(Record):
    """Base of an object that the API wraps in another one, whose only key is its type: ``{"rerank": {...}}``."""

    type: ClassVar[str]


def kind_of(value: Any) -> str:
    """Return the type of a value that is not what was wanted, and, of a record, where the id is that may be meant."""
    name = type(value).__name__
    if not isinstance(value, Record):
        return name
    place = next((place for place in ("id", "model_id") if isinstance(getattr(value, place, None), str)), None)
    return (
        f"{name}: give its {place}"
        if place
        else f"{name}, which does not have its own id: give the id that it was found by"
    )
