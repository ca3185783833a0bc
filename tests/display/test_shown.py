"""Records, requests and reports are given as JSON data, and read back from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from operator import attrgetter
from typing import Any

import attrs
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons import ENDPOINTS, NULL, MLSettings, NodeState, Secret
from aiomlcommons.api.common import AccessMode, Hit, Hits
from aiomlcommons.api.connectors import CreateConnector, HttpConnector
from aiomlcommons.api.model_groups import ModelGroup
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.models import SearchModels, UpdateModel
from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.display.shown import Readable, Shown
from aiomlcommons.endpoint import Request
from aiomlcommons.inference.predictions import Highlight
from aiomlcommons.ingest import Estimate, Report, Stats
from aiomlcommons.record import Record, Tagged
from aiomlcommons.stream import StreamRequest
from aiomlcommons.wire.codec import from_http
from aiomlcommons.wire.routes import Router, read_request
from tests.support.import_graph import modules
from tests.support.strategies import requests, values
from tests.wire.recordings import exchanges, is_other

HUSH = "h0sh-h0sh"
NAME: Any = attrgetter("__name__")


def classes() -> list[type[Record]]:
    """Return every class of records in the package, but not those that tests make."""
    for module in modules():
        if module.startswith(("api.", "inference.", "wire.")) and not module.endswith("__init__"):
            import_module(f"aiomlcommons.{module}")
    found, todo = set(), [Record]
    while todo:
        for cls in todo.pop().__subclasses__():
            todo.append(cls)
            is_base = issubclass(cls, Tagged) and not hasattr(cls, "type")
            if cls.__module__.startswith("aiomlcommons.") and not is_base:
                found.add(cls)
    return sorted(found, key=lambda cls: (cls.__module__, cls.__name__))


def parts(value: Any) -> Iterator[Any]:
    """Yield a value and all values in it."""
    yield value
    inner: Collection[Any] = ()
    if attrs.has(type(value)):
        inner = [getattr(value, field.name) for field in attrs.fields(type(value))]
    elif isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, list | tuple):
        inner = value
    for part in inner:
        yield from parts(part)


def check(value: Shown, *of: Any) -> None:
    """Check that a value survives as JSON. JSON has neither bytes, which are base64 text in it, nor Secrets."""
    data = value.to_dict()
    assert orjson.loads(value.to_json()) == orjson.loads(value.to_json(indent=True)) == data
    if not isinstance(value, Readable):
        return
    if any(type(part) is bytes for part in parts(value)) and isinstance(value, Request):
        return
    twin = type(value).from_dict(data, *of)
    assert twin.to_dict() == data
    if not any(isinstance(part, bytes | Secret) for part in parts(value)):
        assert twin == value


@pytest.mark.parametrize("cls", classes(), ids=NAME)
@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_every_record_is_read_back_from_its_json(cls: Any, data: st.DataObject) -> None:
    if getattr(cls, "__parameters__", ()):
        check(data.draw(values(cls[ModelGroup])), ModelGroup)
    else:
        check(data.draw(values(cls)))


@pytest.mark.parametrize("cls", ENDPOINTS, ids=NAME)
@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_every_request_is_read_back_from_its_json(cls: type[Request[Any]], data: st.DataObject) -> None:
    check(data.draw(requests(cls)))


@pytest.mark.parametrize("cls", [MLSettings, NodeState, Report, Estimate], ids=NAME)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_settings_and_reports_are_read_back_from_their_json(cls: Any, data: st.DataObject) -> None:
    check(data.draw(values(cls)))


def test_every_recorded_exchange_is_read_back_from_its_json() -> None:
    router, seen = Router(ENDPOINTS), 0
    for exchange in exchanges():
        match = router.find(exchange.request.method, exchange.request.path)
        if exchange.response.status >= 300 or is_other(exchange.request, router) or match is None:
            continue
        request = read_request(match, exchange.request)
        check(request)
        if exchange.answered_whole and not isinstance(request, StreamRequest):
            answer = from_http(request, exchange.response)
            generic = getattr(type(request).endpoint.returns, "__args__", ()) if isinstance(answer, Hits) else ()
            for one in parts(answer):
                if isinstance(one, Shown):
                    check(one, *(generic if type(one).__dict__.get("__parameters__") else ()))
            seen += 1
    assert seen > 400


def test_the_json_has_the_keys_and_values_of_the_server() -> None:
    hit = Hit(index="i", id="a", score=None, source=ModelGroup(name="g", access=AccessMode.PUBLIC, extra={"new": [1]}))
    assert hit.to_dict() == {
        "_index": "i",
        "_id": "a",
        "_score": None,
        "_source": {"name": "g", "access": "public", "new": [1]},
    }
    assert MLSettings(only_run_on_ml_node=False, max_json_size=NULL).to_dict() == {
        "plugins.ml_commons.only_run_on_ml_node": False,
        "plugins.ml_commons.max_json_size": None,
    }
    assert UpdateModel("m", name="n").to_dict() == {"model_id": "m", "name": "n"}
    assert SearchModels({"size": 1}).to_dict() == {"body": {"size": 1}}
    assert Highlight(0, 4, "text").to_json() == '{"start":0,"end":4,"text":"text"}'


def test_the_documents_of_a_page_are_read_back_as_a_class_or_as_dicts() -> None:
    data = {"_index": "i", "_id": "a", "_score": None, "_source": {"name": "m"}}
    typed: Hit[Model] = Hit.from_dict(data, Model)
    assert typed.source == Model(name="m")
    assert Hit.from_dict(data).source == {"name": "m"}


def test_what_does_not_fit_is_named_by_its_path() -> None:
    with pytest.raises(ValueError, match=r"expected .*got 5 @ \$\.name"):
        Model.from_dict({"name": 5})


def test_statistics_are_given_with_their_rates() -> None:
    now = [0.0]
    stats = Stats(read=4, written=3, failed=1, total=8, clock=lambda: now[0])
    now[0] = 2.0
    given = stats.to_dict()
    assert {key: value for key, value in given.items() if value} == {
        "read": 4,
        "written": 3,
        "failed": 1,
        "total": 8,
        "seconds": 2.0,
        "rate": 2.0,
        "eta": 2.0,
    }
    assert {key: value for key, value in given.items() if key in stats.counts} == stats.counts
    assert not {"clock", "started", "before"} & given.keys()


def test_the_json_is_the_data_with_credentials_while_repr_and_html_mask_them() -> None:
    request = CreateConnector("c", version=1, protocol="http", credential={"k": Secret(HUSH)}, headers={"x": HUSH})
    record = HttpConnector(name="c", credential={"k": HUSH}, parameters={"api_key": HUSH})
    assert request.to_dict()["credential"] == record.to_dict()["credential"] == {"k": HUSH}
    for value in (request, record):
        rich = [str(part) for part in value.__rich_repr__()]
        for shown in (repr(value), str(value), value._repr_html_(), *rich):
            assert HUSH not in shown
        assert "***" in value._repr_html_()


def test_values_that_json_does_not_know_are_written_too() -> None:
    task = TaskInfo(response={"vector": np.array([1, 2.5]), "n": np.int64(3), "nan": float("nan"), "raw": b"\xff"})
    assert task.to_dict() == {"response": {"vector": [1.0, 2.5], "n": 3, "nan": None, "raw": "/w=="}}
