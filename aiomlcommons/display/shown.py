"""Base class of values that are shown briefly, as a table in a notebook, and given as plain JSON data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, ClassVar, Self

import attrs

from aiomlcommons.display import json_data
from aiomlcommons.display.brief import Part, Verbatim, brief, brief_headers

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SHOW = (True, brief, brief_headers)


class Shown:
    """A value with a short ``repr``, a table for notebooks, and ``to_dict`` and ``to_json``, which leave nothing out.

    ``_first`` names the fields that are shown first, and that are the columns of a table of several.
    """

    __slots__ = ()
    _first: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        return brief(self)

    def _repr_html_(self) -> str:
        """Return a table of the fields that are set, for notebooks."""
        from aiomlcommons.display.html_tables import html_of  # only notebooks need it

        return html_of(self)

    def __rich_repr__(self) -> Iterator[tuple[str | None, Any]]:
        """Yield the fields that are set, for ``rich.print``."""
        for part in self._parts():
            show = brief_headers if part.name == "headers" else brief
            yield part.name or None, part.value if isinstance(part.value, Shown) else Verbatim(show(part.value))

    def _parts(self) -> Iterable[Part]:
        """Return the fields that are set, the most important ones first."""
        cls: Any = type(self)
        keys = _keys(cls)
        parts = [
            Part(field.name, value if field.repr in _SHOW else Verbatim(field.repr(value)), is_key=field.name in keys)
            for field in attrs.fields(cls)
            if field.repr and _is_set(field, value := getattr(self, field.name))
        ]
        return sorted(parts, key=self._rank)

    def _rank(self, part: Part) -> int:
        if part.name in self._first:
            return self._first.index(part.name) - len(self._first)
        return 0 if part.is_key else 1 if isinstance(part.value, str | int | float) else 2

    def _row(self) -> Iterable[Part]:
        """Return the cells of a table of several of these: the fields of ``_first``, or else the short ones."""
        return [part for part in self._parts() if part.name in self._first or not self._first]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON data, with the keys and values that the server uses; None is left out.

        Credentials are in it too: it is the data itself. ``repr`` and HTML mask them.
        """
        data: dict[str, Any] = json_data.plain(_converter().unstructure(self))
        return data

    def to_json(self, *, indent: bool = False) -> str:
        """Return ``to_dict()`` as JSON text, on one line or indented."""
        return json_data.dumped(self.to_dict(), indent=indent)


class Readable(Shown):
    """A value that can be read back from its ``to_dict()``."""

    __slots__ = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *of: Any) -> Self:
        """Read an object back from its ``to_dict()``.

        ``of`` are the types of a generic class, ``Hits.from_dict(data, Model)``; what they stand for stays a dict
        without them. Raises ValueError, which names the path of each value that does not fit.
        """
        generic: Any = cls
        open_types = getattr(cls, "__parameters__", ())
        made: Self = _converter().structure(data, generic[of or (Any,) * len(open_types)] if open_types else cls)
        return made


def _converter() -> Any:
    # By name, because it stands above the records that it converts.
    return import_module("aiomlcommons.wire.convert")


def _is_set(field: attrs.Attribute[Any], value: Any) -> bool:
    if value is None or value is field.default:
        return False
    is_made = isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]
    return not (is_made and isinstance(value, list | dict) and not value)


@lru_cache(maxsize=1024)
def _keys(cls: type) -> frozenset[str]:
    """Return the fields of a class that say which thing it is, and in which state."""
    own = _CAPITAL.sub("_", cls.__name__).lower()
    names = [field.name for field in attrs.fields(cls)]
    ids = [name for name in names if name == "id" or (name.endswith("_id") and name[:-3] in own)]
    states = [name for name in names if name in {"state", "status"} or name.endswith("_state")]
    return frozenset([*ids[:2], *states[:1], *(name for name in names if name == "name")])
