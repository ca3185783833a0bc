"""The configuration of a processor, read as the server reads it: what is missing, of a wrong type, or unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.emulator.errors import Refused, illegal, refused

JAVA = {str: "java.lang.String", bool: "java.lang.Boolean", int: "java.lang.Integer", float: "java.lang.Double"}
JAVA |= {dict: "java.util.HashMap", list: "java.util.ArrayList"}
WHOLE = re.compile(r"[+-]?\d+")
LARGEST = 2**31 - 1
CAST = "class {one} cannot be cast to class {other} ({one} and {other} are in module java.base of loader 'bootstrap')"
Given = Mapping[str, Any]


def bad_config(reason: str, kind: str | None = None, name: str | None = None) -> Refused:
    """Return the error of a configuration: ``kind`` is the type of the processor, ``name`` the property."""
    more: dict[str, Any] = {"processor_type": kind, "property_name": name}
    known = {key: value for key, value in more.items() if value is not None}
    return refused(400, "parse_exception", reason, None, **known)


def java_type(value: Any) -> str:
    """Return the name of a value's class on the server."""
    return JAVA.get(type(value), "java.lang.Object")


def uncastable(value: Any, wanted: str) -> Refused:
    """Return the error of a value that the server takes for one of another class without a look."""
    return refused(500, "class_cast_exception", CAST.format(one=java_type(value), other=wanted))


@attrs.define
class Options:
    """The configuration of a processor of a type; what is read of it is gone from ``rest``. What is null is not there.

    ``kind`` is empty for a pipeline.
    """

    kind: str | None
    rest: dict[str, Any]
    # The server says some errors of processors of searches otherwise.
    of_search: bool = False

    def text(self, name: str) -> str:
        """Return a text that must be there."""
        found = self.maybe_text(name)
        if found is None:
            raise self.bad(name, "required property is missing")
        return found

    def maybe_text(self, name: str, default: str | None = None) -> str | None:
        """Return a text, or the default."""
        value = self._taken(name, default)
        if value is not None and not isinstance(value, str):
            raise self._unlike(name, "a string", value)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return what is true or false."""
        value = self._taken(name, default)
        if not isinstance(value, bool):
            raise self._unlike(name, "a boolean", value)
        return value

    def whole(self, name: str, default: int) -> int:
        """Return a whole number, or the default."""
        value = self._taken(name, default)
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        if not WHOLE.fullmatch(shown) or not -LARGEST - 1 <= int(shown) <= LARGEST:
            raise self.bad(name, f"property cannot be converted to an int [{shown}]")
        return int(shown)

    def number(self, name: str, default: float | None = None) -> float:
        """Return a number; it must be there unless there is a default."""
        value = self._taken(name, default)
        if value is None:
            raise self.bad(name, "required property is missing")
        try:
            return float(value)
        except (TypeError, ValueError):
            raise self.bad(name, f"property cannot be converted to a double [{value}]") from None

    def map(self, name: str) -> dict[str, Any]:
        """Return an object that must be there."""
        found = self.maybe_map(name)
        if found is None:
            raise self.bad(name, "required property is missing")
        return found

    def maybe_map(self, name: str) -> dict[str, Any] | None:
        """Return an object, or None."""
        value = self.rest.pop(name, None)
        if value is not None and not isinstance(value, dict):
            raise self._unlike(name, "a map", value)
        return value

    def list(self, name: str) -> Sequence[Any]:
        """Return a list; an empty one if there is none."""
        return self.maybe_list(name) or []

    def maybe_list(self, name: str) -> Sequence[Any] | None:
        """Return a list, or None."""
        value = self.rest.pop(name, None)
        if value is not None and not isinstance(value, list):
            raise self._unlike(name, "a list", value)
        return value

    def _taken(self, name: str, default: Any) -> Any:
        value = self.rest.pop(name, None)
        return default if value is None else value

    def finish(self) -> None:
        """Raise Refused for what nobody has read."""
        if self.rest:
            unknown = ", ".join(sorted(self.rest))
            words = f"processor [{self.kind}] doesn't support one or more provided configuration parameters"
            if self.of_search:
                raise bad_config(f"{words}: [{unknown}]")
            raise bad_config(f"{words} [{unknown}]", self.kind)

    def bad(self, name: str, why: str) -> Refused:
        """Return the error of a property."""
        return bad_config(f"[{name}] {why}", self.kind, name)

    def illegal(self, reason: str) -> Refused:
        """Return the error of a configuration that the processor itself refuses; of documents it is a 500."""
        if self.of_search:
            return illegal(reason)
        why = {"type": "illegal_argument_exception", "reason": reason}
        said = f"java.lang.IllegalArgumentException: {reason}"
        return refused(500, "exception", said, why, processor_type=self.kind)

    def _unlike(self, name: str, wanted: str, value: Any) -> Refused:
        return self.bad(name, f"property isn't {wanted}, but of type [{java_type(value)}]")
