"""Text by field, path and template, and mapping of fields."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.fields import FieldMap, TextFrom
from aiomlcommons.ingest.sources import IterableSource, MappedSource
from aiomlcommons.ingest.types import BadRow
from tests.support.sources import check_positions, rows_of

ROW = {"title": "T", "n": 3, "none": None, "list": [1], "meta": {"title": "M", "deep": {"er": "D"}}, "a.b": "dot"}


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
        ("{none}", TypeError, "its field 'none' must be a text or a number, not null"),
        ("{list}", TypeError, "its field 'list' must be a text or a number, not list"),
    ],
)
def test_what_a_row_lacks_is_named(spec: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        TextFrom(spec)(ROW)
    assert caught.value.args == (words,)


@pytest.mark.parametrize("template", ["{", "{}", "{title!r}", "{n:>5}", "title}"])
def test_a_template_that_cannot_be_read_is_refused_at_once(template: str) -> None:
    with pytest.raises(InvalidRequest, match="the template"):
        TextFrom(template)


def test_a_template_reaches_no_attribute_of_a_value() -> None:
    with pytest.raises(LookupError):
        TextFrom("{title.__class__}")(ROW)


def test_a_spec_shows_itself() -> None:
    assert repr(TextFrom("{a}")) == "TextFrom('{a}')"
    assert repr(FieldMap({"a": "b"})) == "FieldMap({'a': 'b'})"


def test_a_row_under_other_names_has_only_those() -> None:
    assert FieldMap({"text": "{title} {n}", "id": "meta.title"})(ROW) == {"text": "T 3", "id": "M"}


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
