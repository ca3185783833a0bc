"""Credentials are known by their names, and taken out of what is shown and of what a server says."""

from __future__ import annotations

import base64
import json
import pickle
from typing import Any

import cbor2
import orjson
import pytest

from aiomlcommons import ApiError, ConnectError, DecodeError, HttpRequest, HttpResponse, Secret, Session
from aiomlcommons.api.agents import LLMSpec, RegisterAgent, ToolSpec
from aiomlcommons.api.connectors import ConnectorAction
from aiomlcommons.http import CBOR
from aiomlcommons.masking import (
    LARGEST_BODY,
    Veil,
    is_secret,
    raise_alone,
    shown,
    without_credentials,
    without_escapes,
    without_parameters,
)

HUSH = 'h0sh-"h0sh"/é'


NAMES = (
    "password api_key apiKey APIKey openAI_key x-api-key X-Amz-Signature session_token X-Amz-Security-Token sig apikey "
    "Authorization proxy-authorization Set-Cookie client_secret"
)


@pytest.mark.parametrize("name", NAMES.split())
def test_a_credential_is_known_by_its_name(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["key", "keys", "keyword", "max_tokens", "tokenizer", "author", "model", "", "1", "x-opaque-id", "signed"]
)
def test_an_ordinary_name_is_none_of_a_credential(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"api_key": HUSH, "a": 1}, "{'api_key': '***', 'a': 1}"),
        ({"x": [{"password": {"deep": HUSH}}]}, "{'x': [{'password': '***'}]}"),
        ({"max_tokens": 5, "token": None, "token_": True, "auth": 0}, None),
        ({"Authorization": "Bearer ${credential.key}"}, None),
        ({"a": Secret(HUSH)}, "{'a': Secret('***')}"),
        ("https://me:h0sh@host/a?key=h0sh&b=c#d", "'https://me:***@host/a?key=***&b=c#d'"),
        (["it's", ("a", 1.5), None], None),
    ],
)
def test_a_value_is_shown_without_credentials(value: Any, words: str | None) -> None:
    assert shown(value) == (repr(value) if words is None else words)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ('{"api_key":"sesame","input":"a"}', '{"api_key":"***","input":"a"}'),
        ("{'password': 'open sesame'}", "{'password': '***'}"),
        (r'{"body":"{\"api_key\": \"ses\\\"ame\", \"n\": 1}"}', r'{"body":"{\"api_key\": \"***\", \"n\": 1}"}'),
        (r'{"token":"ses\"ame","a":"b"}', '{"token":"***","a":"b"}'),
        ('{"a":"b","token":"sesame, cut off in the mid', '{"a":"b","token":"***'),
        ('{"token":"${credential.key}","tokens":"12"}', '{"token":"${credential.key}","tokens":"12"}'),
    ],
)
def test_json_in_a_text_is_shown_without_credentials(text: str, safe: str) -> None:
    assert without_credentials(text) == safe


def test_the_parameters_of_a_path_are_shown_by_name() -> None:
    assert without_parameters("/a?token=h0sh&pretty=true") == "/a?token=***&pretty=true"
    request = HttpRequest("GET", "/a?token=h0sh", {"api_key": "h0sh", "q": "x"})
    assert str(request) == "GET /a?token=***"
    assert "h0sh" not in repr(request)
    assert request.url == "/a?token=h0sh&api_key=h0sh&q=x"


def test_records_and_requests_mask_what_is_named_like_a_credential() -> None:
    tool = ToolSpec("WebSearchTool", parameters={"google_api_key": HUSH, "engine": "google"})
    agent = RegisterAgent("a", "flow", tools=[tool], llm=LLMSpec("m", parameters={"session_token": HUSH}))
    action = ConnectorAction("predict", "POST", "https://h?key=h0sh", headers={"x-api-key": HUSH})
    for value in (agent, [agent], action):
        assert "h0sh" not in repr(value)
    assert "'google_api_key': '***', 'engine': 'google'" in repr(tool)
    assert "'session_token': '***'" in repr(agent)


# ---- what a server says ----------------------------------------------------------------------------------------------


def refused(request: HttpRequest, body: bytes, kind: str = "application/json") -> HttpResponse:
    return HttpResponse(400, body, {"content-type": kind, "location": HUSH}, request)


BASIC = base64.b64encode(f"ann:{HUSH}".encode()).decode()
KEY = HttpRequest("GET", "/", headers={"x-api-key": HUSH, "accept": "*/*"})


@pytest.mark.parametrize(
    "request_",
    [
        KEY,
        HttpRequest("GET", "/", headers={"Authorization": f"Bearer {HUSH}"}),
        HttpRequest("GET", "/", headers={"authorization": f"Basic {BASIC}"}),
        HttpRequest("GET", "/", {"token": HUSH}),
        HttpRequest("GET", "/?token=h0sh-%22h0sh%22%2F%C3%A9"),
        HttpRequest("POST", "/", body=orjson.dumps({"credential": {"any": [HUSH]}})),
    ],
)
def test_an_error_hides_the_credentials_of_its_request_wherever_the_server_repeats_them(request_: HttpRequest) -> None:
    said = {"reason": f"no {HUSH}", "seen": [json.dumps({"x": HUSH, "pair": BASIC})]}
    for body in (orjson.dumps({"error": said}), json.dumps({"error": said}).encode()):
        for error in (ApiError(refused(request_, body)), DecodeError("no", refused(request_, body))):
            assert "h0sh" not in f"{error} {error.response.body!r} {error.response.headers}"
            assert error.request.headers.keys() <= {"accept"}
            assert len(error.response.body) == len(body)
    assert "h0sh" not in str(ConnectError(f"no {HUSH}", request_))


def test_an_error_hides_the_key_in_a_url_of_the_body() -> None:
    request = HttpRequest("POST", "/", body=orjson.dumps({"actions": [{"url": "https://h?a=b&key=h0sh-h0sh"}]}))
    assert ApiError(refused(request, b'{"error": "no h0sh-h0sh"}')).reason == "no *********"


def test_a_body_of_cbor_is_still_read_after_it_was_covered() -> None:
    error = ApiError(refused(KEY, cbor2.dumps({"error": f"no {HUSH}"}), CBOR))
    assert error.reason == "no " + "*" * len(HUSH.encode())


def test_a_short_secret_is_left_because_it_is_a_word() -> None:
    request = HttpRequest("GET", "/", headers={"authorization": "Basic " + base64.b64encode(b"admin:admin").decode()})
    assert ApiError(refused(request, b'{"error": "no rights for admin"}')).reason == "no rights for admin"


def test_large_bodies_and_those_that_are_no_json_are_not_read_for_credentials() -> None:
    large = orjson.dumps({"password": HUSH, "text": "x" * LARGEST_BODY})
    for body in (large, b"\x00", b'{"password": ', b"[" * 60_000):
        request = HttpRequest("POST", "/", body=body)
        assert ApiError(refused(request, b'{"error": "no h0sh"}')).reason == "no h0sh"


def test_the_answer_of_a_success_is_data_and_stays_as_it_is() -> None:
    got = HttpResponse(200, HUSH.encode(), {"x": HUSH}, KEY)
    assert (got.body, got.headers["x"]) == (HUSH.encode(), HUSH)
    assert HUSH not in repr(got)


@pytest.mark.parametrize("error", [ApiError(refused(KEY, HUSH.encode())), ConnectError("no", KEY)])
def test_a_pickled_error_has_no_body_and_covers_nothing(error: ApiError | ConnectError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - it is our own
    assert (str(again), again.request.body, again.request.headers) == (str(error), None, {"accept": "*/*"})
    assert Veil.__reduce__(Veil((HUSH,))) == (Veil, ())
    assert again.request.hidden_in(HUSH) == HUSH


def test_an_error_may_be_raised_without_its_context() -> None:
    with pytest.raises(ValueError, match="alone") as caught:
        try:
            int(HUSH)
        except ValueError:
            raise_alone(ValueError("alone"))
    assert caught.value.__context__ is None


def test_a_session_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="a session cannot be pickled"):
        pickle.dumps(Session("http://h", auth=("a", HUSH)))


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain", "plain"),
        ("zwölf\n\ttexts", "zwölf\n\ttexts"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("a\rb\x07\x9b2J\u202e", "a\ufffdb\ufffd\ufffd2J\ufffd"),
    ],
)
def test_what_could_change_a_terminal_is_replaced(text: str, safe: str) -> None:
    assert without_escapes(text) == safe
