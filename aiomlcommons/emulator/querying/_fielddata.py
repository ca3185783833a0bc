"""Which fields the index can tell the values of, without the source: for sorting, and for ``docvalue_fields``."""

from __future__ import annotations

from aiomlcommons.emulator.querying.scope import Field

NO_TEXT = (
    "Text fields are not optimised for operations that require per-document field data like aggregations and sorting, "
    "so these operations are disabled by default. Please use a keyword field instead. Alternatively, set "
    "fielddata=true on [{field}] in order to load field data by uninverting the inverted index. Note that this can use "
    "significant memory."
)
NO_VALUES = (
    "Can't load fielddata on [{name}] because fielddata is unsupported on fields of type [{kind}]. "
    "Use doc values instead."
)
UNSUPPORTED = "Fielddata is not supported on field [{name}] of type [{kind}]"


def problem_of(field: Field, name: str) -> str | None:
    """Return why the index cannot tell the values of a field; None if it can."""
    if field.type == "text":
        return NO_TEXT.format(field=name)
    if field.type == "_version":
        return UNSUPPORTED.format(name=name, kind=field.type)
    return NO_VALUES.format(name=name, kind=field.type) if field.spec.get("doc_values") is False else None
