"""Server-sent events: parsing across network boundaries, errors in a stream, truncation and silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import orjson
import pytest
from aiohttp import web
from anyio.lowlevel import checkpoint

from aiomlcommons import (
    BadRequest,
    DecodeError,
    FeatureDisabled,
    HttpRequest,
    HttpResponse,
    NotFound,
    Redirected,
    ServerError,
    Session,
    StreamCut,
    StreamFailed,
)
from aiomlcommons.api.ag_ui import AgUiEvent, Custom, RunFinished, RunStarted, TextMessageContent, ToolCallStart
from aiomlcommons.api.predict import Words
from aiomlcommons.errors import ConnectError, RequestTimeout
from aiomlcommons.net.transport import Timeout
from aiomlcommons.stream import Frames
from tests.support.recording_server import Server, reply, serve

pytestmark = pytest.mark.asyncio


def words(content: str, is_last: bool = False) -> dict[str, Any]:
    tensor = {"name": "response", "dataAsMap": {"content": content, "is_last": is_last}}
    return {"inference_results": [{"output": [tensor]}]}


def frame(data: Any, end: bytes = b"\n\n") -> bytes:
    return b"data: " + orjson.dumps(data) + end


WHOLE = frame(words("Grüße, ")) + frame(words("world")) + frame(words("", is_last=True))


def streaming(*pieces: bytes, drop: bool = False) -> Callable[[web.BaseRequest], Any]:
    """Serve a response in these chunks, which then ends or is interrupted."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if drop and request.transport:
            request.transport.close()
        return response

    return answer


async def contents(server: Server) -> list[str]:
    async with Session(server.url) as ml, ml.models.predict_stream("m", parameters={"inputs": "hi"}) as events:
        return [event.content async for event in events]


@pytest.mark.parametrize(
    "end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r", b"\r\n\r", b"\nevent: x\n: a comment\nid: 1\n\n"]
)
async def test_frames_are_whole_wherever_the_pieces_are_cut(end: bytes) -> None:
    data = [{"a": "ä"}, {"b": [1, 2]}, {"c": "x\ny"}]
    raw = b"".join(frame(one, end) for one in data)
    for cut in range(len(raw) + 1):
        frames = Frames()
        got = [*frames.feed(raw[:cut]), *frames.feed(raw[cut:])]
        assert [orjson.loads(one) for one in got] == data
    frames = Frames()
    assert [orjson.loads(one) for byte in raw for one in frames.feed(bytes([byte]))] == data


async def test_data_of_several_lines_is_one_event() -> None:
    assert list(Frames().feed(b"data: one\ndata:two\n\n")) == [b"one\ntwo"]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_a_model_is_heard_word_by_word_over_a_socket(size: int) -> None:
    pieces = [WHOLE[i : i + size] for i in range(0, len(WHOLE), size)]
    async with serve(streaming(*pieces)) as server:
        assert await contents(server) == ["Grüße, ", "world", ""]
    assert server.heard[0].json() == {"parameters": {"inputs": "hi"}}


async def test_several_events_in_one_piece_come_one_by_one() -> None:
    async with serve(streaming(WHOLE)) as server:
        assert len(await contents(server)) == 3


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (frame({"error": 'no "luck"'}), 'no "luck"'),
        (frame({"error": {"type": "x", "reason": "boom"}}), "^boom$"),
        (frame({"error": {"reason": "boom", "details": "bang"}}), "^boom: bang$"),
        (frame({"error": {"code": 7}}), "'code': 7"),
        (b'data: {"error": "a\nb"}\n\n', '{"error": "a'),
        (b"data: [1]\n\n", "an event must be a JSON object"),
        (b"data: garbage\n\n", "garbage"),
    ],
)
async def test_an_error_in_the_stream_is_raised_after_what_came_before(bad: bytes, message: str) -> None:
    async with serve(streaming(frame(words("one")), bad)) as server, Session(server.url) as ml:
        async with ml.models.predict_stream("m") as events:
            assert (await anext(events)).content == "one"
            with pytest.raises(StreamFailed, match=message.replace("[", r"\[").replace("{", r"\{")):
                await anext(events)


async def test_an_event_that_does_not_fit_is_a_decode_error() -> None:
    async with serve(streaming(frame({}))) as server:
        with pytest.raises(
            DecodeError, match=r"an event does not match its type: .*inference_results.*_predict/stream.*b'{}'"
        ):
            await contents(server)


@pytest.mark.parametrize(
    "body",
    [
        b'{"inference_results": []}',
        b"\xef\xbb\xbf \r\n<html>It works!</html>",
        b"[1]\n",
        b"Unauthorized",
        b"upstream request timeout\n",
        b"\ndatabase error\n",
        b'"text"',
    ],
)
async def test_an_answer_that_is_no_stream_says_what_it_is(body: bytes) -> None:
    async with serve(web.Response(body=body, headers={"content-type": "text/html"})) as server:
        with pytest.raises(
            DecodeError, match=r"not an event stream .*_predict/stream.*; the response (begins|is an HTML page)"
        ) as caught:
            await contents(server)
    assert caught.value.response.body == body


@pytest.mark.parametrize("size", [1, 2, 1000])
async def test_a_byte_order_mark_hides_no_event(size: int) -> None:
    whole = b"\xef\xbb\xbf" + WHOLE
    async with serve(streaming(*(whole[i : i + size] for i in range(0, len(whole), size)))) as server:
        assert await contents(server) == ["Grüße, ", "world", ""]


async def test_a_stream_that_stops_in_the_middle_is_noticed() -> None:
    async with serve(streaming(frame(words("one")))) as server:
        with pytest.raises(StreamCut, match="PredictStream stopped before its last event"):
            await contents(server)


@pytest.mark.parametrize(
    "beginning", [b"", b"\n\n", b"d", b"data", b"data: {", b"event: x\n", b": comment\n\n", b"id: 1\n\n"]
)
async def test_a_stream_without_an_event_is_cut(beginning: bytes) -> None:
    async with serve(streaming(beginning)) as server:
        with pytest.raises(StreamCut):
            await contents(server)


async def test_silence_in_the_middle_of_a_stream_names_the_option_that_ends_it_sooner() -> None:
    over = anyio.Event()

    async def silent(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(frame(words("one")))
        await over.wait()
        return response

    async with serve(silent) as server, Session(server.url, auth=("admin", "hush"), timeout=Timeout(read=0.05)) as ml:
        async with ml.models.predict_stream("m") as events:
            assert (await anext(events)).content == "one"
            with pytest.raises(RequestTimeout) as caught:
                await anext(events)
        over.set()
    for words_of_it in ("was silent for 0.05 s", "session.options(timeout=Timeout(read=", "if its provider died"):
        assert words_of_it in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("kept", [0, 5, len(frame(words("one")))])
async def test_a_dropped_connection_is_noticed(kept: int) -> None:
    async with serve(streaming(WHOLE[:kept], drop=True)) as server:
        with pytest.raises((ConnectError, StreamCut)):
            await contents(server)


async def test_an_error_before_the_stream_is_the_usual_one() -> None:
    missing = {"error": {"type": "status_exception", "reason": "Failed to find model"}, "status": 404}
    async with serve(reply(missing, 404)) as server:
        with pytest.raises(NotFound, match="Failed to find model"):
            await contents(server)


async def test_a_switched_off_feature_names_its_setting() -> None:
    off = (
        'Streaming is currently disabled. To enable it, update the setting "plugins.ml_commons.stream_enabled" to true.'
    )
    async with serve(reply({"error": {"type": "x", "reason": off}, "status": 500}, 500)) as server:
        with pytest.raises(FeatureDisabled) as caught:
            await contents(server)
    assert caught.value.setting == "plugins.ml_commons.stream_enabled"


async def test_leaving_early_closes_the_connection() -> None:
    gone = anyio.Event()

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(frame(words("more")))
                await checkpoint()
        finally:
            gone.set()

    async with serve(endless) as server, Session(server.url) as ml:
        async with ml.models.predict_stream("m") as events:
            assert (await anext(events)).content == "more"
        await gone.wait()


async def test_an_error_of_the_readers_own_comes_out_as_itself() -> None:
    async with serve(streaming(WHOLE)) as server, Session(server.url) as ml:
        with pytest.raises(OSError, match="mine"):
            async with ml.models.predict_stream("m"):
                raise OSError("mine")


async def test_a_function_may_stand_in_for_the_network() -> None:
    async def network(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        return HttpResponse(200, WHOLE, {"content-type": "text/event-stream"})

    async with Session(transport=network) as ml, ml.models.predict_stream("m") as events:
        assert [event.content async for event in events] == ["Grüße, ", "world", ""]


AG_UI: Sequence[tuple[dict[str, Any], type[AgUiEvent]]] = [
    ({"type": "RUN_STARTED", "timestamp": 1, "threadId": "t", "runId": "r"}, RunStarted),
    ({"type": "TEXT_MESSAGE_CONTENT", "timestamp": 2, "messageId": "m", "delta": "hi"}, TextMessageContent),
    ({"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "n"}, ToolCallStart),
    ({"type": "Custom", "name": "token_usage", "value": {"total": 3}}, Custom),
    ({"type": "SOMETHING_NEW", "x": 1}, AgUiEvent),
    ({"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}, RunFinished),
]


async def test_an_agent_streams_typed_ag_ui_events() -> None:
    async with serve(streaming(*(frame(data) for data, _ in AG_UI))) as server, Session(server.url) as ml:
        async with ml.agents.execute_stream("a", threadId="t", runId="r", messages=[]) as events:
            got = [event async for event in events]
    assert [type(event) for event in got] == [kind for _, kind in AG_UI]
    assert [event.extra for event in got if type(event) is AgUiEvent] == [{"x": 1}]


async def test_an_agents_failure_is_raised() -> None:
    pieces = [frame(AG_UI[0][0]), frame({"type": "RUN_ERROR", "message": "the model said no"})]
    async with serve(streaming(*pieces)) as server, Session(server.url) as ml:
        with pytest.raises(StreamFailed, match="the model said no"):
            async with ml.agents.execute_stream("a") as events:
                async for _ in events:
                    pass


async def test_an_agent_of_the_first_version_streams_words_with_its_memory() -> None:
    output = [
        {"name": "memory_id", "result": "mem"},
        {"name": "parent_interaction_id", "result": ""},
        {"name": "response", "dataAsMap": {"content": "done", "is_last": True}},
    ]
    async with serve(streaming(frame({"inference_results": [{"output": output}]}))) as server:
        async with Session(server.url) as ml, ml.agents.execute_stream("a", parameters={"question": "q"}) as events:
            (event,) = [event async for event in events]
    assert isinstance(event, Words)
    assert (event.content, event.is_last, event.memory_id) == ("done", True, "mem")


def of_agent(content: str, *, is_last: bool, memory: str | None, parent: str | None) -> dict[str, Any]:
    ids = {"memory_id": memory, "parent_interaction_id": parent}
    output = [{"name": name, "result": value} for name, value in ids.items() if value is not None]
    return {"inference_results": [{"output": [*output, *words(content, is_last)["inference_results"][0]["output"]]}]}


@pytest.mark.parametrize(
    "content", ["SSE failure with network error", 'Error from remote service: {"error": "boom"}', " "]
)
async def test_last_words_that_belong_to_no_conversation_are_an_error(content: str) -> None:
    one = of_agent("The ", is_last=False, memory="mem", parent="par")
    error = of_agent(content, is_last=True, memory="", parent="")
    async with serve(streaming(frame(one), frame(error))) as server, Session(server.url) as ml:
        async with ml.agents.execute_stream("a", parameters={"question": "q"}) as events:
            assert isinstance(event := await anext(events), Words)
            assert event.content == "The "
            with pytest.raises(StreamFailed) as caught:
                await anext(events)
    assert str(caught.value) == content


@pytest.mark.parametrize(
    "last",
    [
        of_agent("", is_last=True, memory="mem", parent="par"),
        of_agent("done", is_last=True, memory="mem", parent="par"),
        of_agent("done", is_last=True, memory="mem", parent=""),
        of_agent("done", is_last=True, memory="", parent="par"),
        of_agent("", is_last=True, memory="", parent=""),
        of_agent("done", is_last=True, memory=None, parent=None),
        of_agent("done", is_last=True, memory="", parent=None),
    ],
)
async def test_a_good_answer_ends_with_its_conversation_or_without_words(last: dict[str, Any]) -> None:
    one = of_agent("one", is_last=False, memory="", parent="")
    async with serve(streaming(frame(one), frame(last))) as server, Session(server.url) as ml:
        async with ml.agents.execute_stream("a", parameters={"question": "q"}) as events:
            got = [event async for event in events]
    assert [event.is_last for event in got if isinstance(event, Words)] == [False, True]


async def test_a_models_last_words_are_words() -> None:
    async with serve(streaming(frame(words("all of it", is_last=True)))) as server:
        assert await contents(server) == ["all of it"]


@pytest.mark.parametrize("pieces", [(), (frame(words("a")),)])
async def test_an_error_of_a_stream_holds_no_credentials(pieces: tuple[bytes, ...]) -> None:
    async with (
        serve(streaming(*pieces, drop=True)) as server,
        Session(server.url, auth=("admin", "hush"), retries=0) as ml,
    ):
        with pytest.raises(ConnectError) as caught:
            async with ml.models.predict_stream("m", parameters={}) as events:
                async for _ in events:
                    pass
    assert caught.value.request is not None
    assert "authorization" not in caught.value.request.headers
    assert "authorization" in server.heard[-1].headers


@pytest.mark.parametrize(
    ("status", "error"), [(300, Redirected), (301, Redirected), (400, BadRequest), (599, ServerError)]
)
async def test_an_answer_that_is_no_success_is_never_read_as_a_stream(status: int, error: type[Exception]) -> None:
    async with serve(web.Response(status=status, body=WHOLE, content_type="text/event-stream")) as server:
        with pytest.raises(error):
            await contents(server)


async def test_the_last_status_of_success_may_be_a_stream() -> None:
    async with serve(web.Response(status=299, body=WHOLE, content_type="text/event-stream")) as server:
        assert await contents(server) == ["Grüße, ", "world", ""]
