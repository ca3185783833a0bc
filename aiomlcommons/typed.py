"""Parameters that are checked by their annotations: a value of another type is refused at once, by name.

Of numbers, NaN and those below zero are refused too, unless a parameter has a rule of its own. An annotation that says
no more than a protocol does, or whose names are imported for type checkers only, takes anything.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any, Literal, ParamSpec, TypeVar, cast, overload

import attrs

from aiomlcommons.net.rules import Check, Rule

P = ParamSpec("P")
T = TypeVar("T")


@overload
def typed(function: Callable[P, T], /) -> Callable[P, T]: ...
@overload
def typed(*, own: str = "", **rules: Check) -> Callable[[Callable[P, T]], Callable[P, T]]: ...
def typed(function: Callable[..., Any] | None = None, /, *, own: str = "", **rules: Check) -> Any:
    """Check the arguments of a function by their annotations before it runs; ``rules`` take the place of some.

    ``own`` names, with spaces between them, the parameters that the function checks itself, in words of its own.

    Raises TypeError for a value of another type, ValueError for a number that makes no sense.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        check = _Arguments(function, {**rules, **dict.fromkeys(own.split(), _anything)})
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*arguments: P.args, **options: P.kwargs) -> Any:
                check(arguments, options)
                return await cast(Any, function)(*arguments, **options)

            return cast(Callable[P, T], awaited)

        @functools.wraps(function)
        def called(*arguments: P.args, **options: P.kwargs) -> T:
            check(arguments, options)
            return function(*arguments, **options)

        return called

    return decorate if function is None else decorate(function)


def typed_but(own: str) -> Callable[[type, list[attrs.Attribute[Any]]], list[attrs.Attribute[Any]]]:
    """Return what ``typed_fields`` is, but for fields that the class checks itself; spaces divide their names."""

    def transform(kind: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
        checked = {field.name: field for field in typed_fields(kind, fields)}
        return [field if field.name in own.split() else checked[field.name] for field in fields]

    return transform


def typed_fields(kind: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Check the fields of an attrs class by their annotations: ``@attrs.frozen(field_transformer=typed_fields)``.

    A field that has a validator, or is not given by the caller, keeps what it has.
    """
    return [
        field.evolve(validator=_Field(kind.__module__)) if field.validator is None and field.init else field
        for field in fields
    ]


class _Field:
    """A validator of attrs that knows a field by its annotation."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __call__(self, _: Any, field: attrs.Attribute[Any], value: Any) -> None:
        if value is not field.default:
            _check_of(cast(Any, field.type), self._module)(field.alias or field.name, value)


class _Arguments:
    """The checks of the parameters of a function, made when it is called first."""

    def __init__(self, function: Any, rules: Mapping[str, Check]) -> None:
        self._function, self._rules = function, rules

    @functools.cached_property
    def _checks(self) -> Mapping[str, tuple[Any, Check]]:
        module, found = self._function.__module__, {}
        for name, parameter in inspect.signature(self._function).parameters.items():
            known = name != "self" and parameter.kind not in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}
            check = self._rules.get(name) or (_check_of(parameter.annotation, module) if known else _anything)
            found[name] = (parameter.default, check)
        return found

    def __call__(self, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        checks = self._checks
        for name, value in (*zip(checks, arguments, strict=False), *options.items()):
            if name in checks:  # else Python refuses it
                default, check = checks[name]
                if value is not default:
                    check(name, value)


def _anything(_: str, __: Any) -> None:
    """Take any value."""


@functools.cache
def _check_of(annotation: Any, module: str) -> Check:
    """Return the check of an annotation, which is a text of a module."""
    try:
        hint = eval(annotation, {}, _Names(module)) if isinstance(annotation, str) else annotation  # noqa: S307
    except TypeError:  # such as `"Name" | list[int]`, which only type checkers understand
        return _anything
    rules = _rules(hint, module)
    if rules is None:
        return _anything
    accepted = " or ".join(dict.fromkeys(rule.accepted for rule in rules))
    kinds = tuple(dict.fromkeys(kind for rule in rules for kind in rule.kinds))
    whole = Rule(kinds, accepted, lambda value: any(_keeps(rule, value) for rule in rules))

    def check(name: str, value: Any) -> None:
        for rule in rules:
            # The value itself is right: what is wrong is said of the one in it.
            if isinstance(rule, _Container) and isinstance(value, rule.kinds) and (odd := rule.odd(value)):
                key, one, inner = odd
                accepted = " or ".join(dict.fromkeys(each.accepted for each in inner))
                raise TypeError(f"{name}[{key!r}] must be {accepted}, not {type(one).__name__}")
        whole.check(name, value)

    return check


def _keeps(rule: Rule, value: Any) -> bool:
    return isinstance(value, rule.kinds) and (not isinstance(value, bool) or bool in rule.kinds) and rule.holds(value)


class _Names(dict[str, Any]):
    """The names of a module, and of Python; anything else may be anything."""

    def __init__(self, module: str) -> None:
        super().__init__(vars(sys.modules[module]))

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, Any)


_NUMBER = Rule((Real,), "a number of at least 0", lambda number: number >= 0)
_WHOLE = Rule((Integral,), "a whole number of at least 0", lambda number: number >= 0)
_PLAIN: Mapping[Any, Rule] = {
    None: Rule((type(None),), "None"),
    type(None): Rule((type(None),), "None"),
    bool: Rule((bool,), "True or False"),
    int: _WHOLE,
    float: _NUMBER,
    str: Rule((str,), "a string"),
    bytes: Rule((bytes,), "bytes"),
    os.PathLike: Rule((os.PathLike,), "a path"),
}


def _rules(hint: Any, module: str) -> list[Rule] | None:
    """Return what a hint takes, as rules of which one must hold; None if it takes anything."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        several = [_rules(one, module) for one in inner]
        return None if None in several else [rule for some in several for rule in some or ()]
    if origin is Literal:
        return [Rule((str,), " or ".join(map(repr, inner)), inner.__contains__)]
    if isinstance(hint, str):
        return _rules(eval(hint, {}, _Names(module)), module)  # noqa: S307
    kind = origin or hint
    if kind in _PLAIN:
        return [_PLAIN[kind]]
    if kind is Callable:
        return [Rule((object,), "a function", callable)]
    if not isinstance(kind, type) or kind is object or kind is Any or getattr(kind, "_is_protocol", False):
        return None
    if issubclass(kind, Mapping):
        return [_Container((kind,), "a mapping", inner=inner[-1:], module=module)]
    if issubclass(kind, Iterable) and kind is not str:
        return [_Container((kind,), "a list" if inner else f"a {kind.__name__}", inner=inner[:1], module=module)]
    return [Rule((kind,), f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}")]


@attrs.frozen
class _Container(Rule):
    """A rule for lists and mappings, each value of which keeps to its type; numbers in them may be any."""

    inner: tuple[Any, ...] = ()
    module: str = ""
    holds: Callable[[Any], Any] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "holds", lambda value: self._is_one(value) and self.odd(value) is None)

    def odd(self, value: Any) -> tuple[Any, Any, list[Rule]] | None:
        """Return the first value of another type, with its key or index, and what it might be."""
        rules = _rules(self.inner[0], self.module) if self.inner and self._is_one(value) else None
        if rules is None or isinstance(value, Iterator):  # which may be read only once
            return None
        for key, one in value.items() if isinstance(value, Mapping) else enumerate(value):
            may_be = (isinstance(one, rule.kinds) if rule in (_NUMBER, _WHOLE) else _keeps(rule, one) for rule in rules)
            if not any(may_be):
                return key, one, rules
        return None

    def _is_one(self, value: Any) -> bool:
        # A string is a list of strings to Python, and never meant as one.
        is_mapping = issubclass(self.kinds[0], Mapping)
        return is_mapping or not isinstance(value, str | bytes | Mapping)
