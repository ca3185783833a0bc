"""Streaming of rows through an embedding function."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import anyio
import numpy as np
import pytest

from aiomlcommons import BatchFailed, DecodeError, HttpResponse, InvalidRequest
from aiomlcommons.inference.embed import Embedded, embed
from aiomlcommons.inference.vectors import Vectors

pytestmark = pytest.mark.asyncio

HOW: Mapping[str, Any] = {"text": None, "batch": 2, "concurrency": 2, "ordered": True}


async def lengths(texts: list[str]) -> Vectors:
    """Return a vector for each text that identifies the text."""
    return np.array([[len(text), ord(text[0])] for text in texts], "f4")


async def rows_of(embedded: Embedded[Any]) -> list[tuple[Any, list[float]]]:
    return [(row, vector.tolist()) async for row, vector in embedded]


async def test_each_row_comes_with_its_own_vector() -> None:
    async with embed(lengths, ["a", "bb", "ccc"], **HOW) as embedded:
        assert await rows_of(embedded) == [("a", [1, 97]), ("bb", [2, 98]), ("ccc", [3, 99])]


async def test_batches_are_handed_out_whole_with_their_place() -> None:
    async with embed(lengths, iter(["a", "bb", "ccc"]), **HOW) as embedded:
        got = [(b.index, b.start, b.rows, b.vectors.shape, len(b)) async for b in embedded.batches()]
    assert got == [(0, 0, ["a", "bb"], (2, 2), 2), (1, 2, ["ccc"], (1, 2), 1)]


@pytest.mark.parametrize("pick", ["title", lambda row: row["title"]])
async def test_the_text_of_a_row_is_a_key_or_a_function(pick: Any) -> None:
    rows = [{"title": "x", "n": 1}, {"title": "yy", "n": 2}]
    async with embed(lengths, rows, **{**HOW, "text": pick}) as embedded:
        assert [row["n"] for row, _ in await rows_of(embedded)] == [1, 2]


async def test_rows_may_come_from_an_async_source() -> None:
    async def source() -> AsyncGenerator[str]:
        for text in ("a", "b", "c"):
            yield text

    async with embed(lengths, source(), **HOW) as embedded:
        assert [row for row, _ in await rows_of(embedded)] == ["a", "b", "c"]


async def test_no_rows_give_no_batches() -> None:
    async with embed(lengths, [], **HOW) as embedded:
        assert await rows_of(embedded) == []


@pytest.mark.parametrize(
    ("rows", "pick", "words"),
    [
        (["a", "b", "c", 5], None, r"batch 1 \(rows 2 to 3\) failed: .*the text of row 3 must be a string, not int"),
        ([{"n": 1}], None, r"the text of row 0 must be a string, not dict; name its text with text='\.\.\.'"),
        ([{"id": "a", "Body": "b"}], None, r"must be a string, not dict; name its text with text='Body'"),
        (["a"], "text", r"row 0 is a text, which has no field 'text': leave text= out"),
        ([b"a"], None, r"the text of row 0 must be a string, not bytes: decode it"),
        ([{"body": "a"}], "text", r"row 0 has no text 'text'"),
        ([{"text": None}], "text", r"row 0 has no text 'text': .*its field 'text' is null"),
        ([7], "text", r"row 0 has no text 'text'"),
    ],
)
async def test_a_bad_row_is_named(rows: list[Any], pick: Any, words: str) -> None:
    with pytest.raises(BatchFailed, match=words):
        async with embed(lengths, rows, **{**HOW, "text": pick}) as embedded:
            await rows_of(embedded)


async def test_a_failing_batch_is_named_and_those_before_it_are_handed_out() -> None:
    async def fails_on_c(texts: list[str]) -> Vectors:
        if "c" in texts:
            raise ConnectionError("gone")
        return await lengths(texts)

    seen = []
    with pytest.raises(BatchFailed) as caught:
        async with embed(fails_on_c, ["a", "b", "c", "d", "e"], **HOW) as embedded:
            async for row, _ in embedded:
                seen.append(row)
    assert seen == ["a", "b"]
    assert (caught.value.index, caught.value.start, caught.value.rows) == (1, 2, ["c", "d"])
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert str(caught.value) == "batch 1 (rows 2 to 3) failed: ConnectionError: gone"


async def test_the_row_whose_embedding_is_at_fault_is_named_by_its_number() -> None:
    async def fails_on_d(texts: list[str]) -> Vectors:
        if "d" in texts:
            raise DecodeError("it is NaN", HttpResponse(200, b"{}"), texts.index("d"))
        return await lengths(texts)

    with pytest.raises(BatchFailed, match=r"batch 1 \(rows 2 to 3, because of row 3\) failed: DecodeError") as caught:
        async with embed(fails_on_d, ["a", "b", "c", "d", "e"], **HOW) as embedded:
            await rows_of(embedded)
    assert caught.value.row == 3


async def test_a_source_that_breaks_says_where() -> None:
    async def breaks() -> AsyncGenerator[str]:
        for text in ("a", "b", "c"):
            yield text
        raise OSError("disk gone")

    with pytest.raises(BatchFailed, match=r"batch 1 \(reading rows from row 2 on\) failed: OSError: disk gone"):
        async with embed(lengths, breaks(), **HOW) as embedded:
            await rows_of(embedded)


@pytest.mark.parametrize("name", ["batch", "concurrency"])
async def test_sizes_below_one_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, not 0"):
        async with embed(lengths, [], **{**HOW, name: 0}):
            pass


@pytest.mark.parametrize("rows", ["one text", {"text": "a row"}, 5])
async def test_one_row_is_not_rows(rows: Any) -> None:
    with pytest.raises(InvalidRequest, match="rows must be an iterable of rows"):
        async with embed(lengths, rows, **HOW):
            pass


async def test_rows_come_as_finished_when_order_is_free() -> None:
    second_is_done = anyio.Event()

    async def first_waits(texts: list[str]) -> Vectors:
        if "a" in texts:
            await second_is_done.wait()
        second_is_done.set()
        return await lengths(texts)

    async with embed(first_waits, ["a", "b"], **{**HOW, "ordered": False, "batch": 1}) as embedded:
        assert [row for row, _ in await rows_of(embedded)] == ["b", "a"]


@pytest.mark.parametrize(("rows", "text"), [(["a", "b"], str.upper), (["xa", "xb"], lambda row: row[1].upper())])
async def test_a_function_makes_the_text_of_rows_that_are_texts_too(rows: list[str], text: Any) -> None:
    async with embed(lengths, rows, **{**HOW, "text": text}) as embedded:
        assert await rows_of(embedded) == [(rows[0], [1, ord("A")]), (rows[1], [1, ord("B")])]
