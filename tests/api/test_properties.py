"""Whatever is said to the server or by it comes through unchanged."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Any, get_args, get_type_hints

import attrs
import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from aiomlcommons import ENDPOINTS
from aiomlcommons.endpoint import Request, Route, fields_of
from aiomlcommons.http import JSON, HttpResponse
from aiomlcommons.record import Record
from aiomlcommons.wire import convert
from aiomlcommons.wire.codec import from_http, to_http
from aiomlcommons.wire.routes import Router, read_request
from tests.support.strategies import answers, requests

ROUTER = Router(ENDPOINTS)
FEW = settings(
    derandomize=True,
    deadline=None,
    max_examples=10,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
ROUTES = [(cls, route) for cls in ENDPOINTS for route in cls.endpoint.routes]


def _classes(base: Any) -> list[type[Any]]:
    """The classes of a kind that the modules of the API have."""
    modules = [module for name, module in sys.modules.items() if name.startswith("aiomlcommons.api.")]
    found = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    return sorted((cls for cls in found if issubclass(cls, base) and cls is not StrEnum), key=lambda cls: cls.__name__)


def _words() -> list[Any]:
    """The fields that hold a word of the server's choice, with the words we know of it."""
    hints = {cls: get_type_hints(cls) for cls in _classes(Record | Request) if attrs.has(cls)}
    rows = ((cls, field.name, hints[cls][field.name]) for cls in hints for field in fields_of(cls))
    return [
        pytest.param(declared, member, id=f"{cls.__name__}.{name}")
        for cls, name, declared in rows
        for member in get_args(declared)
        if isinstance(member, type) and issubclass(member, StrEnum) and str in get_args(declared)
    ]


@pytest.mark.parametrize(("cls", "route"), ROUTES, ids=lambda part: getattr(part, "__name__", str(part)))
def test_a_request_survives_the_way_to_http_and_back_under_each_of_its_routes(
    cls: type[Request[Any]], route: Route
) -> None:
    @FEW
    @given(requests(cls, route))
    def survives(request: Request[Any]) -> None:
        http = to_http(request, route)
        match = ROUTER.find(http.method, http.path)
        assert match is not None
        assert (match.request, match.route) == (cls, route)
        assert read_request(match, http) == request

    survives()


@pytest.mark.parametrize("cls", ENDPOINTS, ids=lambda cls: cls.__name__)
def test_an_answer_survives_the_way_to_json_and_back_with_keys_unknown_to_us(cls: type[Request[Any]]) -> None:
    @FEW
    @given(answers(cls))
    def survives(answer: Any) -> None:
        body = b"" if answer is None else orjson.dumps(convert.unstructure(answer, cls.endpoint.returns))
        got = HttpResponse(200, body, {"content-type": JSON})
        assert from_http(cls.__new__(cls), got) == answer

    survives()


@pytest.mark.parametrize(("declared", "known"), _words())
def test_a_known_word_is_read_as_such_and_an_unknown_one_as_text(declared: Any, known: type[StrEnum]) -> None:
    for word in known:
        assert convert.structure(str(word), declared) is word
    unknown = convert.structure("WORD_OF_A_LATER_VERSION", declared)
    assert type(unknown) is str
    assert unknown == "WORD_OF_A_LATER_VERSION"


def test_the_words_of_every_open_set_are_tried() -> None:
    assert {row.values[1] for row in _words()} == set(_classes(StrEnum))
