"""A document against a mapping: its values are checked, and new fields are mapped by their values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import orjson

from aiomlcommons.emulator.bad_json import NO_OBJECT, what_is_bad
from aiomlcommons.emulator.encoding import java
from aiomlcommons.emulator.errors import Refused, refused
from aiomlcommons.emulator.indices import _values
from aiomlcommons.emulator.indices._dynamic import check_alike, mapped, parts
from aiomlcommons.emulator.indices.errors import Unreadable, bad_document, too_deep
from aiomlcommons.emulator.indices.mappings import Mapped
from aiomlcommons.emulator.querying.errors import cause

METADATA = {"_id", "_index", "_source", "_routing", "_version", "_seq_no", "_field_names", "_ignored", "_nested_path"}
NOT_IN_DOCUMENT = (
    "Field [{name}] is a metadata field and cannot be added inside a document. Use the index API request parameters."
)
OBJECTS = {"object", "nested"}
# Whole numbers that orjson may take for floats.
LARGE = re.compile(rb"\d{19}")


def loaded(raw: bytes, version: str) -> dict[str, Any]:
    """Return the source of a document. Raises Refused for what is no object."""
    if not raw.strip():
        raise bad_document("failed to parse, document is empty")
    try:
        source = json.loads(raw) if LARGE.search(raw) else orjson.loads(raw)
    except json.JSONDecodeError as error:
        raise bad_document("failed to parse", what_is_bad(raw, error, version)) from None
    if not isinstance(source, dict):
        raise bad_document("failed to parse", cause("not_x_content_exception", NO_OBJECT))
    return source


@attrs.frozen
class Parser:
    """Parses the document ``key`` of an index with these mappings; ``deepest`` limits objects within objects.

    Older servers do not read vectors of base64.
    """

    key: str
    mappings: Mapping[str, Any]
    deepest: int
    reads_base64: bool
    # The fields that this document is the first to have.
    _made: set[str] = attrs.field(factory=set)

    def parse(self, source: Mapping[str, Any]) -> tuple[dict[str, Any], Mapped]:
        """Return the source with its vectors as arrays, and the mapping that it needs. Raises Refused."""
        for name in source:
            if name in METADATA:
                raise self._metadata(name, source[name])
        place = _Place(dict(self.mappings.get("properties", {})), "", str(self.mappings.get("dynamic", "true")))
        kept = self._object(source, place)
        return kept, {**self.mappings, "properties": place.sorted()} if place.properties else {}

    def _metadata(self, name: str, value: Any) -> Refused:
        why = cause("mapper_parsing_exception", NOT_IN_DOCUMENT.format(name=name))
        error = bad_document(self._failed(name, name, java(value)), why)
        error.body["error"]["root_cause"] = [why]
        return error

    def _failed(self, path: str, kind: str, preview: str) -> str:
        where = f"failed to parse field [{path}] of type [{kind}] in document with id '{self.key}'."
        return f"{where} Preview of field's value: '{preview}'"

    def _object(self, node: Mapping[str, Any], place: _Place) -> dict[str, Any]:
        if place.depth > self.deepest:
            raise too_deep(self.deepest)
        return {name: self._named(parts(name), value, place) for name, value in node.items()}

    def _named(self, names: Sequence[str], value: Any, place: _Place) -> Any:
        """Parse a field whose name may have dots, each of which stands for an object."""
        head, *rest = names
        if not rest:
            return self._field(head, value, place)
        kind = place.properties.get(head, {}).get("type", "object")
        if kind not in OBJECTS:
            path = f"{place.above}{head}"
            where = f"field [{path}.{'.'.join(rest)}]. Existing mapping for [{path}]"
            raise bad_document(
                f"Could not dynamically add mapping for {where} must be of type object but found [{kind}]."
            )
        name = ".".join(rest)
        return self._field(head, {name: value}, place)[name]

    def _field(self, name: str, value: Any, place: _Place) -> Any:
        path, spec = f"{place.above}{name}", place.properties.get(name)
        if spec is None:
            return self._new(name, value, place)
        if path in self._made and (now := mapped(path, value)) is not None:
            check_alike(path, now, spec)
        if spec.get("type", "object") not in OBJECTS:
            return self._leaf(path, spec, value)
        return self._objects(name, value, place, name)

    def _objects(self, name: str, value: Any, place: _Place, shown: str) -> Any:
        if value is None:
            return None
        if isinstance(value, list):
            return [self._objects(name, item, place, "null") for item in value]
        if not isinstance(value, Mapping):
            where = f"object mapping for [{place.above}{name}] tried to parse field [{shown}] as object"
            raise bad_document(f"{where}, but found a concrete value")
        spec = place.properties[name]
        inner = place.within(name, spec)
        kept = self._object(value, inner)
        # The server leaves the type out where there are fields.
        bare = {key: one for key, one in spec.items() if key != "properties" and (key, one) != ("type", "object")}
        place.properties[name] = {**bare, "properties": inner.sorted()} if inner.properties else spec
        return kept

    def _new(self, name: str, value: Any, place: _Place) -> Any:
        path = f"{place.above}{name}"
        if place.dynamic == "false" or (spec := mapped(path, value)) is None:
            return value
        if place.dynamic == "strict":
            within = place.above.rstrip(".") or "_doc"
            reason = f"mapping set to strict, dynamic introduction of [{name}] within [{within}] is not allowed"
            raise refused(400, "strict_dynamic_mapping_exception", reason)
        place.properties[name] = spec
        kept = self._field(name, value, place)
        self._made.add(path)
        return kept

    def _leaf(self, path: str, spec: Mapped, value: Any) -> Any:
        if spec["type"] == "knn_vector" and isinstance(value, str) and not self.reads_base64:
            value = []
        try:
            return _values.read(path, spec, value)
        except Unreadable as error:
            if error.preview is None:
                raise bad_document("failed to parse", error.why) from None
            raise bad_document(self._failed(path, spec["type"], error.preview), error.why) from None


@attrs.frozen
class _Place:
    """An object of a document: its fields, which may become more, the path above them, and how deep it is."""

    properties: Mapped
    above: str
    dynamic: str
    depth: int = 1

    def within(self, name: str, spec: Mapping[str, Any]) -> _Place:
        """Return the place within an object."""
        dynamic = str(spec.get("dynamic", self.dynamic))
        return _Place(dict(spec.get("properties", {})), f"{self.above}{name}.", dynamic, self.depth + 1)

    def sorted(self) -> Mapped:
        """Return the fields as the server keeps them."""
        return {name: self.properties[name] for name in sorted(self.properties)}
