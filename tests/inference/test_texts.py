"""What is taken as texts and rows, and what is refused with the words what to write instead."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from aiomlcommons import InvalidRequest, Session
from aiomlcommons.inference.texts import checked_texts
from aiomlcommons.ingest import IterableSource
from tests.support.one_answer import Says


@pytest.mark.parametrize(
    "texts",
    [
        ["a", "b"],
        ("a", "b"),
        (text for text in "ab"),
        map(str.lower, ["A", "B"]),
        {"k": "a", "l": "b"}.values(),
        deque("ab"),
        [np.str_("a"), np.str_("b")],
    ],
    ids=lambda texts: type(texts).__name__,
)
def test_every_collection_in_order_is_texts(texts: Any) -> None:
    assert list(checked_texts("texts", texts)) == ["a", "b"]


async def later() -> AsyncGenerator[str]:
    yield "a"


LIST, ROWS = "texts must be a list of strings, not ", "rows must be an iterable of rows, not "
# Neither texts nor rows: the type, and what to do.
REFUSED: list[tuple[Any, str]] = [
    ("a text", "str: put a single text into a list, [text]"),
    (b"a text", "bytes: decode it, and put the text into a list"),
    (bytearray(b"a"), "bytearray: decode it, and put the text into a list"),
    ({"text": "a"}, "dict: put a single row into a list, [row], or give the values(), if those are meant"),
    ({"a", "b"}, "set: its order differs from run to run; give a list, such as sorted(...)"),
    (frozenset("ab"), "frozenset: its order differs from run to run; give a list, such as sorted(...)"),
    (Path("a.jsonl"), "PosixPath: ml.ingest reads files"),
    (np.array([["a", "b"]]), "ndarray: it has 2 dimensions; give an array of one, such as array[:, 0]"),
    (np.array([[["a"]]]), "ndarray: it has 3 dimensions; give an array of one"),
    (np.array("a"), "ndarray: it has 0 dimensions; give an array of one"),
    (5, "int"),
    (None, "NoneType"),
]


@pytest.mark.parametrize(("given", "words"), REFUSED, ids=lambda value: type(value).__name__)
@pytest.mark.asyncio
async def test_what_is_no_collection_is_refused_everywhere_with_the_remedy(given: Any, words: str) -> None:
    says = Says({})
    async with Session(transport=says) as ml:
        for call in (ml.embed_many("m", given), ml.sparse("m", given), ml.rerank("m", "q", given)):
            with pytest.raises(InvalidRequest) as caught:
                await call
            assert str(caught.value).replace("text_docs", "texts") == LIST + words
        for text in (None, "text"):
            with pytest.raises(InvalidRequest) as caught:
                async with ml.embed("m", given, text=text):
                    pass
            assert str(caught.value) == ROWS + words
    with pytest.raises(InvalidRequest) as caught:
        IterableSource(given)
    assert str(caught.value) == ROWS + words
    assert says.heard == []


# Columns and lists with an item that is no text: its position, and what to do.
ITEMS: list[tuple[Any, str]] = [
    (pd.Series(["a", None]), "[1] must be a string, not {} ({}), a missing value: leave it out, {name}.dropna(), or"),
    (pd.Series(["a", float("nan")], dtype=object), "[1] must be a string, not float (nan), a missing value: leave it"),
    (pl.Series(["a", None]), "[1] must be a string, not NoneType (None), a missing value: leave it out, {name}.drop_n"),
    (pa.array(["a", None]), "[1] must be a string, not NoneType (None), a missing value: leave it out, {name}.drop_nu"),
    (pd.Series([1, 2]), "[0] must be a string, not int: make each a text, {name}.astype(str)"),
    (np.array([1.5]), "[0] must be a string, not float: make each a text, list(map(str, {name}))"),
    (pl.Series([1]), "[0] must be a string, not int: make each a text, {name}.cast(str)"),
    (pa.array([1]), "[0] must be a string, not int: make each a text, {name}.cast('string')"),
    (np.array([["a"], ["b", "c"]], dtype=object), "[0] must be a string, not list"),
]
LISTS: list[tuple[Any, str]] = [
    (
        ["a", None],
        "[1] must be a string, not NoneType (None), a missing value: leave it out, [text for text in {name}",
    ),
    (["a", 5], "[1] must be a string, not int: make each a text, list(map(str, {name}))"),
    (("a", b"b"), "[1] must be a string, not bytes: decode it"),
    (
        [{"text": "a"}],
        "[0] must be a string, not dict: give the text of each row, or stream the rows through",
    ),
    (range(2), "[0] must be a string, not int: make each a text, list(map(str, {name}))"),
]


@pytest.mark.parametrize(("given", "words"), ITEMS + LISTS, ids=lambda value: type(value).__name__)
def test_an_item_that_is_no_text_is_named_with_the_remedy(given: Any, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked_texts("texts", given)
    missing = list(given)[-1]
    assert str(caught.value).startswith("texts" + words.format(type(missing).__name__, missing, name="texts"))


@pytest.mark.parametrize(("given", "words"), ITEMS, ids=lambda value: type(value).__name__)
@pytest.mark.asyncio
async def test_a_column_with_an_item_that_is_no_text_is_refused_before_the_first_batch(given: Any, words: str) -> None:
    says = Says({})
    async with Session(transport=says) as ml:
        with pytest.raises(InvalidRequest) as caught:
            async with ml.embed("m", given, batch=1):
                pass
    missing = list(given)[-1]
    assert str(caught.value).startswith("rows" + words.format(type(missing).__name__, missing, name="rows"))
    assert says.heard == []


def test_an_async_generator_is_to_be_collected() -> None:
    with pytest.raises(InvalidRequest, match=r"not async_generator: collect them, \[text async for text in texts\]"):
        checked_texts("texts", later())


@pytest.mark.asyncio
async def test_a_coroutine_is_to_be_awaited() -> None:
    async def fetched() -> list[str]:
        return ["a"]

    coroutine = fetched()
    with pytest.raises(InvalidRequest, match=r"not coroutine: await it first"):
        checked_texts("texts", coroutine)
    assert await coroutine == ["a"]


@pytest.mark.parametrize("source", [[1, 2], np.arange(3), pl.Series([1.5]), [["a"], ["b"]], [b"a"]])
def test_a_source_of_neither_rows_nor_texts_is_refused_before_a_job(source: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"rows\[0\] must be a row \(a mapping\) or a text, not \w+"):
        IterableSource(source)
