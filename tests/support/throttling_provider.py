"""A provider of embeddings that throttles in the way of one of the known providers, or returns odd vectors."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import attrs
import orjson
from aiohttp import web

from tests.support.model_server import vector_of
from tests.support.provider_examples import EXAMPLES, Example
from tests.support.serving import serving

PLAIN = Example(429, '{"error": "429"}')
_AWS = {"x-amzn-ErrorType": "ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.availability/"}
_WRAPPED = {
    "ErrorCode": "CLIENT_ERROR_FROM_MODEL",
    "LogStreamArn": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/e",
    "Message": 'Received client error (429) from primary with message "{"error":"Model is overloaded"}".',
    "OriginalMessage": '{"error":"Model is overloaded","error_type":"Overloaded"}',
    "OriginalStatusCode": 429,
}
WAYS = {
    "plain 429": PLAIN,
    "SageMaker": Example(400, '{"message":null}', _AWS),
    "SageMaker, before ML Commons 2.15": Example(400, '{"message":null}'),
    "SageMaker, a container of TEI": Example(424, orjson.dumps(_WRAPPED).decode()),
    "Bedrock": Example(429, EXAMPLES["Bedrock: Too many requests, please wait before trying again"].body, _AWS),
    "Bedrock, of tokens": EXAMPLES["Bedrock: Too many tokens, please wait before trying again"],
    "OpenAI": EXAMPLES["OpenAI: rate_limit_exceeded"],
    "OpenAI, overloaded": EXAMPLES["OpenAI: server_is_overloaded"],
    "Azure OpenAI": EXAMPLES["Azure OpenAI: Requests to the ... have exceeded call rate limit"],
    "Cohere": EXAMPLES["Cohere: You are using a Trial key, which is limited to ... / minute"],
    "Vertex AI": EXAMPLES["Vertex AI: RESOURCE_EXHAUSTED"],
    "Vertex AI, overloaded": EXAMPLES["Vertex AI: The model is overloaded"],
    "Voyage AI": EXAMPLES["Voyage AI: You have not yet added your payment method ... reduced rate limits"],
    "TEI": EXAMPLES["TEI: Overloaded"],
    "Anthropic": EXAMPLES["Anthropic: overloaded_error"],
    "DeepSeek": EXAMPLES["DeepSeek: Rate limit reached"],
    "nginx": EXAMPLES["gateway: <...429 Too Many Requests"],
    "a gateway that makes 400 of 429": attrs.evolve(EXAMPLES["OpenAI: rate_limit_exceeded"], status=400),
    "a gateway that makes 500 of 429": attrs.evolve(EXAMPLES["TEI: Overloaded"], status=500),
}
"""Responses to a throttled request, with status, body and headers, by provider."""

Twist: TypeAlias = "Callable[[list[str], list[Any]], web.Response | None]"
"""Gets the texts of a request and their vectors, which it may change; returns another response, or None."""


@attrs.define
class Provider:
    """A provider of embeddings in the form of OpenAI, whose responses ``twist`` changes.

    ``requests`` counts all requests, ``refused`` those with another response than vectors.
    """

    twist: Twist
    requests: int = 0
    refused: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        texts = orjson.loads(await request.read())["input"]
        self.requests += 1
        found: list[Any] = [vector_of(text) for text in texts]
        if (other := self.twist(texts, found)) is not None:
            self.refused += 1
            return other
        return web.json_response({"data": [{"embedding": vector} for vector in found]})

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[str]:
        """Listen on a free port of this machine; yield the URL."""
        app = web.Application()
        app.router.add_post("/v1/embeddings", self.answer)
        async with serving(app) as url:
            yield url


def response(example: Example) -> web.Response:
    """Return the response of an example."""
    headers = {"content-type": "application/json", **example.headers}
    return web.Response(status=example.status, text=example.body, headers=headers)


def throttling(refusal: Example, share: float = 0.3, seed: int = 0) -> Provider:
    """Return a provider that refuses a share of all requests; for the same seed, those of the same numbers."""
    draws = random.Random(seed)  # noqa: S311 - not for cryptography
    return Provider(lambda _texts, _found: response(refusal) if draws.random() < share else None)
