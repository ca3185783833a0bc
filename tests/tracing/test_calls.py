"""The span of a call: its name and attributes, its attempts as events, its error. Time is virtual, nodes in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from aiomlcommons import (
    Backoff,
    BadRequest,
    BearerAuth,
    ConnectError,
    DecodeError,
    Hedge,
    HttpRequest,
    HttpResponse,
    InvalidRequest,
    NotFound,
    Session,
    StreamCut,
    Timeout,
    blocking,
)
from aiomlcommons.api.models import UpdateModel
from aiomlcommons.errors import TooManyRequests
from aiomlcommons.net.nodes import REFUSES
from aiomlcommons.tracing.calls import current_call, named_by_path
from tests.support.recording_server import INFO, reply, serve
from tests.support.telemetry import Recorded, recorded
from tests.support.virtual_cluster import cluster

A, B = "http://127.0.0.1:9200", "http://[::1]:9201"
FINE = 200, INFO
MODEL = 200, {"name": "m", "model_state": "DEPLOYED"}
THROTTLED = 429, {"error": {"type": "status_exception", "reason": "a text of yours is bad"}, "status": 429}
PACE = Backoff(first=1, factor=1, jitter=0)
KNOWN = {"db.system.name": "opensearch", "server.address": "127.0.0.1", "server.port": 9200}

Work = Callable[[Session], Coroutine[Any, Any, object]]


def run(work: Work, *answers: Any, urls: str | list[str] = A, **options: Any) -> None:
    """Run calls that get these answers in turn, the last one for ever; None is a refused connection."""
    rest = list(answers)

    def answer(request: HttpRequest) -> Any:
        found = rest.pop(0) if len(rest) > 1 else rest[0]
        if found is None:
            raise ConnectError("connection refused", request, sent=False) from OSError("no")
        return found(request) if callable(found) else found

    with cluster(answer) as served:

        async def inside() -> None:
            async with served.session(urls, **{"backoff": PACE, "compat": "3.4.0", **options}) as ml:
                await work(ml)

        served.run(inside())


def events(found: Recorded, name: str) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in found.one(name).events]


# ---- a call that succeeds --------------------------------------------------------------------------------------------


def test_a_call_is_a_client_span_by_the_conventions(found: Recorded) -> None:
    run(lambda ml: ml.options(opaque_id="one").models.get("m/1"), MODEL)
    span = found.one("models.get")
    assert (span.kind, span.status.status_code, span.parent) == (SpanKind.CLIENT, StatusCode.UNSET, None)
    assert dict(span.attributes or {}) == {
        **KNOWN,
        "db.operation.name": "models.get",
        "db.operation.parameter.model_id": "m/1",
        "db.response.status_code": "200",
        "http.request.method": "GET",
        "url.full": f"{A}/_plugins/_ml/models/m%2F1",
        "aiomlcommons.opaque_id": "one",
    }
    assert not span.events
    scope = span.instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.schema_url) == ("aiomlcommons", "https://opentelemetry.io/schemas/1.41.0")


def test_its_duration_is_measured_in_the_buckets_of_the_conventions(found: Recorded) -> None:
    run(lambda ml: ml.models.get("m"), MODEL)
    metric = found.metrics["db.client.operation.duration"]
    (point,) = metric.data.data_points
    assert metric.unit == "s"
    assert dict(point.attributes or {}) == {**KNOWN, "db.operation.name": "models.get"}
    assert getattr(point, "explicit_bounds", ()) == (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
    span = found.one("models.get")
    assert span.start_time
    assert span.end_time
    assert getattr(point, "sum", 0.0) == pytest.approx((span.end_time - span.start_time) / 1e9, abs=0.05)


@pytest.mark.parametrize(
    ("method", "path", "operation", "collection"),
    [
        ("GET", "/", "info", ""),
        ("GET", "/_cat/nodes", "cat.nodes", ""),
        ("GET", "/_nodes/os", "nodes", ""),
        ("PUT", "/_cluster/settings?flat_settings=true", "cluster.settings", ""),
        ("POST", "/books/_search?token=secret", "search", "books"),
        ("POST", "/_search/pipeline/mine", "search.pipeline", ""),
        ("POST", "/books%2A,more/_bulk", "bulk", "books*,more"),
        ("PUT", "/books/_doc/17", "doc", "books"),
        ("PUT", "/books", "indices.create", "books"),
        ("HEAD", "/books", "indices.exists", "books"),
        ("POST", "/books", "indices.post", "books"),
        ("POST", "/_plugins/_ml/models/an-id/_deploy", "ml.models.deploy", ""),
        ("GET", "/_plugins/_ml/models/an-id", "ml.models", ""),
    ],
)
def test_an_untyped_request_is_named_by_the_words_of_the_api_in_its_path(
    method: str, path: str, operation: str, collection: str
) -> None:
    assert named_by_path(method, path) == (operation, collection)


def test_a_request_about_an_index_has_it_in_its_name(found: Recorded) -> None:
    run(lambda ml: ml.request("POST", "/books/_search?token=secret", query={"q": "mine"}, body={"a": "word"}), FINE)
    span = found.one("search books")
    assert span.attributes
    assert span.attributes["db.collection.name"] == "books"
    assert span.attributes["url.full"] == f"{A}/books/_search", "without the query, which may be anything"
    ((attributes, count),) = found.points("db.client.operation.duration")
    assert (attributes["db.collection.name"], count) == ("books", 1)


def test_the_version_that_a_call_asks_for_first_is_a_child_of_it(found: Recorded) -> None:
    run(lambda ml: ml.raw(UpdateModel("m", interface={})), FINE, compat=None)
    span = found.one("models.update")
    assert [child.name for child in found.children(span)] == ["info"]
    assert span.attributes
    assert span.attributes["url.full"] == f"{A}/_plugins/_ml/models/m"
    assert "http.request.resend_count" not in span.attributes


def test_a_span_is_a_child_of_the_callers_and_so_are_those_of_its_tasks(found: Recorded) -> None:
    tracer = found.tracers.get_tracer("the caller's")

    async def work(ml: Session) -> None:
        with tracer.start_as_current_span("request"):
            await asyncio.gather(*(ml.models.get(f"m{number}") for number in range(3)))
        assert not trace.get_current_span().is_recording()

    run(work, MODEL)
    (parent,) = found.children(None)
    assert parent.name == "request"
    assert [span.name for span in found.children(parent)] == ["models.get"] * 3


def test_what_the_transport_does_is_within_the_span(found: Recorded) -> None:
    inside = list[str]()

    def answer(_: HttpRequest) -> Any:
        inside.append(getattr(trace.get_current_span(), "name", ""))
        return MODEL

    run(lambda ml: ml.models.get("m"), answer)
    assert inside == ["models.get"], "an instrumentation of aiohttp adds its own span there"
    assert current_call() is None


# ---- attempts --------------------------------------------------------------------------------------------------------


def test_retries_are_events(found: Recorded) -> None:
    run(lambda ml: ml.models.get("m"), THROTTLED, None, MODEL)
    node = {"server.address": "127.0.0.1", "server.port": 9200}
    assert events(found, "models.get") == [
        ("aiomlcommons.retry", {**node, "error.type": "429", "aiomlcommons.attempt": 1, "aiomlcommons.pause": 1.0}),
        (
            "aiomlcommons.retry",
            {**node, "error.type": "ConnectError", "aiomlcommons.attempt": 2, "aiomlcommons.pause": 1.0},
        ),
    ]
    span = found.one("models.get")
    assert span.attributes
    assert span.attributes["http.request.resend_count"] == 2
    assert span.status.status_code is StatusCode.UNSET, "an error that was retried is none"
    assert [attributes for attributes, _ in found.points("db.client.operation.duration")] == [
        {**KNOWN, "db.operation.name": "models.get"}
    ]


def test_another_node_is_an_event_and_the_last_node_is_that_of_the_span(found: Recorded) -> None:
    run(lambda ml: ml.models.get("m"), None, MODEL, urls=[A, B])
    ((name, attributes),) = events(found, "models.get")
    assert (name, attributes["server.port"]) == ("aiomlcommons.elsewhere", 9200)
    span = found.one("models.get")
    assert span.attributes
    assert (span.attributes["server.address"], span.attributes["server.port"]) == ("::1", 9201)


def test_a_hedge_is_an_event(found: Recorded) -> None:
    async def slow() -> Any:
        await asyncio.sleep(60)

    answers: list[Any] = [lambda _: slow(), (200, {"inference_results": []})]
    predict: Work = lambda ml: ml.predict("text_embedding", "m", text_docs=["a"])  # noqa: E731
    run(predict, *answers, urls=[A, B], hedge=Hedge(after=0.5, cap=1))
    ((name, attributes),) = events(found, "predict")
    assert name == "aiomlcommons.hedge"
    assert attributes == {"server.address": "::1", "server.port": 9201, "aiomlcommons.pause": 0.5}
    span = found.one("predict")
    assert span.attributes
    assert span.attributes["server.port"] == 9201


def test_renewed_credentials_are_an_event(found: Recorded) -> None:
    tokens = iter(["old-token", "new-token"])
    run(lambda ml: ml.info(), (401, {"error": "no"}), FINE, auth=BearerAuth(lambda: next(tokens)))
    ((name, attributes),) = events(found, "info")
    assert (name, attributes["error.type"]) == ("aiomlcommons.renewed_credentials", "401")


def test_a_wait_for_a_turn_is_an_event(found: Recorded) -> None:
    async def work(ml: Session) -> None:
        await asyncio.gather(*(ml.info() for _ in range(20)))

    run(work, *[THROTTLED] * 20 * REFUSES, FINE, retries=1000)
    told = [event for span in found.named("info") for event in span.events if event.name == "aiomlcommons.turn"]
    assert told
    assert told[0].attributes
    assert told[0].attributes["aiomlcommons.refuses"] == A


def test_requests_of_a_discovery_are_not_those_of_the_call_that_made_it(found: Recorded) -> None:
    nodes = {"nodes": {"n": {"roles": ["data"], "http": {"publish_address": "127.0.0.1:9200"}}}}
    answer = lambda request: (200, nodes) if request.path == "/_nodes/http" else MODEL  # noqa: E731

    async def work(ml: Session) -> None:
        await asyncio.sleep(1_000)
        await ml.models.get("m")

    run(work, answer, discover=True)
    span = found.one("models.get")
    assert span.attributes
    assert "http.request.resend_count" not in span.attributes
    assert [one.name for one in found.spans] == ["models.get"]


# ---- errors ----------------------------------------------------------------------------------------------------------


async def _raises(call: Coroutine[Any, Any, object], kind: type[BaseException]) -> None:
    with pytest.raises(kind):
        await call


def test_an_error_of_the_server_is_recorded_once_without_its_words(found: Recorded) -> None:
    run(lambda ml: _raises(ml.models.get("m"), TooManyRequests), THROTTLED, retries=0)
    span = found.one("models.get")
    assert span.attributes
    assert (span.attributes["error.type"], span.attributes["db.response.status_code"]) == ("429", "429")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "TooManyRequests: status_exception"
    assert events(found, "models.get") == [
        (
            "exception",
            {"exception.type": "aiomlcommons.errors.TooManyRequests", "exception.message": "status_exception"},
        )
    ]
    assert "a text of yours" not in span.to_json()
    ((attributes, _),) = found.points("db.client.operation.duration")
    assert (attributes["error.type"], attributes["db.response.status_code"]) == ("429", "429")


def test_what_is_no_type_of_an_exception_is_not_recorded_as_one(found: Recorded) -> None:
    quoting = {"error": {"type": "you said: a text of yours", "reason": "a text of yours"}, "status": 400}
    run(lambda ml: _raises(ml.models.get("m"), BadRequest), (400, quoting))
    assert found.one("models.get").status.description == "BadRequest"
    assert "text of yours" not in found.one("models.get").to_json()


def test_no_response_is_an_error_by_its_class_and_the_cause(found: Recorded) -> None:
    run(lambda ml: _raises(ml.models.get("m"), ConnectError), None, retries=0)
    span = found.one("models.get")
    assert span.attributes
    assert "db.response.status_code" not in span.attributes
    assert (span.attributes["error.type"], span.status.description) == ("ConnectError", "OSError")
    assert span.attributes["server.port"] == 9200


def test_a_response_that_cannot_be_decoded_is_an_error_of_the_call(found: Recorded) -> None:
    run(lambda ml: _raises(ml.models.get("m"), DecodeError), (200, ["no model"]))
    span = found.one("models.get")
    assert span.attributes
    assert (span.attributes["error.type"], span.attributes["db.response.status_code"]) == ("DecodeError", "200")


def test_an_invalid_request_has_a_span_without_a_server(found: Recorded) -> None:
    wrong: Any = {"a": "word"}
    run(lambda ml: _raises(ml.models.get(wrong), InvalidRequest), FINE)
    span = found.one("models.get")
    assert span.attributes
    assert (span.attributes["error.type"], "server.address" in span.attributes) == ("InvalidRequest", False)
    assert "word" not in span.to_json()


def test_a_cancelled_call_ends_its_span_and_tells_where_it_waited(found: Recorded) -> None:
    async def hangs() -> Any:
        await asyncio.sleep(1_000)

    async def work(ml: Session) -> None:
        with anyio.move_on_after(5):
            await ml.models.get("m")

    run(work, lambda _: hangs())
    span = found.one("models.get")
    assert span.attributes
    assert span.attributes["error.type"] == "CancelledError"
    assert span.attributes["server.port"] == 9200
    assert span.status.status_code is StatusCode.ERROR


# ---- streams ---------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_span_of_a_stream_ends_when_the_stream_is_closed(found: Recorded) -> None:
    async with serve(reply(status=200)) as server, Session(server.url, compat="3.4.0") as ml:
        async with ml.models.predict_stream("m"):
            assert not found.spans
            assert not trace.get_current_span().is_recording(), "what the caller does meanwhile is no part of it"
    span = found.one("models.predict_stream")
    assert span.attributes
    assert span.attributes["db.response.status_code"] == "200"
    assert span.status.status_code is StatusCode.UNSET
    assert len(found.points("db.client.operation.duration")) == 1


@pytest.mark.asyncio
async def test_a_stream_that_is_cut_fails_its_span_and_a_callers_error_does_not(found: Recorded) -> None:
    async def read(ml: Session, error: Exception | None) -> None:
        async with ml.models.predict_stream("m") as stream:
            if error is not None:
                raise error
            async for _ in stream:
                pass

    cut = reply()
    cut.body = b'data: {"inference_results": []}\n'
    async with serve(cut) as server, Session(server.url, compat="3.4.0") as ml:
        with pytest.raises(StreamCut):
            await read(ml, None)
        with pytest.raises(KeyError):
            await read(ml, KeyError("the caller's"))
    kinds = [(span.attributes or {}).get("error.type") for span in found.named("models.predict_stream")]
    assert kinds == ["StreamCut", None]


@pytest.mark.asyncio
async def test_a_stream_that_is_refused_fails_its_span_once(found: Recorded) -> None:
    async with serve(reply({"error": "no"}, 404)) as server, Session(server.url, compat="3.4.0") as ml:
        with pytest.raises(NotFound):
            async with ml.models.predict_stream("m"):
                pass
    span = found.one("models.predict_stream")
    assert span.attributes
    assert (span.attributes["error.type"], [event.name for event in span.events]) == ("404", ["exception"])


def test_a_stream_without_a_response_tells_which_node_it_was_sent_to(found: Recorded) -> None:
    async def work(ml: Session) -> None:
        with pytest.raises(ConnectError):
            async with ml.models.predict_stream("m"):
                pass

    run(work, None)
    span = found.one("models.predict_stream")
    assert span.attributes
    assert (span.attributes["error.type"], span.attributes["server.port"]) == ("ConnectError", 9200)


# ---- what is not recorded --------------------------------------------------------------------------------------------


def test_a_call_that_is_not_sampled_is_measured_and_none_of_its_parts_is_sampled() -> None:
    inside = list[tuple[bool, bool]]()

    def answer(_: HttpRequest) -> Any:
        context = trace.get_current_span().get_span_context()
        inside.append((context.is_valid, context.trace_flags.sampled))
        return MODEL

    with recorded(ALWAYS_OFF) as found:
        run(lambda ml: ml.models.get("m"), THROTTLED, answer)
        assert not found.spans
        assert [count for _, count in found.points("db.client.operation.duration")] == [1]
    assert inside == [(True, False)]


# ---- without an event loop -------------------------------------------------------------------------------------------


def test_a_blocking_call_is_a_child_of_the_span_of_its_thread(found: Recorded) -> None:
    async def respond(request: HttpRequest, _: Timeout) -> HttpResponse:
        return HttpResponse(200, b'{"name": "m"}', {"content-type": "application/json"}, request)

    with blocking.Session(A, transport=respond) as ml:
        with found.tracers.get_tracer("the caller's").start_as_current_span("request"):
            ml.models.get("m")
    assert [span.name for span in found.children(found.one("request"))] == ["models.get"]
