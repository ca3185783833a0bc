"""Error responses of a cluster, as it sends them."""

from __future__ import annotations

from typing import Any

import orjson

from aiomlcommons.http import HttpRequest, HttpResponse

REQUEST = HttpRequest("GET", "/_plugins/_ml/models/abc")


def answer(status: int, body: Any = b"", **headers: str) -> HttpResponse:
    """Return a response with a body, which is encoded unless it is bytes."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return HttpResponse(status, raw, {"content-type": "application/json", **headers}, REQUEST)


def error_body(reason: str, kind: str = "status_exception", **more: Any) -> dict[str, Any]:
    """Return the body of an error."""
    return {"error": {"root_cause": [{"type": kind, "reason": reason}], "type": kind, "reason": reason, **more}}
