"""A bulk server with ingest pipelines, whose processors send texts to a model as neural-search does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from tests.support.bulk_server import BulkServer, Item, answer, error, failed, knn

MODEL = {"name": "m", "algorithm": "REMOTE", "model_state": "DEPLOYED", "model_config": {"embedding_dimension": 2}}
THROTTLED = failed("status_exception", "Error from remote service: rate limit reached", 429)
EXHAUSTED = failed(
    "exception", "Acquire operation took longer than the configured maximum time. This indicates that a request", 429
)
REFUSED = failed("status_exception", "Error from remote service: the input is invalid", 400)
BROKEN = failed("status_exception", "Error from remote service: boom", 500)


def text_embedding(**config: Any) -> Any:
    """Return a processor that embeds ``text``."""
    return {"text_embedding": {"model_id": "m", "field_map": {"text": "embedding"}, **config}}


@attrs.define
class PipelineServer(BulkServer):
    """A bulk server, whose documents a pipeline embeds: as many texts in a request to the model as it is told.

    ``model`` gets the texts of such a request, and may return the failed item that all of its documents get. ``most``
    is how many of the requests that one ``_bulk`` makes the provider takes, and ``maps`` may refuse a document by its
    id. One without a text is indexed without a vector. ``asked`` are the texts of the requests, ``texts`` those of all
    documents by their ids.
    """

    pipelines: dict[str, Any] = attrs.field(factory=dict)
    models: dict[str, Any] = attrs.field(factory=lambda: {"m": MODEL})
    model: Callable[[list[str]], Item | None] = lambda _: None
    most: int = 1_000
    maps: Callable[[str], Item | None] = lambda _: None
    asked: list[list[str]] = attrs.field(factory=list)
    predicted: int = 0
    texts: dict[str, Any] = attrs.field(factory=dict)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path.startswith("/_ingest/pipeline"):
            self.heard.append(f"{request.method} {path}")
            return self._pipelines(path.removeprefix("/_ingest/pipeline").removeprefix("/"))
        if path.startswith("/_plugins/_ml/models/"):
            return self._model(path.split("/")[-1])
        if path.startswith("/_plugins/_ml/profile/"):
            return answer(
                error("security_exception", "no permissions for [cluster:admin/opensearch/ml/profile]", 403), 403
            )
        if path.startswith("/_plugins/_ml/_predict/"):
            return self._predict()
        if path.endswith("/_bulk"):
            name = request.query.get("pipeline", self.settings.get("default_pipeline"))
            self.on_bulk = lambda body: self._embedded(body, self.pipelines[str(name)]["processors"])
        return await super().handle(request)

    def _pipelines(self, name: str) -> web.Response:
        if not name:
            return answer(self.pipelines)
        return answer({name: self.pipelines[name]}) if name in self.pipelines else answer({}, 404)

    def _model(self, name: str) -> web.Response:
        if name in self.models:
            return answer(self.models[name])
        return answer(error("status_exception", f"Failed to find model with the provided model id: {name}", 404), 404)

    def _predict(self) -> web.Response:
        self.predicted += 1
        found = self.model(["text"])
        if found is not None:
            return answer({"error": found["error"], "status": found["status"]}, found["status"])
        output = {"name": "sentence_embedding", "data_type": "FLOAT32", "shape": [2], "data": [0.5, 0.5]}
        return answer({"inference_results": [{"output": [output]}]})

    def _embedded(self, body: bytes, processors: Any) -> web.Response | None:
        """Embed documents, and answer for those that failed; the others are indexed."""
        config = next(processor["text_embedding"] for processor in processors if "text_embedding" in processor)
        lines = [orjson.loads(line) for line in body.splitlines()]
        ids, rows = [act["index"]["_id"] for act in lines[::2]], lines[1::2]
        (source, target) = next(iter(config["field_map"].items()))
        due = [key for key, row in zip(ids, rows, strict=True) if str(row.get(source) or "").strip()]
        texts = {key: row.get(source) for key, row in zip(ids, rows, strict=True)}
        self.texts |= texts
        items: dict[str, Item] = {}
        size = config.get("batch_size", 1)
        for number, first in enumerate(range(0, len(due), size)):
            part = due[first : first + size]
            self.asked.append([texts[key] for key in part])
            trouble = THROTTLED if number >= self.most else self.model(self.asked[-1])
            if trouble is not None:
                items |= dict.fromkeys(part, trouble)

        def index(key: str, row: Any) -> Item | None:
            if key in due:
                row[target] = [0.5, 0.5]
            return items.get(key) or self.maps(key)

        self.on_item = index
        return answer(_unordered(self._items(body)))


def _unordered(bulk: Any) -> Any:
    """Have items that failed change places, as those that fail in a pipeline come in the order of their failures."""
    failed = [place for place, item in enumerate(bulk["items"]) if "error" in item["index"]]
    found = [*bulk["items"]]
    for place, other in zip(failed, reversed(failed), strict=True):
        found[place] = bulk["items"][other]
    return {**bulk, "items": found}


@asynccontextmanager
async def pipeline_server(**options: Any) -> AsyncIterator[PipelineServer]:
    """Serve an index for vectors of two numbers, and a pipeline ``p`` that embeds two texts in a request."""
    made: dict[str, Any] = {"pipelines": {"p": {"processors": [text_embedding(batch_size=2)]}}, **options}
    server = PipelineServer(made.pop("index", knn(2)), **made)
    running = RawTestServer(server.handle)
    await running.start_server()
    server.url = str(running.make_url("/")).rstrip("/")
    try:
        yield server
    finally:
        await running.close()
