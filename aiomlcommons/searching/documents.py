"""Reading documents into the user's own class: a class with named and typed fields, or what a function makes."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, MutableSequence, MutableSet, Sequence, Set
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, TypeAlias, TypeVar, get_args, get_origin, is_typeddict

import attrs
import cattrs
from cattrs.cols import (
    is_any_set,
    is_namedtuple,
    is_sequence,
    list_structure_factory,
    namedtuple_dict_structure_factory,
)
from cattrs.preconf.orjson import make_converter

from aiomlcommons.api.common import Hit, Hits
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.record import kind_of
from aiomlcommons.searching.errors import WrongDocument

T = TypeVar("T")
Into: TypeAlias = Callable[..., T] | None
Read: TypeAlias = Callable[[dict[str, Any]], Any]
# Those of JSON, which is not converted: a text is no number.
_PLAIN: dict[type, tuple[tuple[type, ...], str]] = {
    str: ((str,), "a string"),
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}


# What is made for the names of kinds of them.
_ARRAYS: dict[Any, type] = {Sequence: tuple, MutableSequence: list, Set: frozenset, MutableSet: set}
# Classes whose fields have names and types.
_KINDS: tuple[Callable[[Any], bool], ...] = (attrs.has, dataclasses.is_dataclass, is_typeddict, is_namedtuple)


def read_hits(hits: Hits[dict[str, Any]], into: Into[T]) -> Hits[Any]:
    """Return the hits with their documents as ``into`` says. Raises WrongDocument."""
    if into is None or into is dict:
        return hits
    read = _reader(into)
    found: Any = [_read_hit(hit, read, into) for hit in hits]
    made: Hits[Any] = _changed(hits, hits=_changed(hits.hits, hits=found))
    return made


def check_into(into: Any) -> None:
    """Raise InvalidRequest unless documents can be read so."""
    if into is not None and not callable(into):
        raise InvalidRequest(f"into must be a class or a function of a document, not {kind_of(into)}")


def _read_hit(hit: Hit[dict[str, Any]], read: Read, into: Any) -> Hit[Any]:
    if not hit.has_source:
        return hit
    try:
        made: Hit[Any] = _changed(hit, source=read(hit.source))
    except cattrs.BaseValidationError as error:
        problems = "; ".join(cattrs.transform_error(error, path="$", format_exception=_words))
    except Exception as error:
        error.add_note(f"in the document {hit.id!r} of {hit.index}")
        raise
    else:
        return made
    raise WrongDocument(f"the document {hit.id!r} of {hit.index} is no {_name(into)}: {problems}", hit)


def _changed(value: Any, **fields: Any) -> Any:
    return attrs.evolve(value, **fields)


def _reader(into: Any) -> Read:
    if hasattr(into, "model_validate"):  # a class of pydantic
        read: Read = into.model_validate
        return read
    plain = get_origin(into) or into
    if isinstance(plain, type) and any(is_kind(plain) for is_kind in _KINDS):
        converter = _converter()
        return lambda document: converter.structure(document, into)
    return into  # type: ignore[no-any-return]


@cache
def _converter() -> cattrs.Converter:
    converter = make_converter()
    for is_array in (is_sequence, is_any_set):
        converter.register_structure_hook_factory(is_array, _array)
    converter.register_structure_hook_factory(is_namedtuple, namedtuple_dict_structure_factory)
    converter.register_structure_hook(bytes, lambda value, _: base64.b64decode(value, validate=True))
    for cls, (accepted, what) in _PLAIN.items():
        converter.register_structure_hook(cls, _only(accepted, what))
    converter.register_structure_hook(datetime, _moment)
    converter.register_structure_hook(date, lambda value, _: _moment(value, None).date())
    return converter


def _only(accepted: tuple[type, ...], what: str) -> Callable[[Any, Any], Any]:
    def check(value: Any, _: Any) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
            raise TypeError(f"it must be {what}, not {value!r:.60}")
        return value

    return check


def _array(cls: Any, converter: cattrs.BaseConverter) -> Callable[[Any, Any], Any]:
    """Make a hook for arrays. A text is no list of its letters, and an object none of its keys."""
    kind = get_origin(cls) or cls
    make: Any = _ARRAYS.get(kind, kind)
    item = (*get_args(cls), Any)[0]
    read = list_structure_factory(list[item], converter)  # type: ignore[valid-type]

    def check(value: Any, declared: Any) -> Any:
        if not isinstance(value, list):
            raise TypeError(f"it must be a list, not {value!r:.60}")
        return make(read(value, declared))

    return check


def _moment(value: Any, _: Any) -> datetime:
    """Return the moment of a date field: ISO 8601, or epoch milliseconds."""
    if type(value) in {int, float}:
        return datetime.fromtimestamp(value / 1000, UTC)
    return datetime.fromisoformat(value)


def _words(error: BaseException, _: Any) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _name(into: Any) -> str:
    return getattr(into, "__name__", None) or str(into)
