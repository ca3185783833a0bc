"""Field maps: which texts of a document a model is given, and where its answers go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.pipelines.options import java_type, uncastable

NEITHER = "map type field [{name}] is neither string nor nested type, cannot process it"
LISTED = "list type field [{name}] {what}, cannot process it"
UNLIKE = (
    "[{name}] configuration doesn't match actual value type, configuration type is: {config}, actual value type is: "
    "{value}"
)
NO_NAME = "Field name cannot be null or empty"
BAD_DOT = "Field name '{name}' contains invalid dot usage"
FieldMap = Mapping[str, Any]


@attrs.define
class Slot:
    """Texts of one field, and the place of their results: the name ``target`` in ``node``, which is at ``path``."""

    node: dict[str, Any]
    target: str
    path: str
    texts: list[str]
    is_list: bool
    # What the index has in the same place: the texts, and what was made of them.
    was: Any = None
    had: Any = None
    # Whether the field is one of an object in a list: there a name with dots is taken as it is.
    is_listed: bool = False

    def fill(self, results: list[Any], key: str) -> None:
        """Put results in place: those of a list as objects, with the result under a key. Raises Refused."""
        *above, last = [self.target] if self.is_listed else self.target.split(".")
        node: Any = self.node
        for name in above:
            if isinstance(node, list):
                return  # which the server leaves as it is
            if not isinstance(node, dict):
                raise uncastable(node, "java.util.Map")
            node[name] = node = {} if node.get(name) is None else node[name]
        if isinstance(node, list):
            return
        if not isinstance(node, dict):
            raise uncastable(node, "java.util.Map")
        node[last] = [{key: one} for one in results] if self.is_list else results[0]

    def reuse(self) -> bool:
        """Put what the index has in place, if it was made of the same texts; return whether it was."""
        if self.had is None or self.was != (self.texts if self.is_list else self.texts[0]):
            return False
        self.node[self.target] = self.had
        return True


def nested(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return a source with names that have dots as objects. Raises Refused for a dot without a name beside it.

    The server does this to all of a document, also to tokens that a processor before has weighed: one that is a dot
    makes it refuse the document.
    """
    found: dict[str, Any] = {}
    for name, value in source.items():
        *above, last = parts = name.split(".")
        if not all(part.strip() for part in parts):
            raise illegal(BAD_DOT.format(name=name) if above else NO_NAME)
        _set(found, above, last, _nested(value))
    return found


def _set(node: dict[str, Any], above: list[str], last: str, value: Any) -> None:
    """Put a value in place; where there is one already that is no object, the one that is not within it stays."""
    for part in above:
        if not isinstance(node.setdefault(part, {}), dict):
            return
        node = node[part]
    old = node.get(last)
    node[last] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value


def _nested(value: Any) -> Any:
    if isinstance(value, Mapping):
        return nested(value)
    return [_nested(one) for one in value] if isinstance(value, list) else value


def slots(
    node: Any, field_map: FieldMap, stored: Any = None, above: str = "", *, is_listed: bool = False
) -> Iterator[Slot]:
    """Yield the texts that a nested field map names; what is missing, null or blank is passed over."""
    before = stored if isinstance(stored, Mapping) else {}
    for name, target in field_map.items():
        value, was = node.get(name), before.get(name)
        if isinstance(target, Mapping):
            yield from _within(value, target, was, f"{above}{name}.", is_listed=is_listed)
        elif (isinstance(value, list) and value) or (isinstance(value, str) and value.strip()):
            texts = value if isinstance(value, list) else [value]
            path = f"{above}{target}"
            had = before.get(str(target))
            yield Slot(node, str(target), path, list(texts), isinstance(value, list), was, had, is_listed)


def _within(value: Any, field_map: FieldMap, stored: Any, above: str, *, is_listed: bool) -> Iterator[Slot]:
    if isinstance(value, list):
        olds = stored if isinstance(stored, list) and len(stored) == len(value) else [None] * len(value)
        for one, old in zip(value, olds, strict=True):
            yield from _within(one, field_map, old, above, is_listed=True)
    elif isinstance(value, dict):
        yield from slots(value, field_map, stored, above, is_listed=is_listed)


def check_listed(node: Any, field_map: FieldMap, *, is_listed: bool = False) -> None:
    """Raise Refused for what the server does not cut up in lists: texts beside objects, and lists within these."""
    for name, target in field_map.items():
        value = node.get(name)
        if not isinstance(target, Mapping):
            if is_listed and isinstance(value, list):
                raise uncastable(value, "java.lang.String")
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                check_listed(one, target, is_listed=is_listed or isinstance(value, list))
            elif isinstance(value, list) and isinstance(one, str):
                raise uncastable(one, "java.util.Map")


def check(node: Mapping[str, Any], field_map: Any, name: str = "field_map") -> None:
    """Raise Refused for a value that is no text, no list of texts and no object that the map goes into."""
    if not isinstance(field_map, Mapping):
        types = {"config": java_type(field_map), "value": java_type(dict(node))}
        raise illegal(UNLIKE.format(name=name, **types))
    for key, target in field_map.items():
        value = node.get(key)
        if isinstance(value, list):
            _check_list(key, value, target)
        elif isinstance(value, Mapping):
            check(value, target, key)
        elif value is not None and not isinstance(value, str):
            raise illegal(NEITHER.format(name=key))


def _check_list(name: str, values: list[Any], target: Any) -> None:
    for one in values:
        if isinstance(one, Mapping):
            check(one, target, name)
        elif not isinstance(one, str):
            what = "has null" if one is None else "is nested list type" if isinstance(one, list) else None
            raise illegal(LISTED.format(name=name, what=what or "has non string value"))
