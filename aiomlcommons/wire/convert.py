"""The converter (cattrs) between wire data and typed classes. Strict: types are never coerced."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import cattrs

from aiomlcommons.endpoint import Request
from aiomlcommons.net.secret import Secret
from aiomlcommons.record import Null
from aiomlcommons.wire import _hooks
from aiomlcommons.wire._unions import is_union, union_in

T = TypeVar("T")
# Masks the values of fields that hold secrets in error messages.
_SHOWN = re.compile(r"got .*(?= @ \$\S*\.(?:credential|headers)\b)", re.DOTALL)


class Unreadable(ValueError):
    """Data that does not match its type; ``problems`` has a message with the path for each mismatch."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def structure(data: Any, cls: type[T]) -> T:
    """Convert wire data to a type. Raises Unreadable with the path of each problem."""
    try:
        return _fast.structure(data, cls)
    except Exception:
        return _explain(data, cls)


def _explain(data: Any, cls: type[T]) -> T:
    # The detailed converter is a sixth slower, so it runs only to explain a failure.
    try:
        return _detailed.structure(data, cls)
    except Exception as error:
        problems = cattrs.transform_error(error, path="$", format_exception=_words)
        raise Unreadable([_SHOWN.sub("got ***", problem) for problem in problems]) from None


def unstructure(value: Any, declared: Any = None) -> Any:
    """Convert a typed value to wire data: None is omitted, NULL is null, ``extra`` is included."""
    return _fast.unstructure(value, unstructure_as=declared)


def checked(request: Request[Any]) -> tuple[dict[str, Any], Request[Any]]:
    """Validate a request by a round trip; return its wire data, and the request as read back from that.

    Raises Unreadable, naming each field that does not match its type.
    """
    keys: dict[str, Any] = unstructure(request)
    return keys, structure(keys, type(request))


def _words(error: BaseException, _: Any) -> str:
    if isinstance(error, KeyError):
        return f"required key {error} is missing"
    return str(error) or type(error).__name__


def _converter(*, detailed: bool) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=detailed)
    read = converter.register_structure_hook
    read(str, _hooks.strict((str,), "a string"))
    read(bool, _hooks.strict((bool,), "true or false"))
    read(int, _hooks.strict((int,), "an integer"))
    read(float, _hooks.strict((int, float), "a number"))
    read(bytes, _hooks.strict((bytes,), "bytes"))
    read(Secret, lambda data, _: data if isinstance(data, Secret) else Secret(data))
    factory = converter.register_structure_hook_factory
    factory(_hooks.is_object, partial(_hooks.object_in, converter))
    factory(_hooks.is_sequence, partial(_hooks.sequence_in, converter))
    factory(_hooks.is_mapping, partial(_hooks.mapping_in, converter))
    factory(_hooks.is_literal, _hooks.literal_in)
    factory(is_union, partial(union_in, converter))
    converter.register_unstructure_hook(Null, lambda _: None)
    converter.register_unstructure_hook(Secret, lambda value: value.reveal())
    converter.register_unstructure_hook_factory(_hooks.is_object, partial(_hooks.object_out, converter))
    converter.register_unstructure_hook_factory(_hooks.is_sequence, partial(_hooks.sequence_out, converter))
    converter.register_unstructure_hook_factory(_hooks.is_mapping, partial(_hooks.mapping_out, converter))
    return converter


_fast = _converter(detailed=False)
_detailed = _converter(detailed=True)
