"""The recordings agree with the package, and the replay detects differences."""

from __future__ import annotations

from typing import Any

import attrs
import cbor2
import orjson
import pytest

from aiomlcommons import ENDPOINTS, Request
from aiomlcommons.endpoint import Route
from aiomlcommons.errors import DecodeError
from aiomlcommons.http import CBOR, JSON, HttpRequest, HttpResponse
from aiomlcommons.stream import Events
from aiomlcommons.wire.codec import from_http, to_http
from aiomlcommons.wire.convert import Unreadable
from aiomlcommons.wire.routes import Router
from tests.wire.compare import Difference, same
from tests.wire.recordings import FILES, Exchange, exchanges
from tests.wire.replay import replay, resource_of
from tests.wire.rows import GROUP
from tests.wire.streams import EVENTS

ROUTER = Router(ENDPOINTS)
ALL = list(exchanges())
COVERED = ("models", "model_registration", "model_groups", "tasks", "predict", "settings", "connectors", "server")
WROTE = {
    "_index": ".plugins-ml-model",
    "_id": "m",
    "_version": 2,
    "result": "updated",
    "_shards": {"total": 1, "successful": 1, "failed": 0},
    "_seq_no": 1,
    "_primary_term": 1,
}
STREAM = "/models/m/_predict/stream"
AGENT = "/agents/a/_execute/stream"
REFUSED = {"error": {"type": "status_exception", "reason": "missing"}, "status": 404}


def exchange(
    method: str, path: str, answer: Any, *, body: Any = None, status: int = 200, whole: bool = True, kind: str = JSON
) -> Exchange:
    path, _, query = path.partition("?")
    asked = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
    words = dict(word.split("=") for word in query.split("&")) if query else {}
    request = HttpRequest(method, f"/_plugins/_ml{path}", words, asked)
    said = answer if isinstance(answer, bytes) else (cbor2 if kind == CBOR else orjson).dumps(answer)
    return Exchange("here", "case", request, HttpResponse(status, said, {"content-type": kind}, request), whole)


def words(content: str, is_last: bool = False, memory: str | None = None, parent: str | None = None) -> dict[str, Any]:
    ids = {"memory_id": memory, "parent_interaction_id": parent}
    output: list[dict[str, Any]] = [{"name": key, "result": value} for key, value in ids.items() if value is not None]
    response = {"name": "response", "dataAsMap": {"content": content, "is_last": is_last}}
    return {"inference_results": [{"output": [*output, response]}]}


def frames(*data: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + orjson.dumps(one) + b"\n\n" for one in data)


SAID = (words("one"), words("", True))
FINISHED = {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}


# ---- the recordings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recorded", ALL, ids=lambda e: f"{e.file.removeprefix('ml-commons-')}-{e.case}")
def test_the_package_agrees_with_what_a_real_server_said(recorded: Exchange) -> None:
    replay(recorded, ROUTER)


def test_no_recording_is_left_out() -> None:
    """How many there are of each server is held by tests/emulator/test_agreement.py."""
    lines = {path.name: sum(bool(line.strip()) for line in path.read_bytes().splitlines()) for path in FILES}
    assert {path.name: sum(e.file == path.name for e in ALL) for path in FILES} == lines


def test_the_recordings_hold_every_kind_of_answer() -> None:
    kinds = {e.response.content_type for e in ALL}
    assert {JSON, CBOR, EVENTS, "text/plain", ""} <= kinds
    assert any(not e.whole for e in ALL)
    assert any(not e.answered_whole for e in ALL)
    assert {e.response.status for e in ALL} >= {200, 400, 401, 403, 404, 405, 406, 409, 429, 500}


@pytest.mark.parametrize("resource", COVERED)
def test_each_resource_has_recordings(resource: str) -> None:
    found = [e for e in ALL if resource_of(ROUTER.find(e.request.method, e.request.path)) == resource]
    assert any(e.response.status < 400 for e in found)


# ---- what it notices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "right",
    [
        exchange("GET", "/model_groups/g", GROUP),
        exchange("PUT", "/models/m", WROTE, body={"name": "n"}),
        exchange("PUT", "/models/m", WROTE, body={}),
        exchange("POST", "/models/m/upload_chunk/0", {"status": "Uploaded"}, body=b"\x00", whole=False),
        exchange("GET", "/models/m?return_content=true", {"name": "n"}),
        exchange("GET", "/models/m", REFUSED, status=404),
        exchange("GET", "/nope/nope/nope", REFUSED, status=404),
        exchange("GET", "/models/m", b"Unauthorized", status=401),
        exchange("GET", "/models/m", {"name": "n"}, kind=CBOR),
        exchange("GET", "/models/m", REFUSED, status=404, kind=CBOR),
        exchange("POST", "/mcp", b"", body={"method": "notifications/initialized", "jsonrpc": "2.0"}, status=202),
        exchange("POST", STREAM, frames(words("one"), words("", True)), body={}, kind=EVENTS),
        exchange("POST", STREAM, frames(words("one")), body={}, kind=EVENTS),
        exchange("POST", STREAM, frames(words("one"), words("", True))[:-9], body={}, kind=EVENTS),
        exchange("POST", STREAM, frames(words("one"), {"error": "boom"}), body={}, kind=EVENTS),
        exchange("POST", STREAM, b'data: {"error": "not "escaped""}\n\n', body={}, kind=EVENTS),
        exchange("POST", STREAM, b"", body={}, kind=EVENTS),
        exchange("POST", STREAM, {"inference_results": []}, body={}),
        exchange("POST", STREAM, b"no streams here", body={}, kind="text/plain"),
        exchange("POST", AGENT, frames(words("", True, "", "")), body={}, kind=EVENTS),
        exchange("POST", AGENT, frames(words("done", True, "mem", "")), body={}, kind=EVENTS),
        exchange("POST", AGENT, frames(words("boom", True, "", "")), body={}, kind=EVENTS),
        exchange("POST", AGENT, frames({"type": "RUN_ERROR", "message": "boom"}, FINISHED), body={}, kind=EVENTS),
        exchange("POST", AGENT, frames(FINISHED, FINISHED), body={}, kind=EVENTS),
    ],
)
def test_what_is_right_passes(right: Exchange) -> None:
    replay(right, ROUTER)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (exchange("GET", "/nope/nope/nope", {}), Difference, "no endpoint has this route"),
        # The request.
        (exchange("PUT", "/models/m", WROTE, body={"name": "n", "nope": 1}), Difference, "request has the keys"),
        (exchange("PUT", "/models/m", WROTE, body={"name": None}), Difference, "request has the keys"),
        (exchange("PUT", "/models/m", WROTE), Difference, "body written as b'{}'"),
        (exchange("GET", "/model_groups/g", GROUP, body={}), Difference, "body written as None"),
        (exchange("GET", "/models/m?foo=1", {}), Unreadable, "unknown query parameter: foo"),
        (exchange("GET", "/models/m?return_content=", {}), Difference, "query written as"),
        (exchange("GET", "/models/a~b%7E", {}), Difference, "path written as"),
        (exchange("PUT", "/models/m", WROTE, body={"name": 5}), Unreadable, r"got 5 @ \$\.name"),
        # The answer.
        (exchange("GET", "/model_groups/g", {**GROUP, "nope": 1}), Difference, r"answer holds keys .*\['nope'\]"),
        (exchange("GET", "/model_groups/g", {**GROUP, "owner": {"nope": 1}}), Difference, r"answer\.owner holds keys"),
        (exchange("GET", "/model_groups/g", {**GROUP, "owner": None}), Difference, "answer has the keys"),
        (exchange("GET", "/model_groups/g", {**GROUP, "name": 5}), DecodeError, r"\$\.name"),
        (exchange("PUT", "/models/m", {**WROTE, "_id": None}, body={}), DecodeError, r"\$\._?id"),
        (exchange("GET", "/models/m", b"<html>"), DecodeError, "not JSON"),
        (exchange("GET", "/models/m", REFUSED), Difference, r"keys that no field takes: \['error', 'status'\]"),
        # A stream.
        (
            exchange("POST", STREAM, frames({**words("one"), "nope": 1}), body={}, kind=EVENTS),
            Difference,
            r"event 0 holds keys that no field takes: \['nope'\]",
        ),
        (
            exchange("POST", STREAM, frames({"inference_results": [{"output": None}]}), body={}, kind=EVENTS),
            Difference,
            "event 0.inference_results",
        ),
        (
            exchange("POST", AGENT, frames({"odd": 1}), body={}, kind=EVENTS),
            Difference,
            "0 events were read of 1 frames",
        ),
    ],
)
def test_what_is_wrong_is_noticed(wrong: Exchange, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        replay(wrong, ROUTER)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": 400}, "raised 400 'status_exception' 'missing'"),
        ({"body": orjson.dumps({"error": {"type": "other", "reason": "missing"}})}, "raised 404 'other' 'missing'"),
        ({"body": orjson.dumps({"error": {"type": "status_exception"}})}, "raised 404 'status_exception' ''"),
        ({"body": orjson.dumps({**REFUSED, "status": 400})}, "the body was not kept"),
        ({"status": 200, "body": b"{}"}, "no error was raised"),
    ],
)
def test_an_error_raised_with_another_status_type_reason_or_body_is_noticed(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str
) -> None:
    def mistaken(request: Request[Any], got: HttpResponse) -> Any:
        return from_http(request, attrs.evolve(got, **change))

    monkeypatch.setattr("tests.wire.replay.from_http", mistaken)
    with pytest.raises(Difference, match=words):
        replay(exchange("GET", "/models/m", REFUSED, status=404), ROUTER)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": "PUT"}, "method written as 'PUT'"),
        ({"path": "/nope"}, "path written as '/nope'"),
        ({"query": {"deploy": "true"}}, "query written as"),
        ({"body": b"{}"}, "request has the keys"),
        ({"body": None}, "body written as None"),
        (
            {"body": b'{"name":"n","model_config":{},"function_name":"REMOTE"}'},
            "function_name must stand before model_config",
        ),
    ],
)
def test_a_request_written_otherwise_is_noticed(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str
) -> None:
    def mistaken(request: Request[Any], route: Route | None = None) -> HttpRequest:
        return attrs.evolve(to_http(request, route), **change)

    body = {"name": "n", "function_name": "REMOTE", "model_config": {}}
    started = {"task_id": "t", "status": "CREATED"}
    replay(exchange("POST", "/models/_register", started, body=body), ROUTER)
    monkeypatch.setattr("tests.wire.replay.to_http", mistaken)
    with pytest.raises(Difference, match=words):
        replay(exchange("POST", "/models/_register", started, body=body), ROUTER)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((b"one", b"two"), "event 0.inference_results"),
        ((b'"is_last":true', b'"is_last":false'), "event 1.inference_results"),
        ((b"boom", b"bang"), "which does not say 'boom'"),
        ((b'{"error":"boom"}', b'{"inference_results":[]}'), "3 events were read of 2 frames"),
        ((b'data: {"error":"boom"}\n\n', b""), "the stream ended with None, not StreamFailed"),
    ],
)
def test_a_stream_read_otherwise_is_noticed(
    monkeypatch: pytest.MonkeyPatch, change: tuple[bytes, bytes], words: str
) -> None:
    def mistaken(request: Any, pieces: Any) -> Any:
        async def one() -> bytes:
            piece: bytes = await pieces()
            return piece.replace(*change)

        return Events(request, one)

    monkeypatch.setattr("tests.wire.streams.SIZES", (1000,))
    recorded = exchange("POST", STREAM, frames(*SAID, {"error": "boom"}), body={}, kind=EVENTS)
    replay(recorded, ROUTER)
    monkeypatch.setattr("tests.wire.streams.Events", mistaken)
    with pytest.raises(Difference, match=words):
        replay(recorded, ROUTER)


def test_of_an_answer_whose_head_was_kept_the_request_is_judged() -> None:
    cut = exchange("GET", "/models/m?foo=1", b"\xbfanything", kind=CBOR)
    with pytest.raises(Unreadable, match="foo"):
        replay(attrs.evolve(cut, answered_whole=False), ROUTER)
    replay(attrs.evolve(exchange("GET", "/models/m", b"\xbfd", kind=CBOR), answered_whole=False), ROUTER)


def test_changed_raw_bytes_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = exchange("POST", "/models/m/upload_chunk/0", {"status": "Uploaded"}, body=b"\x00", whole=False)
    monkeypatch.setattr("tests.wire.replay.to_http", lambda *args: attrs.evolve(to_http(*args), body=b"\x01"))
    with pytest.raises(Difference, match="raw bytes were changed"):
        replay(sent, ROUTER)


@pytest.mark.parametrize(
    ("recorded", "written"), [({"a": 1, "b": 2}, {"b": 2, "a": 1}), ([1], [1.0]), ([1], (1,)), (None, None)]
)
def test_json_that_means_the_same_is_the_same(recorded: Any, written: Any) -> None:
    same(recorded, written, "here")


@pytest.mark.parametrize(
    ("recorded", "written", "words"),
    [
        ({"a": 1}, {}, r"here has the keys \[\], recorded are \['a'\]"),
        ({}, {"a": None}, r"here has the keys \['a'\], recorded are \[\]"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, r"here\.a\[0\]\.b is 2, recorded is 1"),
        ([1, 2], [1], "here has 1 items, recorded are 2"),
        (1, True, "here is True, recorded is 1"),
        (False, 0, "here is 0, recorded is False"),
        ("1", 1, "here is 1, recorded is '1'"),
        ({}, [], r"here is \[\], recorded is \{\}"),
    ],
)
def test_json_that_means_something_else_is_noticed(recorded: Any, written: Any, words: str) -> None:
    with pytest.raises(Difference, match=words):
        same(recorded, written, "here")
