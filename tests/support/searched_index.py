"""An index that serves searches with a point in time, as a cluster does."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
from aiohttp import web

from tests.support.recording_server import reply

MISSING = {
    "error": {
        "root_cause": [{"type": "search_context_missing_exception", "reason": "No search context found for id [7]"}],
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
    },
    "status": 404,
}


@attrs.define
class Index:
    """Documents by id, searched in points in time, each of which is lost after ``expires`` searches.

    Each of the ``indices`` behind its name has a document of each id.
    """

    ids: list[str]
    expires: int = 1_000_000
    opened: int = 0
    open: dict[str, int] = attrs.field(factory=dict)
    heard: list[tuple[str, str, Any]] = attrs.field(factory=list)
    indices: tuple[str, ...] = ("books",)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path == "/":
            return reply({"version": {"number": "3.8.0"}})
        body = orjson.loads(await request.read() or b"{}")
        self.heard.append((request.method, request.raw_path, body))
        if request.method == "POST":
            self.opened += 1
            self.open[f"pit-{self.opened}"] = 0
            return reply({"pit_id": f"pit-{self.opened}"})
        if request.method == "DELETE":
            return reply(
                {"pits": [{"pit_id": pit, "successful": bool(self.open.pop(pit, 1))} for pit in body["pit_id"]]}
            )
        return (
            reply({"count": len(self.ids) * len(self.indices)}) if "_count" in request.raw_path else self.search(body)
        )

    def search(self, body: Any) -> web.Response:
        pit = body["pit"]["id"]
        if self.open.get(pit, self.expires) >= self.expires:
            self.open.pop(pit, None)
            return reply(MISSING, 404)
        self.open[pit] += 1
        sort = [next(iter(key)) for key in body["sort"]]
        found = [{"_id": key, "_index": index} for key in self.ids for index in self.indices]
        keyed = sorted((([one.get(name, 0) for name in sort], one) for one in found), key=lambda pair: pair[0])
        rest = [pair for pair in keyed if pair[0] > body.get("search_after", [])][: body["size"]]
        hits = [{**one, "_source": {"text": f"text of {one['_id']}"}, "sort": values} for values, one in rest]
        return reply({"pit_id": pit, "hits": {"hits": hits}})
