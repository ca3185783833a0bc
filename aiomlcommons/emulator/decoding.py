"""Decoding of HTTP requests to typed requests, and the error responses to those that cannot be decoded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import attrs
import orjson

from aiomlcommons.api.agents import RegisterAgent
from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.api.model_records import ModelFormat
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta, UploadModelChunk
from aiomlcommons.api.predict import Predict
from aiomlcommons.emulator.bad_json import bad_json
from aiomlcommons.emulator.bounded import json_of
from aiomlcommons.emulator.errors import Refused, illegal, plain, refused
from aiomlcommons.endpoint import Request, wire_name
from aiomlcommons.http import CBOR, JSON, HttpRequest
from aiomlcommons.wire import convert
from aiomlcommons.wire.routes import Match, Router, read_request
from aiomlcommons.wire.version import Version

ALWAYS = {"pretty", "human", "error_trace", "filter_path"}
METHODS = ("GET", "POST", "PUT", "DELETE")
REQUIRED: Mapping[type[Request[Any]], Mapping[str, str]] = {
    RegisterModel: {"name": "model name is null"},
    RegisterModelMeta: {
        "name": "model name is null",
        "model_format": "model format is null",
        "model_content_hash_value": "model content hash value is null",
        "total_chunks": "total chunks field is null",
    },
    RegisterAgent: {"name": "Agent name can't be null", "type": "Agent type can't be null"},
    CreateConnector: {
        "name": "Connector name is null",
        "version": "Connector version is null",
        "protocol": "Connector protocol is null",
    },
}


def find(router: Router, http: HttpRequest, version: str) -> Match:
    """Return the endpoint of a request.

    Raises Refused where a server of this version does not have the path, or not with this method.
    """
    known = {method: match for method in METHODS if (match := _known(router, method, http.path, version))}
    if http.method in known:
        return known[http.method]
    uri = f"for uri [{http.path}] and method [{http.method}]"
    if allowed := list(known):
        raise plain(405, f"Incorrect HTTP method {uri}, allowed: [{', '.join(allowed)}]")
    raise plain(400, f"no handler found {uri}", with_status=False)


def _known(router: Router, method: str, path: str, version: str) -> Match | None:
    match = router.find(method, path)
    return match if match is not None and _has(Version.parse(version), match) else None


def _has(version: Version, match: Match) -> bool:
    """Return whether a server of this version has a route. Old names stay valid on newer servers."""
    spec = match.request.endpoint
    if spec.until is not None and version >= Version.parse(spec.until):
        return False
    return match.route in spec.was or version >= Version.parse(spec.since)


def read(match: Match, http: HttpRequest, version: str) -> Request[Any]:
    """Return the typed request, as a server of this version decodes it.

    Raises Refused for a body that is not JSON, an unknown query parameter, or an invalid value.
    """
    kind = check_content_type(http)
    http = attrs.evolve(http, query=_known_query(match, http))
    if match.request is UploadModelChunk and http.body is None:
        http = attrs.evolve(http, body=b"")
    if kind == CBOR and http.body is not None:
        http = attrs.evolve(http, body=json_of(http.body))
    try:
        _check_required(match.request, http.body)
        return read_request(match, http)
    except orjson.JSONDecodeError as error:
        raise bad_json(http.body or b"", error, version) from None
    except convert.Unreadable as error:
        raise _null_text(match, str(error)) or illegal(str(error)) from None


def check_content_type(http: HttpRequest, allowed: Collection[str] = (JSON, CBOR)) -> str:
    """Return the media type of a body. Raises Refused (406) for one that the server does not read."""
    given = http.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if http.body is not None and kind not in allowed:
        raise plain(406, f"Content-Type header [{given}] is not supported")
    return kind


def _null_text(match: Match, problem: str) -> Refused | None:
    """Return the error for a null among texts, which the server decodes before its model fails on it."""
    if match.request is not Predict or "got null @ $.text_docs[" not in problem:
        return None
    values = match.values
    why = {
        "type": "null_pointer_exception",
        "reason": 'Cannot invoke "String.getBytes(java.nio.charset.Charset)" because "data" is null',
    }
    words = f"Failed to inference {values['algorithm'].upper()} model: {values['model_id']}"
    return refused(500, "m_l_exception", words, why)


def _known_query(match: Match, http: HttpRequest) -> dict[str, str]:
    places = attrs.fields(match.request)
    known = {wire_name(field) for field in places if field.metadata.get("in") == "query"}
    check_query(http, known)
    return {name: value for name, value in http.query.items() if name in known}


def check_query(http: HttpRequest, known: Collection[str]) -> None:
    """Raise Refused for a query parameter that the route does not know."""
    unknown = [name for name in http.query if name not in known and name not in ALWAYS]
    if unknown:
        names = ", ".join(f"[{name}]" for name in unknown)
        word = "parameter" if len(unknown) == 1 else "parameters"
        raise illegal(f"request [{http.path}] contains unrecognized {word}: {names}")


def _check_required(request: type[Request[Any]], body: bytes | None) -> None:
    needs = REQUIRED.get(request)
    if needs is None:
        return
    if not body:
        raise refused(400, "parse_exception", "request body is required")
    keys = orjson.loads(body)
    if not isinstance(keys, dict):
        raise _no_object(keys)
    for name, words in needs.items():
        if keys.get(name) is None:
            raise illegal(words)
    if str(keys.get("model_format") or ModelFormat.ONNX) not in ModelFormat.__members__:
        raise illegal("Wrong model format")


def _no_object(value: Any) -> Refused:
    kinds = {str: "VALUE_STRING", list: "START_ARRAY", bool: "VALUE_BOOLEAN", type(None): "VALUE_NULL"}
    found = kinds.get(type(value), "VALUE_NUMBER")
    words = f"Failed to parse object: expecting token of type [START_OBJECT] but found [{found}]"
    return refused(400, "parsing_exception", words, None, line=1, col=1)
