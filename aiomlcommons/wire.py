"""From a typed request to bytes, and from an answer's bytes to its type. No I/O."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, TypeVar, get_args
from urllib.parse import quote

import attrs
import orjson

from aiomlcommons import convert
from aiomlcommons.endpoint import Request, Route, wire_name
from aiomlcommons.errors import DecodeError, InvalidRequest, error_for
from aiomlcommons.http import JSON, HttpRequest, HttpResponse

R = TypeVar("R")
TYPED_JSON: Mapping[str, str] = {"content-type": JSON}


def to_http(request: Request[Any], route: Route | None = None) -> HttpRequest:
    """The bytes of a request, under its present route or another of its routes.

    Raises InvalidRequest, naming the field, for a value that does not fit its type or cannot stand in a path.
    """
    cls: Any = type(request)
    route = route if route is not None else type(request).endpoint.route
    try:
        convert.check(request)
    except convert.Unreadable as error:
        raise InvalidRequest(f"{cls.__name__}: {error}") from None
    keys: dict[str, Any] = convert.unstructure(request)
    path = route.path
    for name in route.names:
        path = path.replace(f"{{{name}}}", _segment(cls, name, keys.pop(name)))
    query = {name: _word(keys.pop(name)) for name in _placed(cls, "query") if name in keys}
    for name in _placed(cls, "body"):
        return HttpRequest(route.method, path, query, *_whole(keys.get(name)))
    body = orjson.dumps(keys) if keys or cls.endpoint.needs_body else None
    return HttpRequest(route.method, path, query, body, TYPED_JSON if body is not None else {})


def from_http(request: Request[R], got: HttpResponse) -> R:
    """The typed answer to a request.

    Raises the ApiError that a status of 400 or above calls for, or DecodeError, with the path of the trouble, for an
    answer that is not of the request's type.
    """
    if got.status >= 400:
        raise error_for(got)
    returns = type(request).endpoint.returns
    try:
        data = got.json()
    except ValueError:
        kind = got.content_type or "no content type"
        message = f"the answer is not JSON but {kind}: is this an OpenSearch with ML Commons?"
        raise DecodeError(message, got) from None
    try:
        answer: R = convert.structure(data, returns)
    except convert.Unreadable as error:
        raise DecodeError(f"the answer is not a {_name(returns)}: {error}", got) from None
    return answer


def _name(returns: Any) -> str:
    return getattr(returns, "__name__", None) or str(returns)


@functools.cache
def _placed(cls: type[Any], place: str) -> tuple[str, ...]:
    return tuple(wire_name(f) for f in attrs.fields(cls) if f.metadata.get("in") == place)


def _whole(value: Any) -> tuple[bytes | None, Mapping[str, str]]:
    if value is None:
        return None, {}
    # Raw bytes (a model's chunk) go as application/json too: the server refuses application/octet-stream with 406.
    return (value if isinstance(value, bytes) else orjson.dumps(value)), TYPED_JSON


def _segment(cls: type[Any], name: str, value: Any) -> str:
    text = str(value)
    if not text.strip():
        raise InvalidRequest(f"{cls.__name__}: {name} must not be empty")
    # A lone "." or ".." would be folded away by every URL library on the way; the server takes it percent-encoded.
    return text.replace(".", "%2E") if text in {".", ".."} else quote(text, safe="")


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def from_word(text: str, declared: Any) -> Any:
    """A query or path value as its field's type: the inverse of what ``to_http`` writes."""
    wanted = get_args(declared) or (declared,)
    if bool in wanted and text in {"true", "false", ""}:
        return text != "false"
    if int in wanted and text.lstrip("-").isdigit():
        return int(text)
    return text
