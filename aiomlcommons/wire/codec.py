"""The codec: encode a typed request as an HTTP request, decode an HTTP response to its type. No I/O."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar, get_args
from urllib.parse import quote

import attrs
import orjson

from aiomlcommons.decoding.bounded import TooMuch
from aiomlcommons.endpoint import Request, Route, fields_of, wire_name
from aiomlcommons.errors import DecodeError, InvalidRequest, ResponseTooLarge
from aiomlcommons.http import JSON, HttpRequest, HttpResponse
from aiomlcommons.masking import raise_alone
from aiomlcommons.statuses import raise_for_status
from aiomlcommons.wire import convert

R = TypeVar("R")
TYPED_JSON: Mapping[str, str] = {"content-type": JSON}


def to_http(request: Request[Any], route: Route | None = None, *, accept: str | None = None) -> HttpRequest:
    """Encode a request, for its current route or another of its routes; ``accept`` is the media type of the response.

    Raises InvalidRequest, naming the field, for a value that does not match its type or is invalid in a path.
    """
    cls: Any = type(request)
    shape = _shape(cls)
    try:
        keys, read = convert.checked(request)
    except convert.Unreadable as error:
        raise InvalidRequest(f"{cls.__name__}: {error}") from None
    if shape.has_rules:
        # The request as read back has typed objects even for fields that were given as a dict.
        for problem in read.problems():
            raise InvalidRequest(f"{cls.__name__}: {problem}")
    spec = cls.endpoint
    taken: Route = route or spec.route_for(keys)
    path = taken.path
    for name in taken.names:
        path = path.replace(f"{{{name}}}", _segment(cls, name, keys.pop(name)))
    query = {name: _word(keys.pop(name)) for name in shape.in_query if name in keys}
    if shape.body is not None:
        body = _own_body(request, shape.body)
    else:
        body = _json(cls, keys, "$") if keys or spec.needs_body else None
    headers = {} if body is None else dict(TYPED_JSON)
    if accepted := accept or spec.accept:
        headers["accept"] = accepted
    return HttpRequest(taken.method, path, query, body, headers)


class _Shape(NamedTuple):
    """What the encoding of all requests of a class depends on."""

    in_query: tuple[str, ...]
    body: attrs.Attribute[Any] | None
    has_rules: bool


@functools.cache
def _shape(cls: Any) -> _Shape:
    placed = {
        place: [field for field in fields_of(cls) if field.metadata.get("in") == place] for place in ("query", "body")
    }
    has_rules = cls.problems is not Request.problems
    return _Shape(tuple(map(wire_name, placed["query"])), next(iter(placed["body"]), None), has_rules)


def from_http(request: Request[R], got: HttpResponse) -> R:
    """Decode the response to a request.

    Raises ApiError for a status of 300 or above, DecodeError, with the path, for a response that does not match the
    declared type, ResponseTooLarge for one whose values would take too much memory.
    """
    raise_for_status(got)
    returns = type(request).endpoint.returns
    if not got.body and type(None) in (returns, *get_args(returns)):
        nothing: Any = None
        return nothing  # type: ignore[no-any-return]
    try:
        data = got.json()
    except TooMuch as error:
        raise ResponseTooLarge(got.request, got.status, str(error)) from None
    except ValueError:
        kind = got.content_type or "no content type"
        message = f"the response is not JSON but {kind}: is this an OpenSearch with ML Commons?"
        raise DecodeError(message, got) from None
    try:
        answer: R = convert.structure(data, returns)
    except convert.Unreadable as error:
        raise_alone(DecodeError(f"the response is not a {_name(returns)}: {error}", got))
    return answer


def _name(returns: Any) -> str:
    return getattr(returns, "__name__", None) or str(returns)


def _own_body(request: Request[Any], field: attrs.Attribute[Any]) -> bytes | None:
    body = convert.unstructure(getattr(request, field.name), field.type)
    # Raw bytes are sent as application/json too: the server rejects application/octet-stream with 406.
    return body if isinstance(body, bytes | None) else _json(type(request), body, f"$.{field.name}")


def _json(cls: type[Any], data: Any, where: str) -> bytes:
    try:
        return orjson.dumps(data)
    except TypeError as error:
        # orjson before 3.12 gives the string as the cause of its error, and it may be a credential.
        raise_alone(InvalidRequest(f"{cls.__name__}: {error} @ {_unwritable(data, where)}"))


def json_bytes(data: Any) -> bytes:
    """Return a value as JSON. Raises TypeError, which has nothing of the value."""
    try:
        return orjson.dumps(data)
    except TypeError as error:
        raise_alone(TypeError(str(error)))


def _unwritable(data: Any, where: str) -> str:
    """Return the path of the first value that JSON cannot encode: a lone surrogate, a set, an integer over 64 bits."""
    parts = data.items() if isinstance(data, Mapping) else enumerate(data) if isinstance(data, list | tuple) else ()
    for key, part in parts:
        try:
            orjson.dumps(part)
        except TypeError:
            return _unwritable(part, f"{where}[{key!r}]")
    return where


def _segment(cls: type[Any], name: str, value: Any) -> str:
    text = str(value)
    if not text.strip():
        raise InvalidRequest(f"{cls.__name__}: {name} must not be empty")
    try:
        return quoted(text)
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"{cls.__name__}: {name} cannot be encoded as UTF-8: {error.reason}") from None


@functools.lru_cache(maxsize=1024)
def quoted(text: str, safe: str = "") -> str:
    """Return a text as one segment of a path, percent-encoded but for the characters of ``safe``."""
    # URL libraries would normalize "." and ".." away; the server accepts them percent-encoded.
    return text.replace(".", "%2E") if text in {".", ".."} else quote(text, safe=safe)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def from_word(text: str, declared: Any) -> Any:
    """Parse a query or path value as its field's type: the inverse of ``to_http``."""
    wanted = get_args(declared) or (declared,)
    if bool in wanted and text in {"true", "false", ""}:
        return text != "false"
    if int in wanted and text.removeprefix("-").isdecimal():
        return int(text)
    return text
