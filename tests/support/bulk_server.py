"""A small server that keeps an index and answers ``_bulk``, ``_mapping`` and ``_refresh`` as OpenSearch does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
from aiohttp import web
from aiohttp.test_utils import RawTestServer

Item = dict[str, Any]
INFO = {"name": "n", "cluster_name": "c", "cluster_uuid": "u", "tagline": "t"}


@attrs.define
class BulkServer:
    """A server with one index: ``index`` is its body or None; ``hooks`` may answer a request or an item instead.

    A write without an index creates one with a mapping of its own. ``others`` are further indices of the alias, of
    which ``writes_to`` is the write index. ``forbids`` is the end of a path that the user has no permission for; the
    next ``recovering`` requests are refused as during shard recovery. ``knn`` are the versions of k-NN on the nodes,
    none of which is told if it is None; without any, no index has vectors. ``settings`` are those of each index.
    """

    index: dict[str, Any] | None = None
    alias: str = ""
    others: tuple[str, ...] = ()
    writes_to: str = ""
    made: int = 1
    made_ids: int = 0
    forbids: str = ""
    recovering: int = 0
    url: str = ""
    version: str = "3.5.0"
    knn: tuple[str, ...] | None = ("3.5.0.0",)
    settings: dict[str, Any] = attrs.field(factory=lambda: {"number_of_replicas": "1", "knn": "true"})
    documents: dict[str, Any] = attrs.field(factory=dict)
    writes: list[str] = attrs.field(factory=list)
    heard: list[str] = attrs.field(factory=list)
    sizes: list[int] = attrs.field(factory=list)
    refreshed: bool = False
    at_once: int = 0
    most_at_once: int = 0
    on_bulk: Callable[[bytes], web.Response | None] = lambda _: None
    on_item: Callable[[str, Any], Item | None] = lambda _, __: None
    together: int = 1
    drops: int = 0
    _meeting: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body, path = await request.read(), request.path
        self.heard.append(f"{request.method} {path}")
        if self.recovering:
            self.recovering -= 1
            return answer(error("no_shard_available_action_exception", "No shard available", 404), 404)
        if path.endswith("/_bulk"):
            return await self._bulk(request, body)
        if path == "/":
            return answer({**INFO, "version": {"number": self.version}}) if self.version else web.Response(status=403)
        if path == "/_cat/plugins":
            return self._plugins()
        if request.method == "PUT" and not path.endswith("/_settings"):
            return self._create(body)
        if self.forbids and path.endswith(self.forbids):
            return answer(error("security_exception", "no permissions for [indices:monitor/settings/get]", 403), 403)
        if self.index is None:
            return answer(error("index_not_found_exception", f"no such index [{path.split('/')[1]}]", 404), 404)
        indices = [self.alias or path.split("/")[1], *self.others]
        if path.endswith("/_mapping"):
            return answer({name: {"mappings": self.index["mappings"]} for name in indices})
        if path.endswith("/_settings"):
            return self._settings(request, body, indices)
        if path.endswith("/_alias"):
            known = {name: {"is_write_index": True} if name == self.writes_to else {} for name in indices}
            return answer({name: {"aliases": {path.split("/")[1]: one}} for name, one in known.items()})
        if path.endswith("/_search"):
            return self._search(body)
        assert path.endswith("/_refresh")
        self.refreshed = True
        return answer({"_shards": {"total": 2, "successful": 1, "failed": 0}})

    def _plugins(self) -> web.Response:
        if self.knn is None:
            return answer(error("security_exception", "no permissions for [cluster:monitor/nodes/info]", 403), 403)
        rows = [{"name": f"n{i}", "component": "opensearch-knn", "version": one} for i, one in enumerate(self.knn)]
        return answer([*rows, {"name": "n0", "component": "opensearch-ml", "version": f"{self.version}.0"}])

    def _settings(self, request: web.BaseRequest, body: bytes, indices: list[str]) -> web.Response:
        if request.method == "PUT":
            self.settings |= {name: str(value) for name, value in orjson.loads(body)["index"].items()}
            return answer({"acknowledged": True})
        known = {name: {"uuid": f"{name}-{self.made}", **self.settings} for name in indices}
        return answer({name: {"settings": {"index": one}} for name, one in known.items()})

    def _search(self, body: bytes) -> web.Response:
        """Find documents by their ids."""
        known = [key for key in orjson.loads(body)["query"]["ids"]["values"] if key in self.documents]
        hits = [{"_index": "docs", "_id": key, "_score": 1.0} for key in known[: orjson.loads(body)["size"]]]
        total = {"value": len(known), "relation": "eq"}
        return answer({"took": 1, "timed_out": False, "hits": {"total": total, "max_score": 1.0, "hits": hits}})

    def _create(self, body: bytes) -> web.Response:
        if self.index is not None:
            return answer(error("resource_already_exists_exception", "index [docs/abc] already exists", 400), 400)
        if self.knn == () and b"knn_vector" in body:
            reason = "unknown setting [index.knn] please check that any required plugins are installed"
            return answer(error("illegal_argument_exception", reason, 400), 400)
        self.index = orjson.loads(body)
        self.made += 1
        return answer({"acknowledged": True, "shards_acknowledged": True, "index": "docs"})

    def delete(self) -> None:
        """Delete the index."""
        self.index = None
        self.documents.clear()

    async def _bulk(self, request: web.BaseRequest, body: bytes) -> web.Response:
        assert request.headers["content-type"] == "application/x-ndjson"
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.sizes.append(len(body))
        try:
            await self._meet()
            if self.drops:
                self.drops -= 1
                assert request.transport is not None
                request.transport.abort()
            return self.on_bulk(body) or answer(self._items(body))
        finally:
            self.at_once -= 1

    def answer_all(self) -> None:
        """Hold no request any more."""
        self._meeting.set()

    async def _meet(self) -> None:
        """Hold requests until ``together`` of them are here."""
        if self.at_once >= self.together:
            self._meeting.set()
        await self._meeting.wait()

    def _items(self, body: bytes) -> Any:
        assert body.endswith(b"\n")
        if self.index is None:
            self.index, self.made = {"mappings": {"properties": {"embedding": {"type": "float"}}}}, self.made + 1
        lines = [orjson.loads(line) for line in body.splitlines()]
        items = [
            {"index": self._item(act["index"].get("_id") or self._own_id(), row)}
            for act, row in zip(lines[::2], lines[1::2], strict=True)
        ]
        return {"took": 1, "errors": any("error" in item["index"] for item in items), "items": items}

    def _own_id(self) -> str:
        self.made_ids += 1
        return f"AY{self.made_ids:018}"

    def _item(self, key: str, row: Any) -> Item:
        other = self.on_item(key, row)
        if other is not None:
            return {"_index": "docs", "_id": key, **other}
        result = "updated" if key in self.documents else "created"
        self.documents[key] = row
        self.writes.append(key)
        return {
            "_index": "docs",
            "_id": key,
            "_version": 1,
            "result": result,
            "status": 200 if result[0] == "u" else 201,
        }


def answer(body: Any, status: int = 200, **headers: str) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(body), headers={"content-type": "application/json; charset=UTF-8", **headers}
    )


def error(kind: str, reason: str, status: int) -> Any:
    cause = {"type": kind, "reason": reason}
    return {"error": {"root_cause": [cause], **cause}, "status": status}


def failed(kind: str, reason: str, status: int, cause: str = "") -> Item:
    """Return a failed item of a ``_bulk`` response."""
    said: Item = {"type": kind, "reason": reason}
    if cause:
        said["caused_by"] = {"type": "illegal_argument_exception", "reason": cause}
    return {"status": status, "error": said}


def knn(dimension: int, field: str = "embedding") -> dict[str, Any]:
    return {"mappings": {"properties": {field: {"type": "knn_vector", "dimension": dimension}}}}


@asynccontextmanager
async def bulk_server(index: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[BulkServer]:
    server = BulkServer(index, **options)
    running = RawTestServer(server.handle)
    await running.start_server()
    server.url = str(running.make_url("/")).rstrip("/")
    try:
        yield server
    finally:
        await running.close()
