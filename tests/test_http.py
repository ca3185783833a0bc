"""HTTP messages are plain values that mask secrets."""

from __future__ import annotations

import contextlib
import pickle
from typing import Any

import attrs
import cbor2
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.http import CBOR, JSON, HttpRequest, HttpResponse
from tests.support.copies import copies

HUSH = "h0sh-h0sh"
REQUEST = HttpRequest(
    "PUT", "/a%2Fb", {"q": "1"}, f'{{"password":"{HUSH}"}}'.encode(), {"authorization": HUSH, "x-opaque-id": "1"}
)
FEW = settings(derandomize=True, max_examples=200, deadline=None, database=None)


def test_a_request_is_a_value() -> None:
    assert copies(REQUEST) == [REQUEST] * 3
    assert str(REQUEST) == "PUT /a%2Fb"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        REQUEST.path = "/"  # type: ignore[misc]


def test_no_repr_of_a_request_shows_its_body_or_header_values() -> None:
    for shown in (repr(REQUEST), str(REQUEST), repr([REQUEST])):
        assert HUSH not in shown
    assert "body=<24 bytes>, headers=<authorization, x-opaque-id>" in repr(REQUEST)
    assert "body=None" in repr(HttpRequest("GET", "/"))


def test_further_headers_are_added_in_lower_case_and_the_later_one_wins() -> None:
    request = HttpRequest("GET", "/", headers={"Accept": JSON, "X-A": "1"})
    assert request.with_headers({"accept": CBOR}, {"ACCEPT": "text/plain", "x-b": "2"}).headers == {
        "accept": "text/plain",
        "x-a": "1",
        "x-b": "2",
    }
    assert request.headers == {"Accept": JSON, "X-A": "1"}


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("application/json; charset=UTF-8", JSON),
        ("Application/CBOR", CBOR),
        ("text/plain ;charset=x", "text/plain"),
        ("", ""),
    ],
)
def test_the_content_type_is_the_bare_media_type(header: str, kind: str) -> None:
    assert HttpResponse(200, b"", {"content-type": header}).content_type == kind
    assert HttpResponse(200, b"").content_type == ""


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (orjson.dumps({"a": [1, 2.5, None]}), JSON),
        (orjson.dumps({"a": [1, 2.5, None]}), "application/json; charset=UTF-8"),
        (orjson.dumps({"a": [1, 2.5, None]}), "text/plain"),
        (cbor2.dumps({"a": [1, 2.5, None]}), CBOR),
    ],
)
def test_a_body_is_decoded_as_its_content_type_says(body: bytes, kind: str) -> None:
    assert HttpResponse(200, body, {"content-type": kind}).json() == {"a": [1, 2.5, None]}


def test_text_keeps_going_where_bytes_are_no_utf_8() -> None:
    assert HttpResponse(200, "Grüße".encode() + b"\xff").text == "Grüße�"


def test_an_answer_is_a_value_and_shows_its_request_as_a_line() -> None:
    got = HttpResponse(200, b"{}", {"content-type": JSON}, REQUEST)
    assert got.text == "{}"
    assert copies(got) == [attrs.evolve(got, request=attrs.evolve(REQUEST, body=None))] * 3
    assert repr(got).endswith("body=<2 bytes>, headers=<content-type>, request=PUT /a%2Fb)")
    assert HUSH not in repr(got)


@FEW
@given(body=st.binary(max_size=60), kind=st.sampled_from([JSON, CBOR, ""]))
def test_whatever_the_bytes_json_raises_nothing_but_value_error(body: bytes, kind: str) -> None:
    with contextlib.suppress(ValueError):
        HttpResponse(200, body, {"content-type": kind}).json()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x81" * 100_000,
        b"\x9b" + b"\xff" * 8,
        b"\x5b\x7f" + b"\xff" * 7,
        b"\x62\xff\xff",
        b"\xc0\x61x",
        b"\xd8\x23\x61(",
        b"\xa2\x61a",
    ],
    ids=lambda body: repr(body[:8]),
)
def test_broken_cbor_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="CBOR"):
        HttpResponse(200, body, {"content-type": CBOR}).json()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"<html>", b"[" * 5000, b'"\xff"', b"NaN"], ids=lambda body: repr(body[:8])
)
def test_broken_json_is_a_value_error(body: Any) -> None:
    with pytest.raises(ValueError, match=r"line 1 column|recursion|UTF-8"):
        HttpResponse(200, body, {"content-type": JSON}).json()


@pytest.mark.parametrize("take", [attrs.asdict, attrs.astuple, lambda got: vars(got), lambda got: got.__getstate__()])
def test_nothing_that_is_made_of_a_response_shows_the_credentials_of_its_request(take: Any) -> None:
    got = HttpResponse(200, b"{}", {"content-type": JSON}, REQUEST)
    assert HUSH not in repr(take(got))
    assert all(HUSH not in repr(take(copy)) and HUSH not in str(pickle.dumps(copy)) for copy in copies(got))
    assert HUSH.encode() not in pickle.dumps(take(got))
