"""Stand-ins for the providers of remote models: an emulator's calls to their hosts arrive at a server of this machine.

So a page of the documentation can name ``https://api.openai.com`` and run as it is written. Each provider is answered
in its own form, at its own path; a key that begins with ``wrong`` is refused in the words of OpenAI. A chat follows a
few rules: it calls a tool that is offered if the question has a word of its name, remembers names that it was told, and
repeats the line of its prompt that shares most words with the question.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from aiomlcommons.emulator import Emulator
from tests.support.model_server import score_of, vector_of
from tests.support.serving import serving

REFUSED = {
    "error": {"message": "Incorrect API key provided", "type": "invalid_request_error", "code": "invalid_api_key"}
}
ROUTES: dict[str, Any] = {}


def _at(path: str) -> Any:
    def put(handler: Any) -> Any:
        ROUTES[path] = handler
        return handler

    return put


@asynccontextmanager
async def stand_ins(emulator: Emulator) -> AsyncGenerator[str]:
    """Lead what an emulator sends to any other machine to the stand-ins, and yield their URL."""
    app = web.Application()
    for path, handler in ROUTES.items():
        app.router.add_post(path, handler)
    async with serving(app) as url:
        # Past the check of its type, and made when it is used: that is on the loop of the emulator.
        object.__setattr__(emulator.cluster, "_client", _Elsewhere(url))
        yield url


class _Elsewhere:
    """An HTTP client that finds every host at one server, under a path of its name."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: aiohttp.ClientSession | None = None

    def request(self, method: str, url: str, **how: Any) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        if self._client is None:
            self._client = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._client.request(method, re.sub("^https?:/", self._url, url), **how)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


async def _asked(request: web.Request) -> Any:
    return orjson.loads(await request.read())


# ---- embeddings and rerankers ----------------------------------------------------------------------------------------


@_at("/{host}/v1/embeddings")
async def _openai_embeddings(request: web.Request) -> web.StreamResponse:
    if "wrong" in request.headers.get("authorization", ""):
        return web.json_response(REFUSED, status=401)
    asked = await _asked(request)
    vectors = [vector_of(text, asked.get("dimensions", 1536)) for text in asked["input"]]
    return web.json_response({"data": [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]})


@_at("/api.cohere.ai/v1/embed")
async def _cohere_embeddings(request: web.Request) -> web.StreamResponse:
    return web.json_response({"embeddings": [vector_of(text, 1024) for text in (await _asked(request))["texts"]]})


@_at("/api.cohere.ai/v1/rerank")
async def _cohere_rerank(request: web.Request) -> web.StreamResponse:
    asked = await _asked(request)
    scores = sorted(((score_of(asked["query"], text), -i) for i, text in enumerate(asked["documents"])), reverse=True)
    return web.json_response({"results": [{"index": -i, "relevance_score": score} for score, i in scores]})


@_at("/{host}/model/amazon.titan-embed-text-v2:0/invoke")
async def _titan(request: web.Request) -> web.StreamResponse:
    return web.json_response({"embedding": vector_of((await _asked(request))["inputText"], 1024)})


@_at("/{host}/endpoints/{name}/invocations")
@_at("/{host}/embed")
async def _bare_list(request: web.Request) -> web.StreamResponse:
    asked = await _asked(request)
    texts = asked["inputs"] if isinstance(asked, dict) else asked
    return web.json_response([vector_of(text, 384) for text in texts])


# ---- chats -----------------------------------------------------------------------------------------------------------


@_at("/generativelanguage.googleapis.com/v1beta/models/{name}:generateContent")
async def _gemini(request: web.Request) -> web.StreamResponse:
    (part,) = (await _asked(request))["contents"][-1]["parts"]
    return web.json_response({"candidates": [{"content": {"role": "model", "parts": [{"text": said(part["text"])}]}}]})


@_at("/{host}/model/{name}/converse")
async def _converse(request: web.Request) -> web.StreamResponse:
    (part,) = (await _asked(request))["messages"][-1]["content"]
    return web.json_response({"output": {"message": {"role": "assistant", "content": [{"text": said(part["text"])}]}}})


@_at("/api.openai.com/v1/chat/completions")
async def _chat(request: web.Request) -> web.StreamResponse:
    asked = await _asked(request)
    message = reply(asked["messages"], asked.get("tools", ()))
    reason = "tool_calls" if "tool_calls" in message else "stop"
    if asked.get("stream"):
        return await _streamed(request, message, reason)
    return web.json_response({"model": asked["model"], "choices": [{"message": message, "finish_reason": reason}]})


async def _streamed(request: web.Request, message: Mapping[str, Any], reason: str) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await answer.prepare(request)
    for word in re.findall(r"\S+\s*", message["content"]):
        await answer.write(_event({"delta": {"content": word}, "finish_reason": None}))
    await answer.write(_event({"delta": {}, "finish_reason": reason}) + b"data: [DONE]\n\n")
    return answer


def _event(choice: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps({"choices": [{"index": 0, **choice}]}) + b"\n\n"


def reply(messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the message of the chat after these messages."""
    last = messages[-1]["content"]
    if messages[-1]["role"] == "tool":
        return {"role": "assistant", "content": f"The tool says: {last.strip()}"}
    for tool in (tool["function"]["name"] for tool in tools):
        if any(word in tool.lower() for word in re.findall(r"\w{4,}", last.lower())):
            call = {"id": "call-1", "type": "function", "function": {"name": tool, "arguments": "{}"}}
            return {"role": "assistant", "tool_calls": [call]}
    told = [name for one in messages for name in re.findall(r"my name is (\w+)", str(one["content"]))]
    if told:
        words = f"Hello {told[-1]}." if "my name is" in last else f"You are {told[-1]}."
        return {"role": "assistant", "content": words}
    return {"role": "assistant", "content": said(last)}


def said(prompt: str) -> str:
    """Return the line of a prompt that shares most words with its last line, which is the question."""
    *lines, question = [line.strip() for line in prompt.strip().splitlines()]
    words = set(re.findall(r"\w{3,}", question.lower()))
    return max(lines, key=lambda line: len(words & set(re.findall(r"\w{3,}", line.lower()))), default="Hello.")
