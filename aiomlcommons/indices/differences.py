"""How the field of an index that exists differs from the one that a model's vectors need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.indices.errors import IndexMismatch
from aiomlcommons.indices.mapping import field_of, fields_of_type
from aiomlcommons.indices.vector_field import Field, VectorField, space_of
from aiomlcommons.spelling import SUGGESTED, some_of

_FIXED = "no field of an index can be changed so: write into a new index (an alias may stand for either)"
_REMEDIES: Mapping[str, str] = {
    "semantic": "a semantic field is filled by the server itself, from the text",
    "sparse_vector": "a sparse_vector takes numbers of tokens, which the server's sparse_encoding processor makes: "
    "use a pipeline, or a field of type rank_features",
}


def check_field(index: str, mappings: Mapping[str, Any], field: str, wanted: Field) -> None:
    """Raise IndexMismatch, with every difference and the remedy, if a field is not as wanted.

    What is not known, of the vectors or of the mapping, is not compared.
    """
    found = field_of(mappings, field)
    if (kind := found.get("type")) != wanted.type:
        actual = "is not in its mapping" if kind is None else f"is {kind}"
        what = "these vectors need" if isinstance(wanted, VectorField) else "this needs"
        words = f"{actual}, and {what} a field of type {wanted.type}"
        raise _mismatch(index, field, words, _REMEDIES.get(str(kind)) or _remedy(mappings, kind, wanted))
    if differing := list(wanted.differing(found)):
        raise _mismatch(index, field, "; it ".join(differing), _FIXED)


def unsuited(index: str, mappings: Mapping[str, Any], field: str, wanted: VectorField) -> str:
    """Return a warning if a field ranks the model's vectors otherwise than they were trained for, else nothing."""
    found = field_of(mappings, field)
    space = space_of(found)
    if wanted.type != "knn_vector" or not wanted.suits or space is None or space in wanted.suits:
        return ""
    return (
        f"index {index}: the field {field!r} compares vectors by {space}, and those of this model are for "
        f"{' or '.join(wanted.suits)}: searches may rank documents otherwise than the model was trained for"
    )


def unsearchable(index: str, settings: Mapping[str, Any], wanted: Field) -> str:
    """Return why searches by the field fail, whatever its mapping: the index lacks a setting; else nothing.

    ``settings`` are those of the index as the server shows them.
    """
    for name in wanted.settings.get("index", {}):
        if str(settings.get(name, "false")).lower() != "true":
            return (
                f"index {index} lacks the setting index.{name}, without which searches by a field of type "
                f"{wanted.type} fail; it is given when an index is created: write into a new index"
            )
    return ""


def _mismatch(index: str, field: str, words: str, remedy: str) -> IndexMismatch:
    return IndexMismatch(f"index {index}: the field {field!r} {words}" + (remedy and f"; {remedy}"))


def _remedy(mappings: Mapping[str, Any], kind: str | None, wanted: Field) -> str:
    """Return what to do about a field of another type: which fields are of the wanted one, else how to have one."""
    others = [repr(name) for name in fields_of_type(mappings, wanted.type)]
    if others and isinstance(wanted, VectorField):
        return f"its fields of this type are {some_of(others, SUGGESTED)}: name one with field= (--field)"
    return _FIXED if kind is not None else "add it with ml.indices.put_mapping, or write into a new index"
