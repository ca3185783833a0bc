"""An emulated collection of Amazon OpenSearch Serverless, with a provider of models whose requests are recorded."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
from aiohttp import web

from aiomlcommons import AwsAuth, Backoff, RemoteModel, Session, connectors
from aiomlcommons.api.connectors import ConnectorAction, CreateConnector
from aiomlcommons.emulator import AT_ONCE, AwsVerifier, Emulator
from aiomlcommons.http import HttpRequest
from tests.support.model_server import score_of, vector_of
from tests.support.serving import serving

KEY = "not a real key"
NOW = Backoff(first=0)
TRUSTED = {
    "plugins.ml_commons.connector.private_ip_enabled": True,
    "plugins.ml_commons.trusted_connector_endpoints_regex": ["^http://127[.]0[.]0[.]1:.*$"],
}


def openai(url: str) -> CreateConnector:
    """Return a connector to a provider like OpenAI."""
    return connectors.openai_embeddings("m", KEY, endpoint=url)


def cohere(url: str) -> CreateConnector:
    """Return a connector to a provider like Cohere."""
    return connectors.cohere_embeddings("m", KEY, endpoint=url)


def titan(url: str) -> CreateConnector:
    """Return a connector to a provider like Titan on Amazon Bedrock, which takes one text in a request."""
    return connectors.bedrock_titan_embeddings("us-east-1", access_key=KEY, secret_key=KEY, endpoint=url)


def reranker(url: str) -> CreateConnector:
    """Return a connector to a reranker like Cohere's."""
    return connectors.cohere_rerank("m", KEY, endpoint=url)


def plain(url: str, path: str, body: str, **parameters: Any) -> CreateConnector:
    """Return a connector without functions: its provider's answers are passed on as they are."""
    action = ConnectorAction("predict", method="POST", url=f"{url}{path}", request_body=body, headers={})
    return CreateConnector(
        path, version=1, protocol="http", credential={"key": KEY}, parameters=parameters, actions=[action]
    )


@attrs.frozen
class Serverless:
    """The emulator, a session on it, the provider's URL, and the bodies that the provider was sent, by path."""

    emulator: Emulator
    url: str
    ml: Session
    provider: str
    asked: list[tuple[str, Any]] = attrs.field(factory=list)

    async def model(self, connector: CreateConnector, name: str = "m") -> str:
        """Return the id of a remote model with a connector of its own, found or made and deployed."""
        created = await self.ml.send(connector)
        spec = RemoteModel(name=name, connector_id=created.connector_id)
        return (await self.ml.models.ensure(spec, backoff=NOW)).model_id

    def bodies(self, path: str) -> list[Any]:
        """Return what the provider was sent at a path."""
        return [body for sent, body in self.asked if sent == path]

    def requests(self) -> list[str]:
        """Return the list to which each request to the collection is added from now on."""
        sent: list[str] = []

        def seen(http: HttpRequest) -> bool:
            sent.append(str(http))
            return False

        self.emulator.faults.add(_never, on=seen, times=None)
        return sent


async def _never(*_: Any) -> Any:
    raise AssertionError


def _answers(path: str, asked: Any) -> Any:
    if path.startswith("/model/"):
        numbers: list[Any] = vector_of(asked["inputText"])
        return {"embedding": [None, *numbers[1:]] if asked["inputText"] == "please break" else numbers}
    match path:
        case "/v1/embeddings":
            return {"data": [{"index": i, "embedding": vector_of(text)} for i, text in enumerate(asked["input"])]}
        case "/v1/embed":
            return {"embeddings": [vector_of(text) for text in asked["texts"]]}
        case "/list":
            return [vector_of(text) for text in asked["input"]]
        case "/v1/rerank":
            scores = [score_of(asked["query"], text) for text in asked["documents"]]
            order = sorted(range(len(scores)), key=lambda i: -scores[i])
            return {"results": [{"index": i, "relevance_score": scores[i]} for i in order]}
        case "/sparse":
            return [dict.fromkeys(text.split(), 1.5) for text in asked["texts"]]
        case "/answer":
            return {"answer": asked["context"].split(".")[0]}
        case "/highlight":
            return {"highlights": [{"start": 0, "end": 5, "text": asked["context"][:5]}]}
    raise web.HTTPNotFound


@asynccontextmanager
async def serve_provider(asked: list[tuple[str, Any]]) -> AsyncGenerator[str]:
    """Serve models of several providers, and record what they are sent."""

    async def answer(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        asked.append((request.path, body))
        return web.json_response(_answers(request.path, body))

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with serving(app) as url:
        yield url


@asynccontextmanager
async def serverless(
    flavor: str | None = "aoss",
    *,
    collection: str = "VECTORSEARCH",
    aws: AwsVerifier | None = None,
    auth: AwsAuth | None = None,
) -> AsyncGenerator[Serverless]:
    """Serve a collection; ``flavor`` is what the session is told, which knows the kind by asking if that is None."""
    emulator = Emulator(flavor="aoss", refresh=AT_ONCE, aws=aws)
    emulator.cluster.collection = collection
    changes: Mapping[str, Any] = TRUSTED
    emulator.cluster.settings.put(changes, {})
    asked: list[tuple[str, Any]] = []
    async with (
        emulator.serve() as url,
        serve_provider(asked) as provider,
        Session(url, flavor=flavor, auth=auth, backoff=NOW) as ml,
    ):
        yield Serverless(emulator, url, ml, provider, asked)
