"""Recordings are parsed in each format that recorders write."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cbor2
import pytest

from aiomlcommons.http import CBOR, JSON
from tests.wire.recordings import exchanges
from tests.wire.rows import lines, row


def test_every_form_of_a_recorded_body_is_read(tmp_path: Path) -> None:
    forms: list[dict[str, Any]] = [
        {"body": {"a": 1}},
        {"body": None},
        {"body_text": "Unauthorized"},
        {"body_base64": "AP8="},
        {},
        {"body": '{"as": "it came"}'},
        {"body": {"a": 1}, "content_type": CBOR},
        {"body_base64_head": "AP8="},
    ]
    file = lines(tmp_path / "forms.jsonl", *(row("form", "GET", "/models/m", **form) for form in forms))
    assert [e.response.body for e in exchanges([Path(file)])] == [
        b'{"a":1}',
        b"null",
        b"Unauthorized",
        b"\x00\xff",
        b"",
        b'{"as": "it came"}',
        cbor2.dumps({"a": 1}),
        b"\x00\xff",
    ]


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"content_type": "Text/Plain; charset=UTF-8"}, "text/plain"),
        ({"headers": {"Content-Type": "application/cbor"}, "body": {"a": 1}}, CBOR),
        ({"headers": {"Content-Type": JSON}, "content_type": CBOR, "body": {"a": 1}}, CBOR),
        ({"body_base64": base64.b64encode(cbor2.dumps({"a": 1})).decode()}, CBOR),
        ({"body_base64": base64.b64encode(b"\xbfaa\x01\xff").decode()}, CBOR),
        ({"body_base64": base64.b64encode(b'{"a":1}').decode()}, ""),
        ({"body": {"a": 1}}, ""),
    ],
)
def test_the_type_of_an_answer_is_found_wherever_it_was_recorded(tmp_path: Path, part: Any, kind: str) -> None:
    asked = {"method": "GET", "path": "/_plugins/_ml/models/m"}
    file = lines(tmp_path / "one.jsonl", {"case": "c", "request": asked, "response": {"status": 200, **part}})
    (found,) = exchanges([Path(file)])
    assert found.response.content_type == kind
    assert "headers" not in part or found.response.json() == {"a": 1}


@pytest.mark.parametrize("part", [{}, {"body": None}, {"body": ""}, {"body_text": ""}])
def test_a_request_recorded_with_nothing_for_its_body_has_none(tmp_path: Path, part: Any) -> None:
    asked = {"method": "POST", "path": "/_plugins/_ml/models/m/_undeploy", **part}
    file = lines(tmp_path / "one.jsonl", {"case": "c", "request": asked, "response": {"status": 200, "body": {}}})
    assert [e.request.body for e in exchanges([Path(file)])] == [None]
