"""A model server for connectors, compatible with OpenAI and Cohere, which misbehaves on request.

A text makes it fail (``please fail``: 400), break (``please break``: 500), throttle (``please throttle``: 429), respond
with a web page (``please garble``), close the connection (``please drop``) or never respond (``please wait``).
``/sparse`` weighs the words of texts. A chat counts its messages (``please count``), repeats what it was given
(``please repeat``) or calls a tool (``please use name with {...}``), whose result it repeats.

A streamed chat is sent word by word. Under ``/{habit}/v1/chat/completions`` it quotes a proverb (``proverb``), calls a
tool that lists indices first (``tool``), responds with 500 (``boom``) or a page (``garbled``), is interrupted (``cut``)
or hangs (``pause``). ``/says/{status}`` responds with any status and the text of its query, ``/throttles/{status}`` as
a throttling service of AWS.

A batch job advances with each poll; its input file makes it fail (``please fail``), run forever (``please wait``) or
fail at every second poll (``please break``).
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import orjson
from aiohttp import web

from aiomlcommons.api.connectors import ConnectorAction
from tests.support.serving import serving

DIMENSION = 16
VECTORS = web.AppKey("VECTORS", int)
BAD_INPUT = b'{"error": {"message": "bad input", "type": "invalid_request_error"}}'
SLOWER = b'{"error": {"message": "slower, please"}}'
BOOM = b'{"error": {"message": "boom"}}'
PROVERB = "The answer is 42 and a soft answer turneth away wrath."
PAGE = b"<html><body>Bad Gateway</body></html>"


def vector_of(text: str, dimension: int = DIMENSION) -> list[float]:
    """Return the server's embedding of a text."""
    return [float(number) for number in np.random.default_rng(zlib.crc32(text.encode())).random(dimension).round(6)]


def weights_of(text: str) -> dict[str, float]:
    """Return the server's weights of the words of a text."""
    return {word: round(0.1 + zlib.crc32(word.encode()) % 1000 / 500, 3) for word in text.lower().split()}


def score_of(query: str, text: str) -> float:
    """Return the share of the query's words that a text has."""
    wanted = set(query.split())
    return len(wanted & set(text.split())) / len(wanted)


async def _embeddings(request: web.Request) -> web.StreamResponse:
    texts = orjson.loads(await request.read())["input"]
    if trouble := await _misbehave(request, texts):
        return trouble
    vectors = [vector_of(text, request.app[VECTORS]) for text in texts]
    rows = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    return web.json_response({"object": "list", "data": rows, "model": "m", "usage": {"prompt_tokens": len(texts)}})


async def _plain_embeddings(request: web.Request) -> web.StreamResponse:
    texts = orjson.loads(await request.read())["input"]
    return web.json_response([vector_of(text) for text in texts])


async def _sparse(request: web.Request) -> web.StreamResponse:
    texts = orjson.loads(await request.read())["input"]
    if trouble := await _misbehave(request, texts):
        return trouble
    return web.json_response([weights_of(text) for text in texts])


async def _rerank(request: web.Request) -> web.StreamResponse:
    asked = orjson.loads(await request.read())
    scores = [score_of(asked["query"], text) for text in asked["documents"]]
    # Best first, as a reranker responds; the index identifies the text.
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    return web.json_response({"results": [{"index": i, "relevance_score": scores[i]} for i in order]})


async def _plain_rerank(request: web.Request) -> web.StreamResponse:
    asked = orjson.loads(await request.read())
    return web.json_response([score_of(asked["query_text"], text) for text in asked["text_docs"]])


def _reply(asked: dict[str, Any], habit: str = "") -> dict[str, Any]:
    """Return the message of a chat model, which depends on the last message that it was given."""
    messages = asked["messages"]
    last = messages[-1]["content"]
    if habit == "tool" and messages[-1]["role"] != "tool":
        function = {"name": "ListIndexTool", "arguments": '{"indices": []}'}
        return {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
    if habit:
        return {"role": "assistant", "content": PROVERB}
    if messages[-1]["role"] == "tool":
        return {"role": "assistant", "content": f"The tool said: {last}"}
    if call := re.search(r"please use (\S+) with (\{.*?\})", last):
        function = {"name": call[1], "arguments": call[2]}
        return {"role": "assistant", "tool_calls": [{"id": "call-1", "type": "function", "function": function}]}
    if "please count" in last:
        return {"role": "assistant", "content": f"I was told {len(messages)} messages."}
    if "please repeat" in last:
        return {"role": "assistant", "content": "\n".join(str(message["content"]) for message in messages)}
    return {"role": "assistant", "content": "The answer is 42."}


async def _chat(request: web.Request) -> web.StreamResponse:
    asked = orjson.loads(await request.read())
    if trouble := await _misbehave(request, [message.get("content") for message in asked["messages"]]):
        return trouble
    habit = request.match_info.get("habit", "")
    if habit == "boom":
        return web.Response(status=500, body=BOOM, content_type="application/json")
    if habit == "garbled":
        return web.Response(body=PAGE, content_type="text/html")
    message = _reply(asked, habit)
    if asked.get("stream"):
        return await _write(request, _deltas(message), habit)
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": _reason(message)}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
    }
    return web.json_response(answer)


def _deltas(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Split a message into chunks as OpenAI streams them."""
    if "tool_calls" not in message:
        return [{"content": f"{word} "} for word in message["content"].split()]
    (call,) = message["tool_calls"]
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    middle = arguments.find(":") + 1
    begin = {"index": 0, "id": call["id"], "type": "function", "function": {"name": name, "arguments": ""}}
    parts = [{"index": 0, "function": {"arguments": part}} for part in (arguments[:middle], arguments[middle:])]
    return [{"tool_calls": [part]} for part in (begin, *parts)]


async def _write(request: web.Request, deltas: Sequence[dict[str, Any]], habit: str) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await answer.prepare(request)
    for delta in deltas[:3] if habit in {"cut", "pause"} else deltas:
        await answer.write(_chunk(delta, None))
    if habit == "pause":
        await asyncio.Event().wait()
    if habit == "cut" and request.transport is not None:
        request.transport.close()
        return answer
    await answer.write(_chunk({}, "tool_calls" if "tool_calls" in deltas[0] else "stop") + b"data: [DONE]\n\n")
    return answer


def _chunk(delta: dict[str, Any], reason: str | None) -> bytes:
    return b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}) + b"\n\n"


async def _says(request: web.Request) -> web.StreamResponse:
    return web.Response(status=int(request.match_info["status"]), text=request.query.get("words", ""))


async def _throttles(request: web.Request) -> web.StreamResponse:
    headers = {"x-amzn-ErrorType": "ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.service/"}
    return web.json_response({"message": None}, status=int(request.match_info["status"]), headers=headers)


def _reason(message: dict[str, Any]) -> str:
    return "tool_calls" if "tool_calls" in message else "stop"


async def _misbehave(request: web.Request, texts: Sequence[Any]) -> web.StreamResponse | None:
    if "please fail" in texts:
        return web.Response(status=400, body=BAD_INPUT, content_type="application/json")
    if "please break" in texts:
        return web.Response(status=500, body=BOOM, content_type="application/json")
    if "please throttle" in texts:
        return web.Response(status=429, body=SLOWER, content_type="application/json")
    if "please garble" in texts:
        return web.Response(body=PAGE, content_type="text/html")
    if "please wait" in texts:
        await asyncio.Event().wait()
    if "please drop" in texts and request.transport is not None:
        request.transport.close()
        return web.Response()
    return None


def batch_actions(url: str, *, body: str | None = "{}") -> list[ConnectorAction]:
    """Return the actions of a connector that start, poll and cancel a batch job.

    Each has a body, because a cluster ignores an action on a job that has none, even for GET.
    """
    begin = '{ "input_file_id": "${parameters.input_file_id}" }'
    job = f"{url}/v1/batches/${{parameters.id}}"
    return [
        ConnectorAction("batch_predict", method="POST", url=f"{url}/v1/batches", request_body=begin),
        ConnectorAction("batch_predict_status", method="GET", url=job, request_body=body),
        ConnectorAction("cancel_batch_predict", method="POST", url=f"{job}/cancel", request_body=body),
    ]


STEPS = ("validating", "in_progress", "finalizing", "completed")
# A cluster detects the jobs of some providers by a name in the URL.
BATCHES_PATH = "/{provider:(openai/)?}v1/batches"
BATCHES = web.AppKey("BATCHES", dict[str, dict[str, Any]])


async def _begin_batch(request: web.Request) -> web.StreamResponse:
    asked = orjson.loads(await request.read())
    if asked["input_file_id"] == "no such file":
        return web.Response(status=400, body=BAD_INPUT, content_type="application/json")
    batches = request.app[BATCHES]
    batch = {"id": f"batch_{len(batches)}", "object": "batch", "status": STEPS[0], "looks": 0, "errors": None, **asked}
    batches[batch["id"]] = batch
    return web.json_response(batch)


async def _look_at_batch(request: web.Request) -> web.StreamResponse:
    if await request.read():
        return web.Response(status=400, body=BAD_INPUT, content_type="application/json")
    batch = request.app[BATCHES][request.match_info["id"]]
    batch["looks"] += 1
    wish = batch["input_file_id"]
    if wish == "please break" and batch["looks"] % 2 == 0:
        return web.Response(status=500, body=BOOM, content_type="application/json")
    if batch["status"] == "cancelling":
        batch["status"] = "cancelled"
    elif batch["status"] != "cancelled":
        step = min(batch["looks"], 1 if wish == "please wait" else len(STEPS) - 1)
        batch["status"] = STEPS[step]
    if wish == "please fail" and batch["looks"] > 1:
        batch |= {"status": "failed", "errors": {"data": [{"code": "invalid_json_line", "line": 3}]}}
    return web.json_response(batch)


async def _cancel_batch(request: web.Request) -> web.StreamResponse:
    batch = request.app[BATCHES][request.match_info["id"]]
    batch["status"] = "cancelling"
    return web.json_response(batch)


ROUTES = {
    BATCHES_PATH: _begin_batch,
    BATCHES_PATH + "/{id}/cancel": _cancel_batch,
    "/v1/embeddings": _embeddings,
    "/plain/embeddings": _plain_embeddings,
    "/sparse": _sparse,
    "/v1/rerank": _rerank,
    "/plain/rerank": _plain_rerank,
    "/v1/chat/completions": _chat,
    "/{habit}/v1/chat/completions": _chat,
    "/says/{status}": _says,
    "/throttles/{status}": _throttles,
}


@asynccontextmanager
async def serve(host: str = "127.0.0.1", port: int = 0, *, dimension: int = DIMENSION) -> AsyncGenerator[str]:
    """Serve while the context is open, and yield the URL."""
    app = web.Application()
    app[VECTORS] = dimension
    app[BATCHES] = {}
    for path, handler in ROUTES.items():
        app.router.add_post(path, handler)
    app.router.add_get(BATCHES_PATH + "/{id}", _look_at_batch)
    async with serving(app, host, port) as url:
        yield url
