"""What an option takes: a wrong type or value is refused at once, by name, with what was given and what is accepted."""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable, Collection, Mapping
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeAlias, TypeVar

import attrs

from aiomlcommons.spelling import did_you_mean

P = ParamSpec("P")
T = TypeVar("T")

Check: TypeAlias = Callable[[str, Any], None]
"""Takes the name of an option and its value. Raises TypeError or ValueError."""

SHOWN = 60


def _anything(_: Any) -> bool:
    return True


@attrs.frozen
class Rule:
    """The kinds of values that an option takes, and which of them; ``accepted`` says so in words.

    A value of another kind is a TypeError, another value of these kinds a ValueError. With ``secret`` no message shows
    the value. A rule is a validator of attrs as well.
    """

    kinds: tuple[type, ...]
    accepted: str
    holds: Callable[[Any], Any] = _anything
    secret: bool = False

    def check(self, name: str, value: Any) -> None:
        """Raise TypeError or ValueError if a value does not keep to the rule."""
        # To Python True is the number 1, but it is never meant as one.
        if not isinstance(value, self.kinds) or (isinstance(value, bool) and bool not in self.kinds):
            raise TypeError(f"{name} must be {self.accepted}, not {_shown(value, secret=self.secret)}")
        if not self.holds(value):
            given = "; what is given is not shown" if self.secret else f", not {_shown(value, secret=False)}"
            raise ValueError(f"{name} must be {self.accepted}{given}")

    def __call__(self, instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        """Check a field of an attrs class."""
        self.check(f"{type(instance).__name__}.{attribute.alias}", value)


def _shown(value: Any, *, secret: bool) -> str:
    # Only plain values are shown: the repr of any other object may hold a credential.
    if value is None or (not secret and isinstance(value, (Real, str))):
        text = repr(value)
        return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    return type(value).__name__


def is_finite(value: Any) -> bool:
    """Return whether a number is finite, and one that a float can hold."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_printable(text: str) -> bool:
    """Return whether a header can hold a text; a line break in it would begin another header."""
    return text.replace("\t", " ").isprintable()


FLAG = Rule((bool,), "True or False")
COUNT = Rule((Integral,), "a whole number of at least 0", lambda count: count >= 0)
AMOUNT = Rule((Integral,), "a whole number of at least 1", lambda count: count >= 1)
SECONDS = Rule((Real,), "a number of seconds of at least 0", lambda seconds: seconds >= 0)
# Zero is refused because aiohttp takes it for no limit at all.
LIMIT = Rule(
    (Real, type(None)),
    "a number of seconds above 0, or None for no limit",
    lambda seconds: seconds is None or (is_finite(seconds) and seconds > 0),
)
HEADER = Rule(
    (str,), "a printable text without line breaks, not empty", lambda text: text.strip() and is_printable(text)
)
_VALUE = Rule((str,), "a printable text without line breaks", is_printable, secret=True)
# RFC 9110, section 5.6.2. Not shown, because who confuses name and value gives a secret here.
_NAME = Rule(
    (str,),
    "a word of letters, digits and !#$%&'*+-.^_`|~",
    re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII).fullmatch,
    secret=True,
)
MAPPING = Rule((Mapping,), "a mapping from names to texts", secret=True)


def headers(name: str, value: Any) -> None:
    """Refuse headers that no request can carry; their values may be secrets, and are not shown."""
    MAPPING.check(name, value)
    for key, text in value.items():
        _NAME.check(f"a name in {name}", key)
        _VALUE.check(f"{name}[{key!r}]", text)


def checked(rules: Mapping[str, Check]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Check the keyword arguments of a function by their rules before it runs; a default value is always accepted.

    An argument that the function does not take is a TypeError that says which one may be meant.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        parameters = inspect.signature(function).parameters

        @functools.wraps(function)
        def wrapper(*arguments: P.args, **options: P.kwargs) -> T:
            for name, value in options.items():
                if name not in parameters:
                    raise TypeError(no_such_option(name, list(parameters)[1:]))
                if name in rules and value is not parameters[name].default:
                    rules[name](name, value)
            return function(*arguments, **options)

        return wrapper

    return decorate


def no_such_option(name: str, known: Collection[str]) -> str:
    """Return the words that a name is that of no option, and which may be meant."""
    return f"there is no option {name!r}; {did_you_mean(name, known, 'there are ' + ', '.join(known))}"
