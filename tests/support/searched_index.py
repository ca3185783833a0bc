"""An index that serves searches with a point in time, as a cluster does."""

from __future__ import annotations

import bisect
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
    """Documents by id, searched in points in time, each of which is lost after ``expires`` searches."""

    ids: list[str]
    expires: int = 1_000_000
    opened: int = 0
    open: dict[str, int] = attrs.field(factory=dict)
    heard: list[tuple[str, str, Any]] = attrs.field(factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
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
        return reply({"count": len(self.ids)}) if "_count" in request.raw_path else self.search(body)

    def search(self, body: Any) -> web.Response:
        pit = body["pit"]["id"]
        if self.open.get(pit, self.expires) >= self.expires:
            self.open.pop(pit, None)
            return reply(MISSING, 404)
        self.open[pit] += 1
        ids = sorted(self.ids)
        first = bisect.bisect_right(ids, body["search_after"][0]) if "search_after" in body else 0
        found = ids[first : first + body["size"]]
        hits = [{"_id": key, "_source": {"text": f"text of {key}"}, "sort": [key]} for key in found]
        return reply({"pit_id": pit, "hits": {"hits": hits}})
