"""Routing in reverse: the endpoint of a path, and the typed request of an HTTP message."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aiomlcommons import ENDPOINTS, HttpRequest, Request
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_registration import RegisterModel, UploadModelChunk
from aiomlcommons.api.models import GetModel, SearchModels, UndeployModels
from aiomlcommons.api.predict import Predict, PredictByModel
from aiomlcommons.api.tasks import SearchTasks
from aiomlcommons.wire.convert import Unreadable
from aiomlcommons.wire.routes import Router, read_request

ROUTER = Router(ENDPOINTS)
BASE = "/_plugins/_ml"


def read(method: str, path: str, body: Any = None, **query: str) -> Request[Any]:
    match = ROUTER.find(method, f"{BASE}{path}")
    assert match is not None
    raw = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
    return read_request(match, HttpRequest(method, f"{BASE}{path}", query, raw))


@pytest.mark.parametrize(
    ("method", "path", "cls", "values"),
    [
        ("GET", "/models/abc", GetModel, {"model_id": "abc"}),
        ("GET", "/models/abc/", GetModel, {"model_id": "abc"}),
        ("GET", "/models/a%2Fb", GetModel, {"model_id": "a/b"}),
        ("GET", "/models/%2E%2E", GetModel, {"model_id": ".."}),
        ("GET", "/models/%C3%A4%20b", GetModel, {"model_id": "ä b"}),
        ("GET", "/models/a.b", GetModel, {"model_id": "a.b"}),
        ("GET", "/models/_search", SearchModels, {}),
        ("POST", "/models/_search", SearchModels, {}),
        ("POST", "/tasks/_search", SearchTasks, {}),
        ("POST", "/models/_undeploy", UndeployModels, {}),
        ("POST", "/models/_unload", UndeployModels, {}),
        ("POST", "/models/m/upload_chunk/3", UploadModelChunk, {"model_id": "m", "chunk_number": "3"}),
        ("POST", "/models/m/_predict", PredictByModel, {"model_id": "m"}),
        ("POST", "/_predict/kmeans/m", Predict, {"algorithm": "kmeans", "model_id": "m"}),
    ],
)
def test_a_path_means_one_endpoint_and_a_word_wins_over_a_field(
    method: str, path: str, cls: type[Any], values: dict[str, str]
) -> None:
    match = ROUTER.find(method, f"{BASE}{path}")
    assert match is not None
    assert (match.request, match.values) == (cls, values)
    assert match.route in cls.endpoint.routes
    assert match.route.method == method


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/_plugins/_ml/models/abc"),
        ("GET", "/_plugins/_ml/models/a/b"),
        ("GET", "/_plugins/_ml/models/"),
        ("GET", "/_plugins/_ml"),
        ("GET", "/_plugins/_ml/models/abc/_search/more"),
        ("GET", "/x/_plugins/_ml/models/abc"),
    ],
)
def test_any_other_path_means_none(method: str, path: str) -> None:
    assert ROUTER.find(method, path) is None


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/docs", "GetIndex"),
        ("GET", "/_all", "GetIndex"),
        ("GET", "/docs-*,other/_mapping", "GetMapping"),
        ("POST", "/_search", "SearchDocuments"),
        ("POST", "/docs/_search", "SearchDocuments"),
        ("PUT", "/_search/pipeline/p", "CreateSearchPipeline"),
        ("GET", "/_search", None),
        ("DELETE", "/_data_stream", None),
        ("POST", "/_reindex/_refresh", None),
    ],
)
def test_a_path_begins_with_an_index_or_an_underscore(method: str, path: str, name: str | None) -> None:
    match = ROUTER.find(method, path)
    assert (match and match.request.__name__) == name


@pytest.mark.parametrize("path", ["/", ""])
def test_the_root_is_a_path_too(path: str) -> None:
    match = ROUTER.find("GET", path)
    assert match is not None
    assert match.request.__name__ == "GetInfo"


def test_a_router_knows_no_more_than_it_is_given() -> None:
    assert Router([GetModel]).find("POST", f"{BASE}/models/_search") is None
    assert Router([]).find("GET", "/") is None


@pytest.mark.parametrize("cls", ENDPOINTS, ids=lambda cls: cls.__name__)
def test_every_route_as_it_is_written_leads_to_its_own_endpoint(cls: type[Request[Any]]) -> None:
    for route in cls.endpoint.routes:
        match = ROUTER.find(route.method, route.path.format_map(dict.fromkeys(route.names, "0")))
        assert match is not None
        assert (match.request, match.route) == (cls, route)


# ---- what a message holds ------------------------------------------------------------------------------------------


def test_path_query_and_body_make_one_request() -> None:
    sent = read("POST", "/models/_register", {"name": "n", "function_name": "REMOTE"}, deploy="true")
    assert sent == RegisterModel("n", function_name=FunctionName.REMOTE, deploy=True)


def test_a_whole_body_is_one_field() -> None:
    assert read("POST", "/models/_search", {"size": 1}) == SearchModels({"size": 1})
    assert read("POST", "/models/_search") == SearchModels()


def test_raw_bytes_are_not_decoded() -> None:
    assert read("POST", "/models/m/upload_chunk/7", b"\x00{") == UploadModelChunk("m", 7, b"\x00{")


def test_keys_that_a_request_does_not_know_are_dropped() -> None:
    assert read("POST", "/models/m/_predict", {"text_docs": ["a"], "nope": 1}) == PredictByModel("m", text_docs=["a"])


def test_the_path_wins_over_a_key_of_the_same_name() -> None:
    assert read("POST", "/models/m/_predict", {"model_id": "other"}) == PredictByModel("m")


@pytest.mark.parametrize(
    ("path", "body", "query", "problem"),
    [
        ("/models/_register", {}, {}, "required key 'name' is missing"),
        ("/models/_register", {"name": 5}, {}, "expected a string, got 5"),
        ("/models/_register", [1], {}, "expected an object as the body"),
        ("/models/_register", {"name": "n"}, {"deploy": "maybe"}, "expected bool, got 'maybe'"),
        (
            "/models/_register",
            {"name": "n"},
            {"foo": "", "name": "x"},
            "unknown query parameter: foo, name",
        ),
        ("/models/m/upload_chunk/x", b"", {}, "expected an integer, got 'x'"),
        ("/models/m/upload_chunk/%C2%B2", b"", {}, "expected an integer, got '²'"),
        ("/models/m/upload_chunk/--1", b"", {}, "expected an integer, got '--1'"),
        ("/models/m/upload_chunk/1", None, {}, "required key 'content' is missing"),
    ],
)
def test_what_fits_no_field_is_named(path: str, body: Any, query: dict[str, str], problem: str) -> None:
    with pytest.raises(Unreadable, match=problem):
        read("POST", path, body, **query)


@pytest.mark.parametrize("path", ["/models/_register", "/models/_search"])
def test_a_body_that_is_no_json_is_a_value_error(path: str) -> None:
    with pytest.raises(ValueError, match=r"unexpected end of data|line 1 column"):
        read("POST", path, b'{"name": ')
