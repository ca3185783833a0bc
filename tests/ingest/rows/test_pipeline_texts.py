"""Texts that a pipeline of the server finds in a row."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.ingest.head import HeadCheck
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.rows.pipeline_texts import PipelineTexts
from aiomlcommons.ingest.sources import open_source

PARTS = PipelineTexts(["parts.text"])


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([{"text": "a"}, {"text": "b"}], "a\nb"),
        ([{"other": 1}, {"text": "b"}], "b"),
        ({"text": "a"}, "a"),
        ({"text": ["a", "b"]}, "a\nb"),
    ],
)
def test_texts_of_objects_in_lists_are_found(parts: Any, text: str) -> None:
    assert PARTS({"parts": parts}) == text


@pytest.mark.parametrize("parts", [[{"text": " "}, {"text": None}], [{"other": "a"}], [], None, "a", ["a"]])
def test_objects_without_any_text_would_have_no_vector(parts: Any) -> None:
    with pytest.raises((LookupError, ValueError), match=r"parts\.text"):
        PARTS({"parts": parts})


def test_the_head_of_a_source_is_looked_at_for_objects_in_lists() -> None:
    source, options = open_source([{"id": "a"}]), JobOptions(text=PARTS)
    assert HeadCheck.of(source, options).look([{"id": "a", "parts": [{"text": "b"}]}])
    check = HeadCheck.of(source, options)
    assert not check.look([{"id": "a", "parts": [{"other": "b"}]}])
    with pytest.raises(InvalidRequest, match=r"no row of .* has the field 'parts\.text'"):
        check.end()
