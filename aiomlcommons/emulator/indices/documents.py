"""A document against a mapping: its values are checked, and new fields are mapped by their values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from aiomlcommons.emulator.bad_json import what_is_bad
from aiomlcommons.emulator.errors import Refused, illegal, refused
from aiomlcommons.emulator.indices import _values
from aiomlcommons.emulator.indices.errors import Unreadable, bad_document
from aiomlcommons.emulator.indices.mappings import Mapped, java
from aiomlcommons.emulator.querying.errors import cause

METADATA = {"_id", "_index", "_source", "_routing", "_version", "_seq_no", "_field_names", "_ignored", "_nested_path"}
NOT_IN_DOCUMENT = (
    "Field [{name}] is a metadata field and cannot be added inside a document. Use the index API request parameters."
)
NO_OBJECT = "Compressor detection can only be called on some xcontent bytes or compressed xcontent bytes"
# Whole numbers that orjson may take for floats.
LARGE = re.compile(rb"\d{19}")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$")
SLASHED = re.compile(r"\d{4}/\d{2}/\d{2}( \d{2}:\d{2}:\d{2})?$")
WORDS: Mapped = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
SLASHED_DATE: Mapped = {
    "type": "date",
    "format": "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis",
    "print_format": "yyyy/MM/dd HH:mm:ss",
}


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
    """Parses the document ``key`` of an index with these mappings. Older servers do not read vectors of base64."""

    key: str
    mappings: Mapping[str, Any]
    reads_base64: bool = True

    def parse(self, source: Mapping[str, Any]) -> tuple[dict[str, Any], Mapped]:
        """Return the source with its vectors as arrays, and the mapping that it needs. Raises Refused."""
        for name in source:
            if name in METADATA:
                raise self._metadata(name, source[name])
        kept, properties = self._object(source, self.mappings, "", str(self.mappings.get("dynamic", "true")))
        return kept, {**self.mappings, "properties": properties} if properties else {}

    def _metadata(self, name: str, value: Any) -> Refused:
        why = cause("mapper_parsing_exception", NOT_IN_DOCUMENT.format(name=name))
        error = bad_document(self._failed(name, name, java(value)), why)
        error.body["error"]["root_cause"] = [why]
        return error

    def _failed(self, path: str, kind: str, preview: str) -> str:
        where = f"failed to parse field [{path}] of type [{kind}] in document with id '{self.key}'."
        return f"{where} Preview of field's value: '{preview}'"

    def _object(
        self, node: Mapping[str, Any], mapping: Mapping[str, Any], above: str, dynamic: str
    ) -> tuple[dict[str, Any], Mapped]:
        kept: dict[str, Any] = {}
        properties: Mapped = dict(mapping.get("properties", {}))
        dynamic = str(mapping.get("dynamic", dynamic))
        for name, value in node.items():
            if not name:
                empty = cause("illegal_argument_exception", "field name cannot be an empty string")
                raise bad_document("failed to parse", empty)
            kept[name] = self._field(name, value, properties, above, dynamic)
        return kept, {name: properties[name] for name in sorted(properties)}

    def _field(self, name: str, value: Any, properties: Mapped, above: str, dynamic: str) -> Any:
        head, _, rest = name.partition(".")
        if rest:
            return self._dotted(head, rest, value, properties, above, dynamic)
        spec = properties.get(name)
        if spec is None:
            return self._new(name, value, properties, above, dynamic)
        if spec.get("type", "object") != "object":
            return self._leaf(f"{above}{name}", spec, value)
        kept, properties[name] = self._objects(name, value, spec, above, dynamic)
        return kept

    def _dotted(self, head: str, rest: str, value: Any, properties: Mapped, above: str, dynamic: str) -> Any:
        kind = properties.get(head, {}).get("type", "object")
        if kind != "object":
            place = f"field [{above}{head}.{rest}]. Existing mapping for [{above}{head}]"
            why = f"must be of type object but found [{kind}]."
            raise bad_document(f"Could not dynamically add mapping for {place} {why}")
        inner = self._field(head, {rest: value}, properties, above, dynamic)
        return inner[rest]

    def _objects(
        self, name: str, value: Any, spec: Mapped, above: str, dynamic: str, shown: str | None = None
    ) -> tuple[Any, Mapped]:
        if value is None:
            return None, spec
        if isinstance(value, list):
            kept = []
            for item in value:
                one, spec = self._objects(name, item, spec, above, dynamic, "null")
                kept.append(one)
            return kept, spec
        if not isinstance(value, Mapping):
            where = f"object mapping for [{above}{name}] tried to parse field [{shown or name}] as object"
            raise bad_document(f"{where}, but found a concrete value")
        source, properties = self._object(value, spec, f"{above}{name}.", dynamic)
        return source, _object_spec(spec, properties)

    def _new(self, name: str, value: Any, properties: Mapped, above: str, dynamic: str) -> Any:
        if dynamic == "false" or (spec := mapped(value)) is None:
            return value
        if dynamic == "strict":
            within = above.rstrip(".") or "_doc"
            reason = f"mapping set to strict, dynamic introduction of [{name}] within [{within}] is not allowed"
            raise refused(400, "strict_dynamic_mapping_exception", reason)
        _check_alike(name, value, spec)
        properties[name] = spec
        return self._field(name, value, properties, above, dynamic)

    def _leaf(self, path: str, spec: Mapped, value: Any) -> Any:
        if spec["type"] == "knn_vector" and isinstance(value, str) and not self.reads_base64:
            value = []
        try:
            return _values.read(path, spec, value)
        except Unreadable as error:
            if error.preview is None:
                raise bad_document("failed to parse", error.why) from None
            raise bad_document(self._failed(path, spec["type"], error.preview), error.why) from None


def _object_spec(spec: Mapped, properties: Mapped) -> Mapped:
    # The server leaves the type out where there are fields.
    kept = {key: one for key, one in spec.items() if key != "type" or not properties}
    return {**kept, "properties": properties} if properties else kept


def mapped(value: Any) -> Mapped | None:
    """Return the mapping of a new field by its value; None for a value that says nothing."""
    if isinstance(value, list):
        return next((spec for item in value if (spec := mapped(item)) is not None), None)
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {"type": "object"}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "long" if isinstance(value, int) else "float"}
    return {"type": "date"} if DAY.match(value) else SLASHED_DATE if SLASHED.match(value) else WORDS


def _check_alike(name: str, value: Any, spec: Mapped) -> None:
    """Raise Refused where the values of a list would make the field of different types."""
    kinds = [spec.get("type"), *(one.get("type") for item in _items(value) if (one := mapped(item)) is not None)]
    if other := [kind for kind in kinds if kind != kinds[0]]:
        raise illegal(f"mapper [{name}] cannot be changed from type [{kinds[0]}] to [{other[0]}]")


def _items(value: Any) -> list[Any]:
    return [inner for item in value for inner in _items(item)] if isinstance(value, list) else [value]
