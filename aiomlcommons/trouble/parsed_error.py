"""Extract exception types and messages from an error of any shape: JSON, JSON within strings, truncated text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import orjson

from aiomlcommons.trouble.provider_answer import ProviderAnswer, provider_answer

# Levels of nesting. Real errors have some ten.
DEEPEST = 100
# Characters of its texts that are looked at, and other values. Each is searched for many words.
MOST = 2**18


@attrs.frozen
class ParsedError:
    """A parsed error: HTTP status (0 for that of a task), every exception type in snake case, and all its messages.

    ``provider`` is the relayed error of a remote model's provider, which says nothing about the cluster.
    """

    status: int
    types: frozenset[str]
    words: str
    permanent: bool = False
    provider: ProviderAnswer | None = None


def parse_error(status: int, *parts: Any) -> ParsedError:
    """Parse the parts of an error response or of a task's error."""
    types: set[str] = set()
    words: list[str] = []
    permanent, left = False, MOST
    for key, value in _each("", list(parts)):
        if key == "type":
            types.add(_snake(value))
        elif value:
            permanent = permanent or (key == "durability" and value == "PERMANENT")
            words.append(value[:left])
        left -= len(value) + 1
        if left <= 0:
            break
    text = "\n".join(words)
    types |= {_snake(name) for name in _JAVA.findall(text)}
    # A truncated body is no valid JSON, but its text still contains the types.
    types |= set(_TYPE.findall(text))
    return ParsedError(status, frozenset(types), text, permanent, provider_answer(text))


def _each(key: str, value: Any, levels: int = DEEPEST) -> Iterator[tuple[str, str]]:
    """Yield every string of an error with its key, down to a depth; an empty one for each other value."""
    if not levels:
        return
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _each(str(name), part, levels - 1)
    elif isinstance(value, str):
        yield key, value
        inner = _parsed(value)
        if inner is not None:
            yield from _each("", inner, levels - 1)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for part in value:
            yield from _each(key, part, levels - 1)
    else:
        yield "", ""  # it is counted: there may be millions


def _parsed(text: str) -> Any:
    """Decode a string that is a JSON object, as in errors of tasks and nodes; None for any other."""
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
    """Convert a Java class name to snake case as OpenSearch does: ``version_conflict_engine_exception``."""
    return _HUMP.sub("_", name).lower()
