"""The converter (cattrs) between wire data and typed classes. Strict: types are never coerced."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import cattrs

from aiomlcommons.endpoint import Request
from aiomlcommons.masking import MASK, is_secret, without_credentials
from aiomlcommons.net.secret import Secret
from aiomlcommons.record import Null
from aiomlcommons.wire import _hooks
from aiomlcommons.wire._finite import not_finite
from aiomlcommons.wire._plain import plain_keys
from aiomlcommons.wire._unions import is_union, union_in

T = TypeVar("T")
# A problem as cattrs words it: the value, and the path of the field that it is in.
_PROBLEM = re.compile(r"(?P<words>.*)got .* @ (?P<path>\$\S*)", re.DOTALL)
_NAME = re.compile(r"[\w-]+")


class Unreadable(ValueError):
    """Data that does not match its type; ``problems`` has a message with the path for each mismatch."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def structure(data: Any, cls: type[T]) -> T:
    """Convert wire data to a type. Raises Unreadable with the path of each problem."""
    try:
        return _fast.structure(data, cls)
    except Exception:  # noqa: S110
        pass
    # Not above: the converter's errors hold the values, so that they must not be the context of others either.
    return _explain(data, cls)


def _explain(data: Any, cls: type[T]) -> T:
    # The detailed converter is a sixth slower, so it runs only to explain a failure.
    try:
        return _detailed.structure(data, cls)
    except Exception as error:
        problems = cattrs.transform_error(error, path="$", format_exception=_words)
    raise Unreadable(list(map(_masked, problems)))


def _masked(problem: str) -> str:
    """Mask the value in the message of a problem, if a name in its path is that of a credential."""
    found = _PROBLEM.fullmatch(problem)
    if found and any(name == "headers" or is_secret(name) for name in _NAME.findall(found["path"])):
        return f"{found['words']}got {MASK} @ {found['path']}"
    return without_credentials(problem)


def unstructure(value: Any, declared: Any = None) -> Any:
    """Convert a typed value to wire data: None is omitted, NULL is null, ``extra`` is included."""
    return _fast.unstructure(value, unstructure_as=declared)


def checked(request: Request[Any]) -> tuple[dict[str, Any], Request[Any]]:
    """Validate a request by a round trip; return its wire data, and the request as read back from that.

    Plain values are checked without one. Raises Unreadable, naming each field that does not match its type.
    """
    if (plain := plain_keys(request)) is not None:
        return plain, request
    keys: dict[str, Any] = unstructure(request)
    if problems := list(not_finite(keys)):
        raise Unreadable(problems)
    return keys, structure(keys, type(request))


def values_of(request: Request[Any], method: Callable[[Any], Iterable[T]]) -> Iterable[T]:
    """Return what a method of a request tells of its values, with typed objects for those that are given as dicts.

    Nothing if a value does not match its type, which is said where the request is encoded.
    """
    if getattr(type(request), method.__name__) is method:
        return ()  # the base's, as most requests have it
    with suppress(Unreadable):
        return getattr(checked(request)[1], method.__name__)()  # type: ignore[no-any-return]
    return ()


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
