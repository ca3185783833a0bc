"""Decoding of HTTP requests to typed requests, and the error responses to those that cannot be decoded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import cbor2
import orjson

from aiomlcommons.api.agents import RegisterAgent
from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.api.model_records import ModelFormat
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta, UploadModelChunk
from aiomlcommons.api.predict import Predict
from aiomlcommons.emulator.errors import Refused, illegal, plain, refused
from aiomlcommons.endpoint import Request, wire_name
from aiomlcommons.http import CBOR, JSON, HttpRequest
from aiomlcommons.wire import convert
from aiomlcommons.wire.routes import Match, Router, read_request
from aiomlcommons.wire.version import Version

ALWAYS = {"pretty", "human", "error_trace"}
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
    kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    if http.body is not None and kind not in {JSON, CBOR}:
        raise plain(406, f"Content-Type header [{http.headers.get('content-type', '')}] is not supported")
    http = attrs.evolve(http, query=_known_query(match, http))
    if match.request is UploadModelChunk and http.body is None:
        http = attrs.evolve(http, body=b"")
    if kind == CBOR and http.body is not None:
        http = attrs.evolve(http, body=orjson.dumps(cbor2.loads(http.body)))
    try:
        _check_required(match.request, http.body)
        return read_request(match, http)
    except orjson.JSONDecodeError as error:
        raise _bad_json((http.body or b"").decode("utf-8", "replace"), error, Version.parse(version)) from None
    except convert.Unreadable as error:
        raise _null_text(match, str(error)) or illegal(str(error)) from None


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
    unknown = [name for name in http.query if name not in known | ALWAYS]
    if unknown:
        names = ", ".join(f"[{name}]" for name in unknown)
        word = "parameter" if len(unknown) == 1 else "parameters"
        raise illegal(f"request [{http.path}] contains unrecognized {word}: {names}")
    return {name: value for name, value in http.query.items() if name in known}


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


# ---- bad JSON, with the messages of the server's parser ------------------------------------------------------------

_SOURCE = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); {}]"
NEW_PARSER = Version.parse("3.8")


def _bad_json(text: str, error: orjson.JSONDecodeError, version: Version) -> Refused:
    opened = _unclosed(text)
    if opened is None:
        place = _SOURCE.format(f"line: {error.lineno}, column: {error.colno}")
        return refused(400, "json_parse_exception", f"{error.msg}\n at {place}")
    kind = "Array" if text[opened] == "[" else "Object"
    words = f"Unexpected end-of-input: expected close marker for {kind} (start marker at {{}})\n at {{}}"
    if version < NEW_PARSER:
        where = (_SOURCE.format(_position(text, opened)), _SOURCE.format(_position(text, len(text))))
        return refused(400, "json_e_o_f_exception", words.format(*where))
    # The newer parser reports byte offsets, and not where the bracket was.
    where = (_SOURCE.format("byte offset: #UNKNOWN"), _SOURCE.format(f"byte offset: #{len(text.encode())}"))
    cause = {"type": "unexpected_end_of_input_exception", "reason": words.format(*where)}
    return refused(400, cause["type"], cause["reason"], cause)


def _position(text: str, index: int) -> str:
    return f"line: {text.count(chr(10), 0, index) + 1}, column: {index - text.rfind(chr(10), 0, index)}"


def _unclosed(text: str) -> int | None:
    """Return the index of the innermost bracket that is never closed, or None."""
    opened: list[int] = []
    in_text = escaped = False
    for index, letter in enumerate(text):
        if in_text:
            in_text = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            in_text = True
        elif letter in "[{":
            opened.append(index)
        elif letter in "]}" and opened:
            opened.pop()
    return opened[-1] if opened else None
