"""The one converter between wire data and typed classes. Strict: a number where text belongs is an error."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

import cattrs

from aiomlcommons.endpoint import Request
from aiomlcommons.hooks import make_converter

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


_fast = make_converter(detailed=False)
_detailed = make_converter(detailed=True)
