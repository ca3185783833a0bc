"""What an error says, whichever form it has: objects, JSON inside text, names of Java, a body that was cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import orjson

_PROVIDER_SAYS = "Error from remote service"


@attrs.frozen
class Said:
    """What a server said: its HTTP status (0 for the error of a task), every type and all words of its error."""

    status: int
    types: frozenset[str]
    words: str
    permanent: bool = False

    @property
    def is_providers(self) -> bool:
        """Whether these are a provider's own words, passed on: nothing in them speaks of the cluster."""
        return _PROVIDER_SAYS in self.words


def heard(status: int, *parts: Any) -> Said:
    """What these parts of an answer or a task say, in whichever forms: objects, JSON inside text, names of Java."""
    types: set[str] = set()
    words: list[str] = []
    permanent = False
    for key, value in _each("", list(parts)):
        if key == "type":
            types.add(_snake(value))
        else:
            permanent = permanent or (key == "durability" and value == "PERMANENT")
            words.append(value)
    text = "\n".join(words)
    types |= {_snake(name) for name in _JAVA.findall(text)}
    # A body that was cut off is text, and holds its types none the less.
    types |= set(_TYPE.findall(text))
    return Said(status, frozenset(types), text, permanent)


def _each(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text of an error with the key that it stands under, wherever it stands."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _each(str(name), part)
    elif isinstance(value, str):
        yield key, value
        inner = _parsed(value)
        if inner is not None:
            yield from _each("", inner)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for part in value:
            yield from _each(key, part)


def _parsed(text: str) -> Any:
    """The object that a text is, as errors of tasks and nodes are; None where it is none."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return orjson.loads(text)
    except ValueError:
        return None


_JAVA = re.compile(r"\b([A-Z]\w+Exception)\b")
_TYPE = re.compile(r'"type"\s*:\s*"(\w+)"')
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _snake(name: str) -> str:
    """``version_conflict_engine_exception`` for the name of its Java class, as OpenSearch writes it."""
    return _HUMP.sub("_", name).lower()
