"""Odd values for every public parameter: found by their types, refused by name before anything is sent.

``python -m tests.reliability.odd_values`` tries each value that the type of a parameter does not take, and of numbers
those that make no sense (NaN, negative), at every place that takes options. ``PLACES`` names them, with arguments that
are right; what a parameter takes is read from its annotation, so a new one is tried without a line here.
"""

from __future__ import annotations

import argparse
import asyncio
import collections.abc
import importlib
import inspect
import math
import os
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from numbers import Integral, Real
from typing import Any, Literal, Union

import attrs
import orjson

from aiomlcommons import ENDPOINTS, HttpRequest, HttpResponse, Session, Timeout
from tests.reliability import ledger
from tests.reliability.odd_places import PLACES, Place
from tests.support.import_graph import modules

INFO = {"version": {"distribution": "opensearch", "number": "3.9.0"}}


class Odd:
    """An object of a class that no option knows."""

    def __repr__(self) -> str:
        return "<odd>"


VALUES: tuple[Any, ...] = (None, True, 0.5, math.nan, -1, b"bytes", "odd", [5], {"a": 5}, Odd())


@attrs.frozen
class Trial:
    """A parameter of a place, and a value that it must refuse."""

    place: Place
    parameter: str
    value: Any

    def __str__(self) -> str:
        return f"{self.place.name}({self.parameter}={self.value!r})"


def endpoints() -> list[Place]:
    """Return the endpoints of the API as places, but those of which a required field takes nothing simple."""
    return [place for one in ENDPOINTS if (place := _endpoint(one)) is not None]


def _endpoint(request: Any) -> Place | None:
    hints = hints_of(request)
    needed = [field.alias for field in attrs.fields(request) if field.init and field.default is attrs.NOTHING]
    simple = ("x", 1, True, ["x"], {"a": "b"})
    given = {name: next((one for one in simple if accepts(hints[name], one, True)), ...) for name in needed}
    if ... in given.values():
        return None
    return Place(request.__name__, request, lambda ml, options: ml.send(request(**options)), given, negative=True)


def trials(places: Iterable[Place]) -> Iterator[Trial]:
    """Yield every trial at some places."""
    for place in places:
        for name, hint in hints_of(place.takes).items():
            if name in place.skip:
                continue
            for value in VALUES:
                # A dict may stand for an object of the API.
                may_be_negative = place.may_be_negative(name)
                if not accepts(hint, value, may_be_negative) and not (may_be_negative and isinstance(value, dict)):
                    yield Trial(place, name, value)


def parameters(place: Place) -> list[str]:
    """Return the names of the parameters of a place that are tried, whatever their types."""
    return [name for name in hints_of(place.takes) if name not in place.skip]


@cache
def _names() -> dict[str, Any]:
    """Return the names of all modules of the package, for annotations whose imports are for type checkers only."""
    found: dict[str, Any] = dict(vars(collections.abc))
    found |= vars(typing)
    for module in modules():
        if not module.endswith("__main__") and "pytest_plugin" not in module:
            loaded = importlib.import_module(f"aiomlcommons.{module}".removesuffix(".__init__"))
            found |= {name: value for name, value in vars(loaded).items() if not name.startswith("__")}
    return found


def hints_of(function: Any) -> dict[str, Any]:
    """Return the types of the parameters of a function or a class; those of ``**options`` one by one."""
    target = function.__init__ if inspect.isclass(function) else function
    target = inspect.unwrap(target)
    names = {**_names(), **getattr(target, "__globals__", {})}
    names |= {name: value for name, value in _names().items() if name not in names}
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self" or parameter.kind is parameter.VAR_POSITIONAL:
            continue
        hint = parameter.annotation
        try:
            hint = eval(hint, names) if isinstance(hint, str) else hint  # noqa: S307 - our own annotations
        except TypeError:  # an alias that only type checkers understand
            hint = Any
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        found[name] = hint
    return found


def accepts(hint: Any, value: Any, may_be_negative: bool = False) -> bool:
    """Return whether a type takes a value; also those that this does not judge, such as protocols, take it."""
    if isinstance(hint, str):
        hint = eval(hint, _names())  # noqa: S307
    if isinstance(hint, typing.ForwardRef):
        hint = eval(hint.__forward_arg__, _names())  # noqa: S307
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object, inspect.Parameter.empty) or isinstance(hint, typing.TypeVar):
        return True
    if origin in (Union, types.UnionType):
        return any(accepts(one, value, may_be_negative) for one in inner)
    if origin is typing.Annotated:
        return accepts(inner[0], value, may_be_negative)
    if origin is Literal:
        return value in inner
    if hint is None or hint is type(None):
        return value is None
    kind = origin or hint
    if kind in (int, float):
        if isinstance(value, bool) or not isinstance(value, Integral if kind is int else Real):
            return False
        return not math.isnan(value) and (float(value) >= 0 or may_be_negative)
    if kind is collections.abc.Callable:
        return callable(value)
    if not isinstance(kind, type) or getattr(kind, "_is_protocol", False):
        return _protocol(kind, value)
    if issubclass(kind, collections.abc.Mapping):
        return isinstance(value, Mapping) and all(accepts(inner[-1], one, True) for one in value.values() if inner)
    if issubclass(kind, collections.abc.Iterable) and not issubclass(kind, str | bytes):
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, kind):
            return False
        return all(accepts(inner[0], one, True) for one in value) if inner else True
    return isinstance(value, kind)


def _protocol(kind: Any, value: Any) -> bool:
    if kind is os.PathLike:
        return isinstance(value, os.PathLike)
    return True


def outcome(trial: Trial, sent: list[HttpRequest], loop: asyncio.AbstractEventLoop, ml: Session) -> str:
    """Return what is wrong with how a value is treated; empty if it is refused by name."""
    sent.clear()
    try:
        odd = {trial.parameter: trial.value} if trial.parameter else {}
        asked = trial.place.call(ml, {**trial.place.base(), **odd})
        if asked is not None:
            loop.run_until_complete(asyncio.wait_for(trial.place.finish(asked), 10))
    except (TypeError, ValueError) as error:
        if sent:
            return f"refused after {sent[0].method} {sent[0].path}: {error}"
        words = trial.place.words.get(trial.parameter, trial.parameter.rstrip("_"))
        return "" if words in str(error) else f"refused without its name: {type(error).__name__}: {str(error)[:150]}"
    except Exception as error:
        where = f" after {sent[0].method} {sent[0].path}" if sent else ""
        return f"{type(error).__name__}{where}: {str(error)[:150]}"
    return f"taken{', and sent' if sent else ''}"


@contextmanager
def opened() -> Iterator[tuple[Session, list[HttpRequest], asyncio.AbstractEventLoop]]:
    """Open a session that keeps what it is asked to send, and answers only which version its server has."""
    sent: list[HttpRequest] = []

    async def transport(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        if request.path == "/":  # the server's version, which decides what a request may have
            return HttpResponse(200, orjson.dumps(INFO), {"content-type": "application/json"}, request)
        sent.append(request)
        raise OSError("nothing is to be sent")

    with asyncio.Runner() as runner:
        ml = Session("http://node:9200", transport=transport)
        runner.run(ml.__aenter__())
        yield ml, sent, runner.get_loop()
        runner.run(ml.close())


def run(some: list[Trial]) -> Iterator[tuple[Trial, str]]:
    """Try values, and yield what is wrong with each."""
    with opened() as (ml, sent, loop):
        for trial in some:
            yield trial, outcome(trial, sent, loop, ml)


def main() -> None:
    """Try every value, and print what is wrong, or write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the row of docs/reliability.md")
    options = parser.parse_args()
    rows = [_row("every public parameter", PLACES), _row("every field of an endpoint", endpoints())]
    if options.write:
        ledger.write("odd-values", "python -m tests.reliability.odd_values --write", rows)
    sys.exit(any(row.losses for row in rows))


def _row(against: str, places: Sequence[Place]) -> ledger.Trials:
    some = list(trials(places))
    wrong = [(trial, words) for trial, words in run(some) if words]
    for trial, words in wrong:
        print(f"{trial}: {words}")
    count = sum(len(parameters(place)) for place in places)
    print(f"{against}: {len(some):,} odd values of {count} at {len(places)} places, {len(wrong)} not refused by name")
    return ledger.Trials(
        group="options",
        fault="an option of a wrong type, NaN or negative",
        promise="it is refused by an error that names it, before anything is sent",
        test="tests/reliability/test_odd_values.py",
        against=against,
        trials=len(some),
        losses=len(wrong),
    )


if __name__ == "__main__":
    main()
