"""A server that gives one answer to everything, as a transport."""

from __future__ import annotations

from typing import Any

import orjson

from aiomlcommons import HttpRequest, HttpResponse
from aiomlcommons.net.transport import Timeout


class Says:
    """A server that returns one response, and records the requests."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer if isinstance(answer, HttpResponse) else self._json(answer)
        self.heard: list[HttpRequest] = []

    @staticmethod
    def _json(data: Any) -> HttpResponse:
        return HttpResponse(200, orjson.dumps(data), {"content-type": "application/json"})

    async def __call__(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        self.heard.append(request)
        return self.answer

    @property
    def body(self) -> Any:
        return orjson.loads(self.heard[-1].body or b"")


def said(*tensors: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a model with these tensors."""
    return {"inference_results": [{"output": list(tensors)}]}
