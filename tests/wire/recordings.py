"""The exchanges recorded from real servers, as values."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import orjson
from yarl import URL

from aiomlcommons.http import HttpRequest, HttpResponse

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.jsonl"))


@attrs.frozen
class Exchange:
    """One recorded request and its answer. ``whole`` is false where only the head of a raw body was recorded."""

    file: str
    case: str
    request: HttpRequest
    response: HttpResponse
    whole: bool = True

    def __str__(self) -> str:
        return f"{self.file} {self.case}: {self.request} -> {self.response.status}"


def exchanges(files: Iterable[Path] = FILES) -> Iterator[Exchange]:
    """Every exchange of the files, in their order."""
    for file in files:
        for line in file.read_bytes().splitlines():
            if line.strip():
                yield _exchange(file.name, orjson.loads(line))


def _exchange(file: str, row: Mapping[str, Any]) -> Exchange:
    asked, answered = row["request"], row["response"]
    path, _, query = asked["path"].partition("?")
    request = HttpRequest(
        asked["method"], path, dict(URL(f"/?{query}").query), _body(asked), asked.get("headers") or {}
    )
    headers = {"content-type": answered.get("content_type") or ""}
    response = HttpResponse(answered["status"], _body(answered) or b"", headers, request)
    return Exchange(file, row["case"], request, response, whole="body_base64_head" not in asked)


def _body(part: Mapping[str, Any]) -> bytes | None:
    if (text := part.get("body_text")) is not None:
        return str(text).encode()
    for key in ("body_base64", "body_base64_head"):
        if key in part:
            return base64.b64decode(part[key])
    return orjson.dumps(part["body"]) if part.get("body") is not None or "body" in part else None
