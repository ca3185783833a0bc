"""A provider for connectors without models of its own: it asks those of an OpenSearch, so that two servers share them.

``/dense/{model}`` answers texts with vectors, ``/sparse_encoding/{model}`` and ``/sparse_tokenize/{model}`` with
weights of tokens, ``/scores/{model}`` a query and texts with scores, as the processing functions of connectors take
them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from aiomlcommons import Session
from tests.support.serving import serving

SESSION = web.AppKey("SESSION", Session)


async def _outputs(request: web.Request, algorithm: str, body: dict[str, Any]) -> list[Any]:
    path = f"/_plugins/_ml/_predict/{algorithm}/{request.match_info['model']}"
    answer = (await request.app[SESSION].request("POST", path, body=body)).json()
    return [output for result in answer["inference_results"] for output in result["output"]]


async def _dense(request: web.Request) -> web.StreamResponse:
    texts = orjson.loads(await request.read())["input"]
    found = await _outputs(request, "text_embedding", {"text_docs": texts, "target_response": ["sentence_embedding"]})
    return web.json_response([output["data"] for output in found])


async def _sparse(request: web.Request) -> web.StreamResponse:
    texts = orjson.loads(await request.read())["input"]
    found = await _outputs(request, request.match_info["algorithm"], {"text_docs": texts})
    return web.json_response([weights for output in found for weights in output["dataAsMap"]["response"]])


async def _scores(request: web.Request) -> web.StreamResponse:
    asked = orjson.loads(await request.read())
    found = await _outputs(request, "text_similarity", asked)
    return web.json_response([output["data"][0] for output in found])


@asynccontextmanager
async def relay(ml: Session) -> AsyncGenerator[str]:
    """Serve while the context is open, and yield the URL."""
    app = web.Application()
    app[SESSION] = ml
    app.router.add_post("/dense/{model}", _dense)
    app.router.add_post("/{algorithm:sparse_encoding|sparse_tokenize}/{model}", _sparse)
    app.router.add_post("/scores/{model}", _scores)
    async with serving(app) as url:
        yield url
