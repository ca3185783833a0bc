"""Data frames, Arrow tables and columns as rows and texts, wherever rows and texts are taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.inference import tables
from aiomlcommons.inference.embed import embed
from aiomlcommons.inference.tables import is_column, is_table, rows_of, text_column
from aiomlcommons.inference.texts import checked_texts
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.sources import open_source
from tests.support.sources import rows_of as rows_from

pa: Any = pytest.importorskip("pyarrow")
ds: Any = pytest.importorskip("pyarrow.dataset")
pd: Any = pytest.importorskip("pandas")
pl: Any = pytest.importorskip("polars")
FRAME = pd.DataFrame({"id": [1, 2, 3], "text": ["x", "yy", "zzz"]})
TABLE = pa.table(FRAME)
ROWS = [{"id": 1, "text": "x"}, {"id": 2, "text": "yy"}, {"id": 3, "text": "zzz"}]
STRUCTURED = np.array([(1, "x"), (2, "yy"), (3, "zzz")], [("id", "i4"), ("text", "U3")])
TABLES = {
    "pandas": lambda: FRAME,
    "an index": lambda: FRAME.set_index("id"),
    "a part of a frame": lambda: pd.concat([FRAME, FRAME])[3:],
    "polars": lambda: pl.DataFrame(ROWS),
    "a table": lambda: TABLE,
    "a record batch": lambda: TABLE.to_batches()[0],
    "a reader": TABLE.to_reader,
    "a dataset": lambda: ds.dataset(TABLE),
    "a structured array": lambda: STRUCTURED,
}
# How a column of it is written, if it is not frame['text'].
WRITTEN = {
    **dict.fromkeys(("a table", "a record batch", "a structured array"), "table['text']"),
    "a reader": "reader.read_all()['text']",
    "a dataset": "dataset.to_table()['text']",
}
COLUMNS = {
    "Series": FRAME["text"],
    "strings of pandas": FRAME["text"].array,
    "objects": FRAME["text"].astype(object),
    "categories": FRAME["text"].astype("category"),
    "an index": pd.Index(row["text"] for row in ROWS),
    "polars": pl.Series(["x", "yy", "zzz"]),
    "categories of polars": pl.Series(["x", "yy", "zzz"], dtype=pl.Categorical),
    "numpy": np.array(["x", "yy", "zzz"]),
    "numpy objects": np.array(["x", "yy", "zzz"], object),
    "a field of a structured array": STRUCTURED["text"],
    "an Arrow array": pa.array(["x", "yy", "zzz"]),
    "an Arrow column": TABLE["text"],
    "chunks": pa.chunked_array([["x"], ["yy", "zzz"]]),
    "a dictionary": pa.array(["x", "yy", "zzz"]).dictionary_encode(),
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
@pytest.mark.parametrize("kind", [kind for kind in TABLES if kind != "a reader"])
async def test_the_rows_of_a_table_are_a_source_of_a_job(kind: str) -> None:
    assert await rows_from(open_source(TABLES[kind]())) == ROWS


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", TABLES)
async def test_a_table_whose_text_is_not_named_is_refused_with_the_likely_column(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=r"are dicts: name the column of the text, such as text='text'$"):
        await embedded(TABLES[kind](), None)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", COLUMNS)
async def test_the_values_of_a_column_are_texts_everywhere(kind: str) -> None:
    assert await embedded(COLUMNS[kind], None) == [("x", 1), ("yy", 2), ("zzz", 3)]
    texts = checked_texts("texts", COLUMNS[kind])
    assert texts == ["x", "yy", "zzz"]
    assert {type(text) for text in texts} == {str}
    assert await rows_from(open_source(COLUMNS[kind])) == [{"text": text} for text in texts]


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_no_list_of_texts_and_the_message_says_what_to_write(kind: str) -> None:
    with pytest.raises(InvalidRequest, match="give the column of its texts, such as ") as caught:
        checked_texts("texts", TABLES[kind]())
    assert str(caught.value).endswith("such as " + WRITTEN.get(kind, "frame['text']"))


@pytest.mark.parametrize(
    ("columns", "likely"),
    [
        ({"id": [1], "title": ["a"], "body": ["b"]}, "body"),
        ({"id": ["1"], "Text": ["a"]}, "Text"),
        ({"n": [1], "name": ["a"], "city": ["b"]}, "name"),
        ({"n": [1], "text": [2.5]}, None),
    ],
)
def test_the_likely_column_holds_texts_and_has_a_usual_name(columns: dict[str, list[Any]], likely: str | None) -> None:
    frame = pd.DataFrame(columns)
    assert [text_column(table) for table in (frame, pl.DataFrame(columns), pa.table(columns))] == [likely] * 3
    assert text_column(frame.to_records(index=False)) == likely


@pytest.mark.asyncio
async def test_a_table_without_texts_lists_its_columns() -> None:
    frame = pd.DataFrame({f"n{i}": [i] for i in range(12)})
    with pytest.raises(InvalidRequest, match=r"text='\.\.\.'; it has 'n0', .*'n9' and \d more"):
        await embedded(frame, None)
    with pytest.raises(InvalidRequest, match=r"it has none"):
        await embedded(pd.DataFrame(), None)


@pytest.mark.asyncio
async def test_a_frame_that_is_not_computed_is_refused_with_the_remedy() -> None:
    lazy = pl.LazyFrame(ROWS)
    for text in ("text", None):
        with pytest.raises(InvalidRequest, match=r"a LazyFrame has no rows yet: give its collect\(\)"):
            await embedded(lazy, text)
    with pytest.raises(InvalidRequest, match=r"give its collect\(\)"):
        checked_texts("texts", lazy)


def test_two_columns_of_one_name_are_refused() -> None:
    for twice in (pd.DataFrame([[1, 2]], columns=["a", "a"]), pa.Table.from_arrays([[1], [2]], ["a", "a"])):
        with pytest.raises(InvalidRequest, match="has 'a' more than once: rename them"):
            rows_of(twice)


def test_other_things_are_neither_tables_nor_columns() -> None:
    others: list[Any] = [["a"], iter([]), np.zeros((2, 2)), np.array("a"), np.str_("a"), None, {"a": 1}, pd.DataFrame]
    for thing in others:
        assert not is_table(thing)
        assert not is_column(thing)
