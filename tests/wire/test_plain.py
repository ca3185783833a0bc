"""Requests of plain values: encoded without the converter, as it would encode them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons import ENDPOINTS, InvalidRequest
from aiomlcommons.api.predict import Predict
from aiomlcommons.api.tasks import GetTask
from aiomlcommons.endpoint import Request
from aiomlcommons.errors import NotSupported
from aiomlcommons.wire import convert
from aiomlcommons.wire._plain import plain_keys
from aiomlcommons.wire.codec import to_http
from aiomlcommons.wire.version import Version, is_current, needs_version, route_at


class Word(StrEnum):
    A = "a"


class Text(str):
    __slots__ = ()


VALUES = st.one_of(
    st.none(),
    st.text(max_size=3),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.binary(max_size=2),
    st.sampled_from([Word.A, Text("a")]),
    st.lists(st.one_of(st.text(max_size=2), st.integers(), st.just(Text("b"))), max_size=3),
    st.tuples(st.text(max_size=2)),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
VERSIONS = (None, *(Version.parse(text) for text in ("2.4", "2.9", "2.13", "3.0", "3.2", "3.9")))


def with_values(cls: type[Request[Any]], values: st.DataObject, count: int | None = None) -> Request[Any]:
    """Return a request with any values; those of the fields that have a default are drawn for some of them only."""
    fields = [field for field in attrs.fields(cls) if field.init]
    drawn = {field.alias: values.draw(VALUES, field.name) for field in fields if field.default is attrs.NOTHING}
    others = [field.alias for field in fields if field.default is not attrs.NOTHING]
    for name in values.draw(st.lists(st.sampled_from(others), max_size=4, unique=True)) if others else ():
        drawn[name] = values.draw(VALUES, name)
    return cls(**drawn)


@settings(deadline=None)
@given(st.data())
def test_plain_values_are_those_that_the_converter_leaves_as_they_are(data: st.DataObject) -> None:
    request = with_values(data.draw(st.sampled_from(ENDPOINTS)), data)
    keys = plain_keys(request)
    if keys is not None:
        careful = convert.unstructure(request)
        assert keys == careful
        assert list(keys) == list(careful)
        assert convert.structure(careful, type(request)) == request


@pytest.mark.parametrize("texts", [["a", "b"], [], None])
def test_the_requests_of_the_hot_path_are_plain(texts: list[str] | None) -> None:
    request = Predict("text_embedding", "m", text_docs=texts, return_bytes=True, return_number=False)
    assert plain_keys(request) == convert.unstructure(request)
    assert plain_keys(GetTask("t")) == {"task_id": "t"}


@pytest.mark.parametrize("wrong", [["a", 1], "a", ("a", None), [Text("a"), 5]])
def test_what_is_not_plain_is_refused_in_the_words_of_the_converter(wrong: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"text_docs"):
        to_http(Predict("text_embedding", "m", text_docs=wrong))


@settings(deadline=None)
@given(st.data())
def test_a_request_that_is_current_at_a_quick_look_is_so_at_a_closer_one(data: st.DataObject) -> None:
    request = with_values(data.draw(st.sampled_from(ENDPOINTS)), data)
    version = data.draw(st.sampled_from(VERSIONS))
    if is_current(request, version):
        assert not needs_version(request)
        assert route_at(request, version) is None


@pytest.mark.parametrize("cls", ENDPOINTS, ids=lambda cls: cls.__name__)
def test_a_quick_look_refuses_no_request_that_every_server_takes(cls: type[Request[Any]]) -> None:
    absent = {field.alias: None for field in attrs.fields(cls) if field.init}
    request = cls(**absent)
    for version in VERSIONS:
        try:
            taken = route_at(request, version) is None and not needs_version(request)
        except NotSupported:
            taken = False
        if is_current(request, version) != taken:
            # What a class says about values is looked at closely, always.
            assert cls.newer_values is not Request.newer_values
