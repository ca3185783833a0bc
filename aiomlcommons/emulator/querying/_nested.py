"""The query of nested objects: each is asked as if it were a document, and its document has their scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.querying.scope import Row, Scope, Scorer, no_row, values

Compile = Callable[[Any, Scope], Scorer]
MODES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "avg": lambda scores: sum(scores) / len(scores),
    "max": max,
    "min": min,
    "sum": sum,
    "none": lambda _: 0.0,
}
NO_PATH = "[nested] failed to find nested object under path [{path}]"
NOT_NESTED = "[nested] nested object under path [{path}] is not of nested type"
NO_MODE = "Unrecognized score_mode: {mode}"


def nested(wanted: Any, scope: Scope, compiled: Compile) -> Scorer:
    """Match documents with an object that matches; ``score_mode`` makes one score of those of the objects."""
    path, mode = str(wanted["path"]), str(wanted.get("score_mode", "avg"))
    if mode not in MODES:
        raise illegal(NO_MODE.format(mode=mode))
    field = scope.field(path)
    if field is None or field.type != "nested":
        if wanted.get("ignore_unmapped"):
            return no_row
        why = (NO_PATH if field is None else NOT_NESTED).format(path=path)
        raise scope.refuse("illegal_state_exception", why)
    objects = {row.id: _objects(row, path) for row in scope.rows}
    parents = {one.id: key for key, own in objects.items() for one in own}
    rows = [one for own in objects.values() for one in own]
    inner = compiled(wanted["query"], attrs.evolve(scope, rows=rows, parents=parents, documents=scope.rows, texts={}))
    boost, combine = float(wanted.get("boost", 1.0)), MODES[mode]

    def score(row: Row) -> float | None:
        found = [one for each in objects[row.id] if (one := inner(each)) is not None]
        return boost * combine(found) if found else None

    return score


def _objects(row: Row, path: str) -> list[Row]:
    """Return the objects at a path of a document as rows of their own, with all that is above them."""
    rows = []
    for number, one in enumerate(values(row.source, path)):
        source: Any = one
        for name in reversed(path.split(".")):
            source = {name: source}
        document = attrs.evolve(row.document, id=f"{row.id}#{number}")
        rows.append(Row(document, source, row.index))
    return rows
