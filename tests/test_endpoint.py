"""The ``endpoint`` decorator: the metadata that it derives, and what it rejects at import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

import attrs
import pytest

from aiomlcommons import ENDPOINTS, NULL
from aiomlcommons.api.model_registration import RegisterModel, UploadModelChunk
from aiomlcommons.api.models import DeployModel, GetModel, SearchModels
from aiomlcommons.api.predict import Predict
from aiomlcommons.api.stats import GetStats
from aiomlcommons.endpoint import Request, Route, endpoint, fields_of, wire_name
from aiomlcommons.record import Null, Record, as_body, in_query, masked, record, renamed
from tests.support.copies import copies


@pytest.fixture(autouse=True)
def _no_endpoint_is_left() -> Iterator[None]:
    before = list(ENDPOINTS)
    yield
    ENDPOINTS[:] = before


# ---- routes --------------------------------------------------------------------------------------------------------


def test_a_route_is_read_from_its_text_and_shown_as_it() -> None:
    route = Route.parse("POST /a/{one}/b/{two}")
    assert (route.method, route.path, route.names) == ("POST", "/a/{one}/b/{two}", ("one", "two"))
    assert str(route) == "POST /a/{one}/b/{two}"


def test_an_endpoint_lists_todays_route_first() -> None:
    assert [str(route) for route in DeployModel.endpoint.routes] == [
        "POST /_plugins/_ml/models/{model_id}/_deploy",
        "POST /_plugins/_ml/models/{model_id}/_load",
    ]
    assert [route.method for route in SearchModels.endpoint.routes] == ["POST", "GET"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ((), "/_plugins/_ml/stats"),
        (("stat",), "/_plugins/_ml/stats/{stat}"),
        (("node_id",), "/_plugins/_ml/{node_id}/stats"),
        (("node_id", "stat"), "/_plugins/_ml/{node_id}/stats/{stat}"),
    ],
)
def test_the_route_is_the_one_that_takes_most_of_what_is_given(given: Sequence[str], path: str) -> None:
    assert GetStats.endpoint.route_for(given).path == path


def test_without_the_fields_of_its_route_an_endpoint_falls_back_to_its_first() -> None:
    assert DeployModel.endpoint.route_for(()) == DeployModel.endpoint.route


# ---- what may be sent again ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "said", "repeatable"),
    [
        ("GET", False, True),
        ("PUT", False, True),
        ("DELETE", False, True),
        ("POST", False, False),
        ("POST", True, True),
    ],
)
def test_only_a_post_must_say_that_it_may_be_repeated(method: str, said: bool, repeatable: bool) -> None:
    @endpoint(f"{method} /x", since="1.0", repeatable=said)
    class Something(Request[None]):
        """Do something."""

    assert Something.endpoint.repeatable is repeatable


def test_what_creates_something_is_never_repeated() -> None:
    creating = ("register", "create", "train", "batch")
    posts = [cls for cls in ENDPOINTS if cls.endpoint.route.method == "POST"]
    found = [cls for cls in posts if cls.__name__.lower().startswith(creating)]
    assert RegisterModel in found
    assert [cls.__name__ for cls in found if cls.endpoint.repeatable] == []


def test_what_only_reads_may_be_repeated() -> None:
    reading = [cls for cls in ENDPOINTS if str(cls.endpoint.route).endswith("/_search")]
    assert SearchModels in reading
    assert [cls.__name__ for cls in reading if not cls.endpoint.repeatable] == []


# ---- fields --------------------------------------------------------------------------------------------------------


def test_requests_are_values() -> None:
    one = DeployModel("m", node_ids=["n"])
    assert one == DeployModel("m", node_ids=["n"]) != DeployModel("m")
    assert repr(one) == "DeployModel(model_id='m', node_ids=['n'])"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.model_id = "other"  # type: ignore[misc]
    assert copies(one) == [one] * 3


def test_fields_after_the_marker_are_keywords_only() -> None:
    with pytest.raises(TypeError, match="positional argument"):
        DeployModel("m", ["n"])  # type: ignore[call-arg]


def test_the_keyword_fields_of_a_mixin_stand_behind_the_requests_own() -> None:
    assert Predict("kmeans", "m", text_docs=["t"]) == Predict(algorithm="kmeans", model_id="m", text_docs=["t"])
    assert [field.name for field in fields_of(Predict) if not field.kw_only] == ["algorithm", "model_id"]


def test_a_field_goes_by_its_own_name_unless_it_is_renamed() -> None:
    @record
    class Thing(Record):
        id: str = renamed("_id")
        name: str | None = None
        async_: bool | None = in_query(wire="async")

    assert [wire_name(field) for field in fields_of(Thing)] == ["extra", "_id", "name", "async"]


def test_a_masked_field_is_shown_by_no_repr() -> None:
    @record
    class Thing(Record):
        key: str | None = masked(default=None)

    assert repr(Thing("s3cret")).endswith("Thing(key='***')")
    assert repr(Thing()).endswith("Thing()")


def test_a_whole_body_may_have_a_default() -> None:
    assert SearchModels() == SearchModels({})
    assert SearchModels().body is not SearchModels().body
    with pytest.raises(TypeError, match="content"):
        UploadModelChunk("m", 0)  # type: ignore[call-arg]


def test_a_request_has_its_docs_and_the_server_none_to_say_against_it() -> None:
    assert (GetModel.__doc__ or "").startswith("Get a model.")
    assert list(GetModel("m").problems()) == []


def test_null_is_one_value_that_says_what_it_is() -> None:
    assert repr(NULL) == "NULL"
    assert all(twin is NULL for twin in copies(NULL))
    assert list(Null) == [NULL]
    assert not NULL


# ---- what is refused at import -------------------------------------------------------------------------------------


def test_a_route_without_its_field_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Lost has no field for \['nope'\] in 'GET /x/\{nope\}'"):

        @endpoint("GET /x/{nope}", since="1.0")
        class Lost(Request[None]):
            model_id: str


def test_an_old_route_without_its_field_is_refused_too() -> None:
    with pytest.raises(TypeError, match=r"has no field for \['version'\]"):

        @endpoint("GET /x/{model_id}", since="1.0", was=["GET /x/{model_id}/{version}"])
        class Lost(Request[None]):
            model_id: str


def test_keys_beside_a_whole_body_are_refused() -> None:
    with pytest.raises(TypeError, match=r"Torn: a body is one field or keys, not both: \['body', 'key'\]"):

        @endpoint("POST /x", since="1.0")
        class Torn(Request[None]):
            body: Mapping[str, Any] = as_body()
            _: KW_ONLY
            key: str | None = None


def test_two_whole_bodies_are_refused() -> None:
    with pytest.raises(TypeError, match="a body is one field or keys"):

        @endpoint("POST /x", since="1.0")
        class Torn(Request[None]):
            one: bytes = as_body()
            other: bytes = as_body()


def test_a_body_beside_path_and_query_fields_is_fine() -> None:
    @endpoint("POST /x/{model_id}", since="1.0")
    class Whole(Request[None]):
        model_id: str
        body: bytes = as_body()
        deploy: bool | None = in_query()

    assert Whole in ENDPOINTS


def test_a_class_that_says_no_answer_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Mute must derive from Request\[its response type\]"):

        @endpoint("GET /x", since="1.0")
        class Mute:
            pass


def test_the_answer_is_found_beside_other_generic_bases() -> None:
    assert Predict.endpoint.returns.__name__ == "Prediction"
    assert str(SearchModels.endpoint.returns) == "aiomlcommons.api.common.Hits[aiomlcommons.api.model_records.Model]"


# ---- what holds for all of them ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", ENDPOINTS, ids=lambda cls: cls.__name__)
def test_every_endpoint_has_docs_that_end_with_its_link(cls: type[Request[Any]]) -> None:
    first, *_, link = (cls.__doc__ or "").splitlines()
    assert first
    assert link.startswith("https://")


def test_no_route_is_told_twice() -> None:
    routes = [str(route) for cls in ENDPOINTS for route in cls.endpoint.routes]
    assert sorted(routes) == sorted(set(routes))
