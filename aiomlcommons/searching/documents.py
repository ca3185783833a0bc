"""Reading documents into the user's own class: a data class, an attrs class, a TypedDict, or what a function makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, TypeAlias, TypeVar, get_origin, is_typeddict

import attrs
import cattrs
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
    if isinstance(plain, type) and (attrs.has(plain) or dataclasses.is_dataclass(plain) or is_typeddict(plain)):
        converter = _converter()
        return lambda document: converter.structure(document, into)
    return into  # type: ignore[no-any-return]


@cache
def _converter() -> cattrs.Converter:
    converter = make_converter()
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


def _moment(value: Any, _: Any) -> datetime:
    """Return the moment of a date field: ISO 8601, or epoch milliseconds."""
    if type(value) in {int, float}:
        return datetime.fromtimestamp(value / 1000, UTC)
    return datetime.fromisoformat(value)


def _words(error: BaseException, _: Any) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _name(into: Any) -> str:
    return getattr(into, "__name__", None) or str(into)
