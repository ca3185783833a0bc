"""Batches as JSON: whatever they hold, all at once gives the bytes, and refuses the documents, that one by one does."""

from __future__ import annotations

import base64 as codec
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.json_values import NotJson, dumped
from aiomlcommons.ingest.sinks import _json_rows
from aiomlcommons.ingest.sinks._index_actions import actions
from aiomlcommons.ingest.sinks._json_rows import encoded, encoded_alone, in_pieces, not_json
from aiomlcommons.ingest.types import Documents
from tests.support.row_values import SINGLE, nested

FIELDS = st.sampled_from(["embedding", 'a "quoted" \u00e9 name', "doc.vector"])
NAMES = st.sampled_from(["id", "text", "embedding", "_id", "doc.vector", "", "n"])
ROWS = st.dictionaries(NAMES, nested(st.one_of(*SINGLE.values())), max_size=4)
PLAIN_ROWS = st.dictionaries(NAMES, st.text() | st.integers(-9, 9), max_size=4)
IDS = st.text(max_size=5) | st.sampled_from([",", '","', '",', "\\", '\\","', "a" * 513, "\u00e9" * 257])
NUMBERS = st.floats(width=32) | st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def batches(draw: Any) -> Documents:
    """Return a batch; the rows of most have only plain values, so that all of them are written at once."""
    rows = draw(st.lists(draw(st.sampled_from([PLAIN_ROWS, PLAIN_ROWS, ROWS])), max_size=6))
    numbers = draw(st.sampled_from([NUMBERS, st.floats(-1, 1, width=32)]))
    count, dimension = len(rows), 3
    flat = draw(st.lists(numbers, min_size=count * dimension, max_size=count * dimension))
    kind = draw(st.sampled_from(["<f4", ">f4", "f8", "f2"]))
    with np.errstate(over="ignore"):
        found = np.array(flat, "f8").reshape(count, dimension).astype(kind)
    ids = draw(st.lists(IDS, min_size=count, max_size=count))
    return Documents(ids, rows, [""] * count, found)


def carefully(
    rows: Sequence[Any], vectors: Any, field: str, *, base64: bool
) -> tuple[dict[int, bytes], dict[int, str]]:
    """Return the lines and the reasons of refusal of documents, each of them alone."""
    lines, why = {}, {}
    for i, (row, given_) in enumerate(zip(rows, vectors, strict=True)):
        with np.errstate(over="ignore"):
            vector = np.ascontiguousarray(given_, "<f4" if base64 else given_.dtype.newbyteorder("="))
        if not np.isfinite(vector).all():
            why[i] = "its vector holds NaN or infinity"
            continue
        number = orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY)
        sent = codec.b64encode(vector.tobytes()).decode() if base64 else orjson.Fragment(number)
        try:
            lines[i] = dumped({**row, field: sent}) + b"\n"
        except NotJson as error:
            why[i] = str(error)
    return lines, why


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(batch=batches(), field=FIELDS, base64=st.booleans())
def test_a_batch_at_once_is_what_its_documents_are_alone(batch: Documents, field: str, base64: bool) -> None:
    lines, why = carefully(batch.rows, batch.vectors, field, base64=base64)
    found = encoded(batch.rows, batch.vectors, field, base64=base64)
    assert found.body == b"".join(lines.values())
    assert list(found.sizes) == [*map(len, lines.values())]
    assert list(found.indices) == [*lines]
    assert {one.index: one.why for one in found.refused} == why


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(batch=batches(), piece=st.integers(1, 9))
def test_the_pieces_of_a_file_are_together_what_the_batch_is(batch: Documents, piece: int) -> None:
    whole = encoded(batch.rows, batch.vectors, "v")
    with patch.object(_json_rows, "PIECE", piece):
        found = [*in_pieces(batch.rows, batch.vectors, "v")]
    assert b"".join(one.body for one in found) == whole.body
    assert [i for one in found for i in one.indices] == list(whole.indices)
    assert {(r.index, r.why) for one in found for r in one.refused} == {(r.index, r.why) for r in whole.refused}
    assert len(found) == len(range(0, len(batch), max(1, piece // 3)))


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(batch=batches(), field=FIELDS, base64=st.booleans(), auto=st.booleans())
def test_the_actions_of_a_batch_are_those_of_its_documents(
    batch: Documents, field: str, base64: bool, auto: bool
) -> None:
    rows = [{name: value for name, value in row.items() if name != "_id"} for row in batch.rows]
    lines, why = carefully(rows, batch.vectors, field, base64=base64)
    for i, key in enumerate(batch.ids):
        if not auto and not 0 < len(key.encode()) <= 512:
            lines.pop(i, None)
            why.setdefault(i, f"its id has {len(key.encode())} bytes, and an index takes 1 to 512")
    wanted = {i: orjson.dumps({"index": {} if auto else {"_id": batch.ids[i]}}) + b"\n" + lines[i] for i in lines}
    found, refused = actions(batch, field, base64, auto=auto)
    assert found.body == b"".join(wanted.values())
    assert list(found.sizes) == [*map(len, wanted.values())]
    assert list(found.indices) == [*wanted]
    assert {one.index: one.why.partition(":")[0] for one in refused} == {
        i: said.partition(":")[0] for i, said in why.items()
    }


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(rows=st.lists(ROWS, max_size=6), field=FIELDS)
def test_rows_are_screened_together_as_each_alone(rows: list[Any], field: str) -> None:
    wanted: dict[int, str] = {}
    for i, row in enumerate(rows):
        try:
            dumped({**row, field: None})
        except NotJson as error:
            wanted[i] = str(error)
    assert {one.index: one.why for one in not_json(rows, field)} == wanted


def test_the_vector_takes_the_place_of_what_a_row_has_under_its_name_and_an_empty_row_has_nothing_else() -> None:
    rows: list[Any] = [{"a": 1, "v": "old", "b": 2}, {}, {"a": 1}]
    found = encoded(rows, np.array([[1.5], [2.5], [3.5]], "f4"), "v")
    assert found.body == b'{"a":1,"v":[1.5],"b":2}\n{"v":[2.5]}\n{"a":1,"v":[3.5]}\n'


@pytest.mark.parametrize("keys", [[",", ","], ['a",', "b"], ["\\", '","'], ["", "x"], ["\u00e9", "\u2028"]])
def test_whatever_ids_are_made_of_each_stays_its_own(keys: list[str]) -> None:
    batch = Documents(keys, [{"n": 1}, {"n": 2}], ["", ""], np.zeros((2, 1), "f4"))
    found, _ = actions(batch, "v", base64=False)
    sent = [orjson.loads(line)["index"]["_id"] for line in found.body.splitlines()[::2]]
    assert sent == [key for key in keys if key]


@given(rows=st.lists(ROWS, max_size=6))
@settings(deadline=None)
def test_documents_alone_are_written_as_one_by_one(rows: list[Any]) -> None:
    heads = [b"%d:" % number for number in range(len(rows))]
    found = encoded_alone(rows, heads)
    with patch.object(_json_rows, "all_dumped", lambda _: None):
        each = encoded_alone(rows, heads)
    assert (found.body, found.sizes, [*found.indices], found.refused) == (
        each.body,
        each.sizes,
        [*each.indices],
        each.refused,
    )
    assert len(found.body) == sum(found.sizes)
