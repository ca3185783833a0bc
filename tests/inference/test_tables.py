"""Data frames, Arrow tables and columns as rows and texts of ``ml.embed`` and ``ml.embed_many``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.inference import tables
from aiomlcommons.inference.embed import embed
from aiomlcommons.inference.methods import checked_texts
from aiomlcommons.inference.tables import rows_of
from aiomlcommons.inference.vectors import Vectors

pa: Any = pytest.importorskip("pyarrow")
ds: Any = pytest.importorskip("pyarrow.dataset")
pd: Any = pytest.importorskip("pandas")
FRAME = pd.DataFrame({"id": [1, 2, 3], "text": ["x", "yy", "zzz"]})
TABLE = pa.table(FRAME)
ROWS = [{"id": 1, "text": "x"}, {"id": 2, "text": "yy"}, {"id": 3, "text": "zzz"}]
TABLES = {
    "pandas": lambda: FRAME,
    "an index": lambda: FRAME.set_index("id"),
    "a part of a frame": lambda: pd.concat([FRAME, FRAME])[3:],
    "a table": lambda: TABLE,
    "a record batch": lambda: TABLE.to_batches()[0],
    "a reader": TABLE.to_reader,
    "a dataset": lambda: ds.dataset(TABLE),
}
COLUMNS = {
    "Series": FRAME["text"],
    "strings of pandas": FRAME["text"].array,
    "objects": FRAME["text"].astype(object),
    "an index": pd.Index(ROW["text"] for ROW in ROWS),
    "numpy": np.array(["x", "yy", "zzz"]),
    "numpy objects": np.array(["x", "yy", "zzz"], object),
    "an Arrow array": pa.array(["x", "yy", "zzz"]),
    "an Arrow column": TABLE["text"],
}


async def lengths(texts: list[str]) -> Vectors:
    return np.array([[len(text)] for text in texts], "f4")


async def embedded(rows: Any, text: str | None) -> list[tuple[Any, float]]:
    async with embed(lengths, rows, text=text, batch=2, concurrency=2, ordered=True) as pairs:
        return [(row, float(vector[0])) async for row, vector in pairs]


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", TABLES)
async def test_the_rows_of_a_table_are_embedded_and_not_its_column_names(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 2)
    assert await embedded(TABLES[kind](), "text") == list(zip(ROWS, [1, 2, 3], strict=True))


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", COLUMNS)
async def test_the_values_of_a_column_are_texts(kind: str) -> None:
    assert await embedded(COLUMNS[kind], None) == [("x", 1), ("yy", 2), ("zzz", 3)]
    texts = checked_texts("texts", COLUMNS[kind])
    assert texts == ["x", "yy", "zzz"]
    assert {type(text) for text in texts} == {str}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_no_list_of_texts_and_the_message_says_what_to_write(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=r"give the column of its texts, such as frame\['text'\]"):
        checked_texts("texts", TABLES[kind]())


def test_a_missing_text_of_a_column_is_named() -> None:
    with pytest.raises(InvalidRequest, match=r"texts\[1\] must be a string, not"):
        checked_texts("texts", pd.Series(["a", None]))


def test_two_columns_of_one_name_are_refused() -> None:
    for twice in (pd.DataFrame([[1, 2]], columns=["a", "a"]), pa.Table.from_arrays([[1], [2]], ["a", "a"])):
        with pytest.raises(InvalidRequest, match="has 'a' more than once: rename them"):
            rows_of(twice)


def test_what_is_no_table_stays_as_it_is() -> None:
    structured = np.array([(1, "x")], [("id", "i4"), ("text", "U3")])
    others: list[Any] = [["a"], iter([]), structured, np.zeros((2, 2)), np.str_("a"), None, {"a": 1}, pd.DataFrame]
    for rows in others:
        assert rows_of(rows) is rows
