"""Canaries, and the search for them in whatever leaves: as they are, and in base64 at any place of it."""

from __future__ import annotations

import base64
import pickle
import pprint
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import attrs

T = TypeVar("T")


def _in_base64(text: str) -> Iterator[str]:
    """Yield what base64 makes of a text, whatever comes before and after it."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + text.encode()).decode()
        yield encoded[-(-before * 4 // 3) : (before + len(text)) * 4 // 3]


@attrs.define
class Canaries:
    """The canaries by the place where each was planted."""

    planted: dict[str, str] = attrs.field(factory=dict)

    def plant(self, place: str) -> str:
        """Return the secret of a place: always the same one, and no other place's."""
        return self.planted.setdefault(place, f"cAnary{len(self.planted):04d}Xq7")

    def places_in(self, data: str | bytes) -> set[str]:
        """Return the places whose secret is in some data."""
        text = data.decode("latin-1") if isinstance(data, bytes) else data
        if "cAnary" not in text and not any(sign in text for sign in _SIGNS):
            return set()
        return {place for place, secret in self.planted.items() if any(form in text for form in _forms(secret))}


def _forms(secret: str) -> list[str]:
    return [secret, *_in_base64(secret)]


_SIGNS = tuple(_in_base64("cAnary"))


@attrs.frozen
class Leak:
    """A canary that was found: the place where it was planted, the kind of output, and where in that it was."""

    place: str
    output: str
    where: str


@attrs.define
class Outputs:
    """Everything that left, by kind. Only what holds a canary is kept.

    With a ``step`` a scene does only every so many of its deeds.
    """

    canaries: Canaries = attrs.field(factory=Canaries)
    step: int = 1
    searched: Counter[str] = attrs.field(factory=Counter)
    leaks: list[Leak] = attrs.field(factory=list)

    def some(self, deeds: Iterable[T]) -> list[T]:
        """Return every ``step``-th deed."""
        return list(deeds)[:: self.step]

    def add(self, kind: str, where: str, data: str | bytes) -> None:
        """Search an output."""
        self.searched[kind] += 1
        self.leaks += [Leak(place, kind, where) for place in sorted(self.canaries.places_in(data))]

    def show(self, where: str, value: Any) -> None:
        """Search what any way of printing a value shows, and the values that it is made of."""
        for shown in (repr, str, "{}".format, ascii, pprint.pformat):
            self.add("repr, str, format", where, shown(value))
        if hasattr(value, "_repr_html_"):
            self.add("HTML in notebooks", where, value._repr_html_())
        if hasattr(value, "__rich_repr__"):
            self.add("repr by rich", where, repr(list(value.__rich_repr__())))
        for name, part in _parts(value).items():
            self.add("repr of attributes", f"{where}.{name}", part)

    def error(self, where: str, error: BaseException) -> None:
        """Search all that a log, a debugger or a crash report has of an error, and of what caused it."""
        self.add("tracebacks", where, "".join(traceback.format_exception(error)))
        self.add("pickles of errors", where, _pickled(error))
        for one in _chain(error):
            self.show(where, one)
            self.add("notes of errors", where, repr(getattr(one, "__notes__", ())))
            self.add("repr of attributes", where, repr(one.args))


def _parts(value: Any) -> dict[str, str]:
    """Return how the attributes of a value are shown."""
    if not attrs.has(type(value)):
        return {name: repr(part) for name, part in getattr(value, "__dict__", {}).items()}
    shown = [field for field in attrs.fields(type(value)) if field.repr is not False]
    return {field.name: (repr if field.repr is True else field.repr)(getattr(value, field.name)) for field in shown}


def _pickled(error: BaseException) -> bytes:
    try:
        return pickle.dumps(error)
    except Exception as refusal:  # one of Python's own: it has no copy that could leave
        return repr(refusal).encode()


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [one.__cause__, one.__context__]
        todo += list(one.exceptions) if isinstance(one, BaseExceptionGroup) else []
