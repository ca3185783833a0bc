"""The one converter between wire data and typed classes. Strict: a number where text belongs is an error."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import cattrs

from aiomlcommons.endpoint import Null, Request
from aiomlcommons.net.secret import Secret
from aiomlcommons.wire import _hooks
from aiomlcommons.wire._unions import is_union, union_in

T = TypeVar("T")
# What stands in the fields that hold secrets is not shown, also where it does not fit.
_SHOWN = re.compile(r"got .*(?= @ \$\S*\.(?:credential|headers)\b)", re.DOTALL)


class Unreadable(ValueError):
    """Data that does not fit its type; ``problems`` says what and where."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def structure(data: Any, cls: type[T]) -> T:
    """Read wire data into a type.

    Raises Unreadable with the path of each problem.
    """
    try:
        return _fast.structure(data, cls)
    except Exception:
        return _explain(data, cls)


def _explain(data: Any, cls: type[T]) -> T:
    # The detailed converter costs a sixth more time, so it runs only to say what went wrong.
    try:
        return _detailed.structure(data, cls)
    except Exception as error:
        problems = cattrs.transform_error(error, path="$", format_exception=_words)
        raise Unreadable([_SHOWN.sub("got ***", problem) for problem in problems]) from None


def unstructure(value: Any, declared: Any = None) -> Any:
    """Turn a typed value into wire data: None is left out, NULL is null, ``extra`` is put back."""
    return _fast.unstructure(value, unstructure_as=declared)


def checked(request: Request[Any]) -> tuple[dict[str, Any], Request[Any]]:
    """The wire data of a request that would be read back as it was written, and the request as read back.

    Raises Unreadable, naming each field, for any other.
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
