"""Encoding of requests and decoding of responses, without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cbor2
import orjson
import pytest

from aiomlcommons import (
    ENDPOINTS,
    NULL,
    DecodeError,
    HttpRequest,
    HttpResponse,
    InvalidRequest,
    NotFound,
    Redirected,
    Request,
    Secret,
)
from aiomlcommons.api.agent_runs import ExecuteAgent
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.connectors import ConnectorAction, CreateConnector, GetConnector
from aiomlcommons.api.memory_containers import MemoryConfiguration, RetentionRule, UpdateMemoryContainer
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_groups import ModelGroup, UpdateModelGroup
from aiomlcommons.api.model_records import Model, NodeUndeployed, RateLimiter
from aiomlcommons.api.model_registration import RegisterModel, UploadModelChunk
from aiomlcommons.api.models import DeployModel, GetModel, SearchModels, UndeployModel, UpdateModel
from aiomlcommons.api.predict import Cell, ColumnMeta, DataFrame, Predict, PredictByModel, Row
from aiomlcommons.api.stats import GetStats
from aiomlcommons.endpoint import Route, endpoint
from aiomlcommons.http import CBOR, JSON
from aiomlcommons.wire.codec import _word, from_http, from_word, json_bytes, to_http

TYPED = {"content-type": JSON}
HUSH = "h0sh-h0sh"
CONNECTOR: dict[str, Any] = {"version": 1, "protocol": "http"}
HALF = "\ud83d"  # half of an emoji (a lone surrogate), as in a truncated text
WRONG: Any = object()


def path(request: Request[Any]) -> str:
    return to_http(request).path


def body(request: Request[Any]) -> Any:
    sent = to_http(request).body
    return None if sent is None else orjson.loads(sent)


# ---- path ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_id", "segment"),
    [
        ("abc-_9", "abc-_9"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("...", "..."),
        ("a..b", "a..b"),
        ("../../_cluster/settings", "..%2F..%2F_cluster%2Fsettings"),
        ("a b", "a%20b"),
        (" a ", "%20a%20"),
        ("äß漢", "%C3%A4%C3%9F%E6%BC%A2"),
        ("a?b#c&d=e+f", "a%3Fb%23c%26d%3De%2Bf"),
        ("%2F", "%252F"),
        ("{chunk_number}", "%7Bchunk_number%7D"),
        ("a\r\nhost: evil\0", "a%0D%0Ahost%3A%20evil%00"),
    ],
)
def test_an_id_stays_one_segment_whatever_it_holds(model_id: str, segment: str) -> None:
    assert path(GetModel(model_id)) == f"/_plugins/_ml/models/{segment}"
    assert path(UploadModelChunk(model_id, 0, b"")) == f"/_plugins/_ml/models/{segment}/upload_chunk/0"


@pytest.mark.parametrize("model_id", ["", " ", "\t\n", "\u3000"])
def test_an_empty_id_is_refused(model_id: str) -> None:
    # Without this, GET /models/ would be another route.
    with pytest.raises(InvalidRequest, match=r"^GetModel: model_id must not be empty$"):
        to_http(GetModel(model_id))


@pytest.mark.parametrize(
    ("model_id", "words"),
    [(None, "got null"), (5, "got 5"), (b"m", "got bytes"), (["m"], "got an array"), (True, "got True")],
)
def test_an_id_that_is_no_text_is_refused_by_name(model_id: Any, words: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^GetModel: expected a string, {words} @ \$\.model_id$"):
        to_http(GetModel(model_id))


def test_an_id_of_half_a_character_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match=r"^GetModel: model_id cannot be encoded as UTF-8"):
        to_http(GetModel(f"m{HALF}"))


def test_the_route_is_chosen_by_what_is_given() -> None:
    assert path(GetStats()) == "/_plugins/_ml/stats"
    assert path(GetStats("ml_model_count", node_id="a,b")) == "/_plugins/_ml/a%2Cb/stats/ml_model_count"


def test_another_of_its_routes_may_be_named() -> None:
    (old,) = DeployModel.endpoint.was
    assert to_http(DeployModel("m"), old) == HttpRequest("POST", "/_plugins/_ml/models/m/_load")
    assert to_http(SearchModels(), Route.parse("GET /_plugins/_ml/models/_search")).method == "GET"


# ---- query ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "query"), [(None, {}), (True, {"deploy": "true"}), (False, {"deploy": "false"})])
def test_a_query_field_is_left_out_or_a_word(value: bool | None, query: Mapping[str, str]) -> None:
    sent = to_http(RegisterModel("m", deploy=value))
    assert sent.query == query
    assert sent.body == b'{"name":"m"}'


def test_a_query_field_goes_by_its_name_on_the_wire() -> None:
    assert to_http(ExecuteAgent("a", async_=True)).query == {"async": "true"}


def test_lists_and_numbers_in_the_query_are_words() -> None:
    assert (_word(["a", "b"]), _word(5), _word("x")) == ("a,b", "5", "x")


@pytest.mark.parametrize(
    ("text", "declared", "value"),
    [
        ("true", bool | None, True),
        ("false", bool | None, False),
        ("", bool | None, True),
        ("yes", bool | None, "yes"),
        ("7", int, 7),
        ("-7", int | None, -7),
        ("--7", int, "--7"),
        ("²", int, "²"),
        ("7", str, "7"),
        ("true", str | None, "true"),
    ],
)
def test_a_word_is_read_back_as_its_type_and_stays_text_where_it_is_none(text: str, declared: Any, value: Any) -> None:
    assert from_word(text, declared) == value
    assert type(from_word(text, declared)) is type(value)


# ---- body ----------------------------------------------------------------------------------------------------------


def test_none_is_left_out_and_false_zero_and_empty_are_not() -> None:
    sent = body(UpdateModel("m", name=None, description="", is_enabled=False))
    assert sent == {"description": "", "is_enabled": False}
    assert body(PredictByModel("m", target_response=[], parameters={})) == {"target_response": [], "parameters": {}}


def test_null_is_sent_as_null_where_the_api_tells_it_from_absent() -> None:
    cleared = UpdateMemoryContainer("c", configuration=MemoryConfiguration(retention_policy=NULL))
    assert body(cleared) == {"configuration": {"retention_policy": None}}
    rule = MemoryConfiguration(retention_policy={"sessions": RetentionRule(max_count=NULL, retention_days=1)})
    assert body(UpdateMemoryContainer("c", configuration=rule)) == {
        "configuration": {"retention_policy": {"sessions": {"max_count": None, "retention_days": 1}}}
    }


def test_null_is_refused_where_the_api_has_no_use_for_it() -> None:
    with pytest.raises(InvalidRequest, match=r"UpdateModel: expected str, got Null @ \$\.name"):
        to_http(UpdateModel("m", name=NULL))  # type: ignore[arg-type]


def test_none_inside_open_objects_stays_null() -> None:
    assert body(PredictByModel("m", parameters={"stop": None, "n": [None]})) == {
        "parameters": {"stop": None, "n": [None]}
    }


@pytest.mark.parametrize(
    ("request_", "sent"),
    [
        (GetModel("m"), HttpRequest("GET", "/_plugins/_ml/models/m")),
        (DeployModel("m"), HttpRequest("POST", "/_plugins/_ml/models/m/_deploy")),
        (UpdateModelGroup("g"), HttpRequest("PUT", "/_plugins/_ml/model_groups/g", body=b"{}", headers=TYPED)),
        (PredictByModel("m"), HttpRequest("POST", "/_plugins/_ml/models/m/_predict", body=b"{}", headers=TYPED)),
        (SearchModels(), HttpRequest("POST", "/_plugins/_ml/models/_search", body=b"{}", headers=TYPED)),
    ],
)
def test_a_body_is_sent_where_there_is_one_or_the_server_wants_one(request_: Request[Any], sent: HttpRequest) -> None:
    assert to_http(request_) == sent


def test_raw_bytes_go_as_they_are_with_the_type_that_the_server_wants() -> None:
    sent = to_http(UploadModelChunk("m", 3, b"\x00\xff"))
    assert sent == HttpRequest("POST", "/_plugins/_ml/models/m/upload_chunk/3", body=b"\x00\xff", headers=TYPED)


def test_a_whole_body_is_sent_as_it_is() -> None:
    assert body(SearchModels({"query": {"match_all": {}}, "size": 0})) == {"query": {"match_all": {}}, "size": 0}


def test_keys_go_in_the_order_that_the_server_reads_them() -> None:
    sent = to_http(RegisterModel("m", model_config=ModelConfig(model_type="bert"), function_name="QUESTION_ANSWERING"))
    assert list(orjson.loads(sent.body or b"")) == ["name", "function_name", "model_config"]
    frame = DataFrame([ColumnMeta("a", "DOUBLE")], [Row([Cell("DOUBLE", 1.5)])])
    sent = to_http(Predict("kmeans", "m", input_data=frame))
    assert b'{"column_type":"DOUBLE","value":1.5}' in (sent.body or b"")


def test_a_request_may_accept_one_kind_of_answer_only() -> None:
    @endpoint("GET /x", since="1.0", accept="text/event-stream")
    class Streamed(Request[None]):
        """Stream."""

    ENDPOINTS.remove(Streamed)
    assert to_http(Streamed()).headers == {"accept": "text/event-stream"}


def test_words_records_and_tuples_inside_open_objects_are_written_too() -> None:
    parameters = {"kind": FunctionName.REMOTE, "pair": ("a", 1), "config": ModelConfig(model_type="bert")}
    assert body(PredictByModel("m", parameters=parameters))["parameters"] == {
        "kind": "REMOTE",
        "pair": ["a", 1],
        "config": {"model_type": "bert"},
    }


def test_unknown_keys_of_a_record_are_written_back() -> None:
    config = ModelConfig(model_type="bert", extra={"new_in_4_0": [1]})
    assert body(UpdateModel("m", model_config=config)) == {"model_config": {"model_type": "bert", "new_in_4_0": [1]}}


def test_secrets_are_sent_in_full_and_shown_by_no_repr() -> None:
    request = CreateConnector("c", **CONNECTOR, credential={"key": Secret(HUSH)}, headers={"x-key": Secret(HUSH)})
    plain = CreateConnector("c", **CONNECTOR, credential={"key": HUSH}, headers={"x-key": HUSH})
    assert (
        body(request)
        == body(plain)
        == {
            "name": "c",
            **CONNECTOR,
            "credential": {"key": HUSH},
            "headers": {"x-key": HUSH},
        }
    )
    for shown in (
        repr(request),
        repr(plain),
        str(plain),
        repr(to_http(plain)),
        repr(RegisterModel("m", connector=plain)),
    ):
        assert HUSH not in shown
    assert "credential='***'" in repr(plain)
    assert "credential" not in repr(CreateConnector("c", **CONNECTOR))


@pytest.mark.parametrize(
    "request_",
    [
        CreateConnector("c", version=HUSH, protocol=5, credential={"k": HUSH}),  # type: ignore[arg-type]
        CreateConnector("c", **CONNECTOR, credential={"k": 5, "other": HUSH}),  # type: ignore[dict-item]
        CreateConnector("c", **CONNECTOR, credential={"k": HUSH, "x": HALF}),
    ],
)
def test_a_refusal_shows_no_credential_that_is_right(request_: CreateConnector) -> None:
    with pytest.raises(InvalidRequest) as caught:
        to_http(request_)
    assert HUSH not in str(caught.value)


# ---- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (lambda: Predict("a", "m", text_docs="abc"), r"Predict: expected Sequence, got 'abc' @ \$\.text_docs"),
        (lambda: Predict("a", "m", text_docs=["a", 1]), r"expected a string, got 1 @ \$\.text_docs\[1\]"),  # type: ignore[list-item]
        (lambda: Predict("a", "m", text_docs=iter("a")), r"@ \$\.text_docs"),  # type: ignore[arg-type]
        (lambda: Predict("a", "m", return_bytes=1), r"expected bool, got 1 @ \$\.return_bytes"),  # type: ignore[arg-type]
        (lambda: Predict("a", "m", target_response_positions=[True]), r"expected an integer, got True"),
        (lambda: Predict("a", "m", parameters=[1]), r"got an array @ \$\.parameters"),  # type: ignore[arg-type]
        (lambda: Predict("a", "m", parameters={1: 2}), r"expected a string, got 1 @"),  # type: ignore[dict-item]
        (lambda: SearchModels([1]), r"expected an object, got an array @ \$\.body"),  # type: ignore[arg-type]
        (lambda: SearchModels(None), r"expected an object, got null @ \$\.body"),  # type: ignore[arg-type]
        (lambda: UploadModelChunk("m", 0, "text"), r"expected bytes, got 'text'"),  # type: ignore[arg-type]
        (lambda: UploadModelChunk("m", "0", b""), r"expected an integer, got '0'"),  # type: ignore[arg-type]
        (lambda: CreateConnector("c", version=1.5, protocol="http"), r"expected str or int, got 1.5"),  # type: ignore[arg-type]
        (lambda: CreateConnector("c", **CONNECTOR, actions="x"), r"@ \$\.actions"),  # type: ignore[arg-type]
        (lambda: CreateConnector("c", **CONNECTOR, actions=[3]), r"expected an object, got 3 @ \$\.actions\[0\]"),  # type: ignore[list-item]
        (lambda: CreateConnector("c", **CONNECTOR, credential="k"), r"@ \$\.credential"),  # type: ignore[arg-type]
        (lambda: UpdateModel("m", rate_limiter=3), r"expected RateLimiter, got 3"),  # type: ignore[arg-type]
        (lambda: GetModel("m", return_content="true"), r"expected bool, got 'true'"),  # type: ignore[arg-type]
    ],
)
def test_what_does_not_fit_its_type_is_refused_by_name(request_: Any, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        to_http(request_())


@pytest.mark.parametrize(
    ("parameters", "where"),
    [
        ({"a": {"b": [0, {1, 2}]}}, r"\$\['parameters'\]\['a'\]\['b'\]\[1\]"),
        ({"a": WRONG}, r"\$\['parameters'\]\['a'\]"),
        ({"a": 2**70}, r"Integer exceeds 64-bit range @ \$\['parameters'\]\['a'\]"),
        ({"a": [0.5, 10**400]}, r"Integer exceeds 64-bit range @ \$\['parameters'\]\['a'\]\[1\]"),
        ({"a": [10**400, float("inf")]}, r"a finite number, got inf @ \$\.parameters\.a\[1\]"),
        ({HALF: 1}, r"surrogates not allowed @ \$\['parameters'\]"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_path(parameters: Mapping[str, Any], where: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^PredictByModel: .*{where}$"):
        to_http(PredictByModel("m", parameters=parameters))


def test_a_text_that_was_cut_within_a_character_is_named_by_its_place() -> None:
    with pytest.raises(InvalidRequest, match=r"surrogates not allowed @ \$\['text_docs'\]\[1\]$"):
        to_http(Predict("text_embedding", "m", text_docs=["fine", f"cut {HALF}"]))
    with pytest.raises(InvalidRequest, match=r"surrogates not allowed @ \$\.body\['a'\]$"):
        to_http(SearchModels({"a": HALF}))


def test_an_error_of_json_leads_to_nothing_of_the_value() -> None:
    with pytest.raises(TypeError, match="surrogates not allowed") as raised:
        json_bytes({"key": f"secret{HALF}"})
    with pytest.raises(InvalidRequest) as refused:
        to_http(SearchModels({"key": f"secret{HALF}"}))
    for error in (raised.value, refused.value):
        assert (error.__cause__, error.__context__) == (None, None)


def test_several_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        to_http(UpdateModel("m", name=1, is_enabled="no"))  # type: ignore[arg-type]
    assert "$.name" in str(caught.value)
    assert "$.is_enabled" in str(caught.value)


@pytest.mark.parametrize(
    ("request_", "sent"),
    [
        (
            lambda: UpdateModel("m", rate_limiter={"limit": 3, "unit": "MINUTES"}),  # type: ignore[arg-type]
            {"rate_limiter": {"limit": 3, "unit": "MINUTES"}},
        ),
        (
            lambda: UpdateModel("m", guardrails={"input_guardrail": {"regex": ["x"]}}),  # type: ignore[arg-type]
            {"guardrails": {"input_guardrail": {"regex": ["x"]}}},
        ),
        (
            lambda: CreateConnector("c", **CONNECTOR, actions=[{"action_type": "p", "method": "POST", "url": "u"}]),  # type: ignore[list-item]
            {"name": "c", **CONNECTOR, "actions": [{"action_type": "p", "method": "POST", "url": "u"}]},
        ),
    ],
)
def test_a_dict_with_the_right_keys_stands_for_a_record(request_: Any, sent: Any) -> None:
    assert body(request_()) == sent


def test_a_dict_with_the_wrong_keys_does_not() -> None:
    with pytest.raises(InvalidRequest, match=r"required key 'unit' is missing @ \$\.rate_limiter"):
        to_http(UpdateModel("m", rate_limiter={"limit": 3}))  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="name may hold 1 to 64"):
        action: Any = {"action_type": "p", "method": "POST", "url": "u", "name": "no spaces"}
        to_http(CreateConnector("c", **CONNECTOR, actions=[action]))


def test_records_are_written_the_same_as_dicts() -> None:
    action = ConnectorAction(action_type="p", method="POST", url="u")
    assert body(CreateConnector("c", **CONNECTOR, actions=(action,)))["actions"] == [
        {"action_type": "p", "method": "POST", "url": "u"}
    ]
    assert body(UpdateModel("m", rate_limiter=RateLimiter(3, "MINUTES")))["rate_limiter"]["limit"] == 3


# ---- answers -------------------------------------------------------------------------------------------------------


def got(data: Any, status: int = 200, kind: str = JSON) -> HttpResponse:
    raw = data if isinstance(data, bytes) else (cbor2 if kind == CBOR else orjson).dumps(data)
    return HttpResponse(status, raw, {"content-type": kind}, HttpRequest("GET", "/_plugins/_ml/models/m"))


@pytest.mark.parametrize("kind", [JSON, CBOR])
def test_an_answer_is_typed_from_json_or_cbor(kind: str) -> None:
    answer = from_http(GetModel("m"), got({"name": "n", "model_state": "DEPLOYED"}, kind=kind))
    assert answer == Model(name="n", model_state="DEPLOYED")
    assert answer.is_deployed


def test_an_answer_may_be_a_plain_dict_of_records() -> None:
    answer = from_http(UndeployModel("m"), got({"node": {"stats": {"m": "undeployed"}}}))
    assert answer == {"node": NodeUndeployed({"m": "undeployed"})}


def test_an_empty_body_is_none_where_nothing_is_answered() -> None:
    @endpoint("DELETE /x", since="1.0")
    class Gone(Request[None]):
        """Remove."""

    @endpoint("GET /x", since="1.0")
    class Maybe(Request[ModelGroup | None]):
        """Look."""

    del ENDPOINTS[-2:]
    assert from_http(Gone(), got(b"", 204)) is None
    assert from_http(Maybe(), got(b"")) is None
    assert from_http(Maybe(), got({"name": "g"})) == ModelGroup(name="g")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (got(b"<html>hello", kind="text/html; charset=utf-8"), "the response is not JSON but text/html: is this an"),
        (got(b"hello", kind=""), "not JSON but no content type"),
        (got(b"", kind=JSON), "not JSON but application/json"),
        (got(b'{"name": "n"', kind=JSON), "not JSON but application/json"),
        (got(b"\xa1\x61", kind=CBOR), "not JSON but application/cbor"),
        (got(["a"]), r"the response is not a Model: expected an object, got an array @ \$"),
        (got({"name": 5}), r"the response is not a Model: expected str, got 5 @ \$\.name"),
        (got({"planning_worker_nodes": "abc"}), r"expected list, got 'abc' @ \$\.planning_worker_nodes"),
        (got({"is_enabled": 1}), r"expected bool, got 1 @ \$\.is_enabled"),
        (got({"created_time": "5"}), r"expected int, got '5' @ \$\.created_time"),
    ],
)
def test_an_answer_that_is_none_is_refused_and_kept(answer: HttpResponse, words: str) -> None:
    with pytest.raises(DecodeError, match=words) as caught:
        from_http(GetModel("m"), answer)
    assert caught.value.response is answer
    is_page = answer.content_type == "text/html"
    what = 'is an HTML page, "hello"' if is_page else "begins"
    assert f"(GET /_plugins/_ml/models/m); the response {what}" in str(caught.value)


def test_a_generic_answer_is_named_in_full() -> None:
    with pytest.raises(DecodeError, match=r"the response is not a .*Hits"):
        from_http(SearchModels(), got({}))


@pytest.mark.parametrize(("status", "cls"), [(300, Redirected), (302, Redirected), (404, NotFound)])
def test_a_status_of_300_or_above_is_raised(status: int, cls: type[Exception]) -> None:
    with pytest.raises(cls):
        from_http(GetConnector("c"), got({"error": "no"}, status))


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_a_status_below_300_is_none_of_an_errors_business(status: int) -> None:
    assert from_http(GetModel("m"), got({}, status)) == Model()


def test_a_tuple_is_as_good_as_a_list() -> None:
    texts: Sequence[str] = ("a", "b")
    assert body(Predict("a", "m", text_docs=texts))["text_docs"] == ["a", "b"]
