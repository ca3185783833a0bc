"""Which documents the items of a response of ``_bulk`` are of."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aiomlcommons import DecodeError
from aiomlcommons.http import HttpResponse
from aiomlcommons.ingest.sinks._index_actions import actions_alone
from aiomlcommons.ingest.sinks._index_bulk import failures


def failed(items: list[Any], ids: str) -> list[int]:
    """Return the positions of those that failed; an item that did is lower case."""
    sent, _ = actions_alone([*ids], [{"text": "t"}] * len(ids))
    made = [{"index": {"_id": item.upper() if item else None, "status": _status(item)}} for item in items]
    body = orjson.dumps({"took": 1, "errors": True, "items": made})
    return [*failures(HttpResponse(200, body, {}), sent)]


def _status(item: str | None) -> int:
    return 201 if item is not None and item.isupper() else 400


@pytest.mark.parametrize(
    ("ids", "items", "positions"),
    [
        ("ABC", ["A", "b", "C"], [1]),
        ("ABCD", ["d", "B", "C", "a"], [0, 3]),
        ("XAA", ["a", "A", "x"], [0, 2]),  # what was accepted is in its place, of two with the same id, too
        ("AAB", ["A", "a", "b"], [1, 2]),
        ("ABC", [None, "B", None], [0, 2]),  # a server that tells no ids of those that failed
        ("ABC", ["c", "B", None], [0, 2]),
    ],
)
def test_an_item_is_of_the_document_with_its_id(ids: str, items: list[Any], positions: list[int]) -> None:
    assert failed(items, ids) == positions


@pytest.mark.parametrize("items", [["A", "x"], ["A", "a"]])
def test_an_item_of_no_document_is_no_response(items: list[Any]) -> None:
    with pytest.raises(DecodeError, match="that was not sent, or has it twice"):
        failed(items, "AB")
