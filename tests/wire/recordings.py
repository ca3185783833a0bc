"""Exchanges recorded from real servers, as values."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import cbor2
import orjson
from yarl import URL

from aiomlcommons.http import CBOR, JSON, HttpRequest, HttpResponse
from aiomlcommons.wire.routes import Router

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.jsonl"))
OURS = ("/_plugins/_ml/", "/_opendistro/_ml/")


@attrs.frozen
class Exchange:
    """A recorded request and its response.

    ``whole`` is false where the request body was truncated in the recording, ``answered_whole`` where the response's
    was.
    """

    file: str
    case: str
    request: HttpRequest
    response: HttpResponse
    whole: bool = True
    answered_whole: bool = True

    def __str__(self) -> str:
        return f"{self.file} {self.case}: {self.request} -> {self.response.status}"


def files_in(paths: Iterable[Path]) -> list[Path]:
    """Return recording files: files as they are, and for a folder every ``*.jsonl`` below it."""
    return [file for path in paths for file in (sorted(path.rglob("*.jsonl")) if path.is_dir() else [path])]


def exchanges(files: Iterable[Path] = FILES) -> Iterator[Exchange]:
    """Yield the exchanges of the files, in order."""
    for file in files:
        for line in file.read_bytes().splitlines():
            if line.strip():
                yield _exchange(file.name, orjson.loads(line))


def is_other(request: HttpRequest, router: Router) -> bool:
    """Return whether a request belongs to an API outside of the package: ``_cat/nodes``, ``_update``, ``_mget``."""
    return not f"{request.path}/".startswith(OURS) and router.find(request.method, request.path) is None


def _exchange(file: str, row: Mapping[str, Any]) -> Exchange:
    asked, answered = row["request"], row["response"]
    path, _, query = asked["path"].partition("?")
    sent_headers, headers = _headers(asked), _headers(answered)
    # A request without a body may be recorded as null or left out; a response that is null is a response.
    sent = None if asked.get("body", "") is None else _body(asked, sent_headers) or None
    request = HttpRequest(asked["method"], path, dict(URL(f"/?{query}").query), sent, sent_headers)
    response = HttpResponse(answered["status"], _body(answered, headers) or b"", headers, request)
    return Exchange(
        file, row["case"], request, response, whole=not _is_cut(asked), answered_whole=not _is_cut(answered)
    )


def _headers(part: Mapping[str, Any]) -> dict[str, str]:
    headers = {name.lower(): str(value) for name, value in (part.get("headers") or {}).items()}
    kind = part.get("content_type", headers.get("content-type", _kind(part)))
    return {**headers, "content-type": kind} if kind is not None else headers


def _kind(part: Mapping[str, Any]) -> str | None:
    """Return the content type of a body recorded without one: raw bytes that start like a CBOR map are CBOR."""
    beginning = base64.b64decode(part.get("body_base64", ""))[:1]
    return CBOR if beginning and (beginning == b"\xbf" or b"\xa0" <= beginning <= b"\xbb") else None


def _is_cut(part: Mapping[str, Any]) -> bool:
    return any(key.endswith("_head") for key in part)


def _body(part: Mapping[str, Any], headers: Mapping[str, str]) -> bytes | None:
    """Return the bytes of a body, whether it was recorded as text, as base64, or decoded."""
    for key in ("body_base64", "body_base64_head"):
        if key in part:
            return base64.b64decode(part[key])
    for key in ("body_text", "body_text_head", "body"):
        if isinstance(part.get(key), str):
            return str(part[key]).encode()
    if "body" not in part:
        return None
    is_cbor = headers.get("content-type", JSON).startswith(CBOR)
    return cbor2.dumps(part["body"]) if is_cbor else orjson.dumps(part["body"])
