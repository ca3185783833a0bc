"""Text by field, path and template, and mapping of fields."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.fields import FieldMap, TextFrom, text_by
from aiomlcommons.ingest.sources import IterableSource, MappedSource
from aiomlcommons.ingest.types import BadRow
from tests.support.sources import check_positions, rows_of

ROW = {
    "title": "T",
    "n": 3,
    "none": None,
    "nan": float("nan"),
    "inf": float("inf"),
    "list": [1],
    "meta": {"title": "M", "deep": {"er": "D"}},
    "a.b": "dot",
}


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("title", "T"),
        ("meta.title", "M"),
        ("meta.deep.er", "D"),
        ("a.b", "dot"),
        ("n", 3),
        ("{title}\n{meta.title}", "T\nM"),
        ("{{{title}}} {n} {a.b} {title}!", "{T} 3 dot T!"),
    ],
)
def test_a_text_is_found(spec: str, text: Any) -> None:
    assert TextFrom(spec)(ROW) == text


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("body", LookupError, "it has no field 'body'"),
        ("meta.body", LookupError, "it has no field 'meta.body'"),
        ("title.body", LookupError, "it has no field 'title.body'"),
        ("{title} {body}", LookupError, "it has no field 'body'"),
        ("none", LookupError, "its field 'none' is null, a missing value without a default"),
        ("{none}", LookupError, "its field 'none' is null, a missing value without a default"),
        ("{none.body}", LookupError, "it has no field 'none.body'"),
        ("{nan}", LookupError, "its field 'nan' is nan, a missing value without a default"),
        ("{list}", TypeError, "its field 'list' must be a text, a number or a date, not list"),
        ("{inf}", TypeError, "its field 'inf' must be a text, a number or a date, not inf"),
    ],
)
def test_what_a_row_lacks_is_named(spec: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        TextFrom(spec)(ROW)
    assert caught.value.args == (words,)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("none", "?"),
        ("{title} {nan}", "T ?"),
        ("{none.body} {title.body} {nope} {meta.nope.deeper}", "? ? ? ?"),
        ("n", 3),
    ],
)
def test_a_default_stands_for_what_a_row_lacks(spec: str, text: Any) -> None:
    assert TextFrom(spec, default="?")(ROW) == text


def missing_values() -> list[Any]:
    pandas: Any = pytest.importorskip("pandas")
    floats = [float("nan"), np.float32("nan"), np.float16("nan"), Decimal("nan"), Decimal("snan")]
    return [None, *floats, np.datetime64("NaT", "s"), np.timedelta64("NaT", "s"), pandas.NaT, pandas.NA]


def test_every_kind_of_missing_value_is_one() -> None:
    for value in missing_values():
        assert TextFrom("{a}", default="")({"a": value}) == TextFrom("a", default="")({"a": value}) == ""
        for spec in ("a", "{a}"):
            with pytest.raises(LookupError, match=r"its field 'a' is .*, a missing value without a default"):
                TextFrom(spec)({"a": value})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345678901234567890123, "12345678901234567890123"),
        (3.0, "3"),
        (0.1, "0.1"),
        (-0.5, "-0.5"),
        (1e22, "1e+22"),
        (np.int8(-3), "-3"),
        (np.uint64(2**64 - 1), "18446744073709551615"),
        (np.float32(0.1), "0.1"),
        (np.float64(3), "3"),
        (Decimal("9.90"), "9.90"),
        (Decimal("1E+3"), "1000"),
        (True, "true"),
        (np.bool_(False), "false"),
        (dt.date(2024, 2, 29), "2024-02-29"),
        (dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC), "2024-02-29T12:00:00+00:00"),
        (dt.time(7, 30), "07:30:00"),
        (np.datetime64("2024-02-29"), "2024-02-29"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_value_is_written_as_it_is_in_the_data(value: Any, text: str) -> None:
    assert TextFrom("{a}")({"a": value}) == text


@pytest.mark.parametrize(
    "value", [b"x", [1], {"a": 1}, float("-inf"), Decimal("inf"), 1j, dt.timedelta(1), np.timedelta64(1, "D")]
)
def test_what_is_no_text_has_no_words_even_with_a_default(value: Any) -> None:
    with pytest.raises(TypeError, match="its field 'a' must be a text, a number or a date"):
        TextFrom("{a}", default="")({"a": value})


def test_a_default_must_be_a_text() -> None:
    with pytest.raises(InvalidRequest, match=r"the default of '\{a\}' must be a text, not 0"):
        TextFrom("{a}", default=0)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="text_default is for a field or a template"):
        text_by(str, default="")


@pytest.mark.parametrize("template", ["{", "{}", "{title!r}", "{n:>5}", "title}"])
def test_a_template_that_cannot_be_read_is_refused_at_once(template: str) -> None:
    with pytest.raises(InvalidRequest, match="the template"):
        TextFrom(template)


def test_a_template_reaches_no_attribute_of_a_value() -> None:
    with pytest.raises(LookupError):
        TextFrom("{title.__class__}")(ROW)


def test_a_spec_shows_itself() -> None:
    assert repr(TextFrom("{a}")) == "TextFrom('{a}')"
    assert repr(TextFrom("a", default="")) == "TextFrom('a', default='')"
    assert repr(FieldMap({"a": "b"})) == "FieldMap({'a': 'b'})"


def test_a_row_under_other_names_has_only_those() -> None:
    assert FieldMap({"text": "{title} {n}", "id": "meta.title"})(ROW) == {"text": "T 3", "id": "M"}


def test_a_renamed_field_keeps_its_missing_value_and_a_template_may_have_a_default() -> None:
    renamed = FieldMap({"text": TextFrom("{title}{none}", default="!"), "price": "none"})
    assert renamed(ROW) == {"text": "T!", "price": None}


@pytest.mark.asyncio
async def test_a_mapped_source_is_read_and_read_on_as_the_source_is() -> None:
    rows = [{"n": n} for n in range(600)]
    mapped = await check_positions(lambda: MappedSource(IterableSource(rows), FieldMap({"text": "number {n}"})))
    assert mapped == [{"text": f"number {n}"} for n in range(600)]


@pytest.mark.asyncio
async def test_a_row_without_a_mapped_field_is_a_bad_row() -> None:
    source = MappedSource(IterableSource([{"a": 1}, {"b": 2}, BadRow("w", "x")], name="mine"), FieldMap({"c": "a"}))
    assert (source.name, await source.count()) == ("mine", 3)
    assert await rows_of(source) == [
        {"c": 1},
        BadRow("it has no field 'a'", "mine, row 1", "{'b': 2}"),
        BadRow("w", "x"),
    ]
