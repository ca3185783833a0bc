"""A router from HTTP method and path back to endpoint and typed request, for the emulator, the tests and the CLI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints
from urllib.parse import unquote

import attrs
import orjson

from aiomlcommons.endpoint import Request, Route, wire_name
from aiomlcommons.http import HttpRequest
from aiomlcommons.wire import convert
from aiomlcommons.wire.codec import from_word


@attrs.frozen
class Match:
    """A matched route: the endpoint, which of its routes, and the path parameters."""

    request: type[Request[Any]]
    route: Route
    values: Mapping[str, str]


def _pattern(route: Route) -> re.Pattern[str]:
    first, *parts = re.split(r"{(\w+)}", route.path.rstrip("/"))
    text = re.escape(first)
    for name, rest in zip(parts[::2], parts[1::2], strict=True):
        # A path begins with the name of an index, or with an underscore.
        segment = r"(?:_all|[^/_][^/]*)" if text == "/" else "[^/]+"
        text += f"(?P<{name}>{segment}){re.escape(rest)}"
    return re.compile(f"{text}/?$")


class Router:
    """Matches percent-encoded paths against the routes of endpoints; a literal segment goes before a parameter."""

    def __init__(self, endpoints: Iterable[type[Request[Any]]]) -> None:
        table = [(cls, route, _pattern(route)) for cls in endpoints for route in cls.endpoint.routes]
        self._table = sorted(table, key=lambda row: len(row[1].names))

    def find(self, method: str, path: str) -> Match | None:
        """Return the match of a method and percent-encoded path, old routes included; None if there is none."""
        for cls, route, pattern in self._table:
            if route.method == method and (hit := pattern.match(path)):
                return Match(cls, route, {name: unquote(value) for name, value in hit.groupdict().items()})
        return None


def read_request(match: Match, http: HttpRequest) -> Request[Any]:
    """Decode an HTTP request to its typed request. Unknown keys of the body are dropped.

    Raises convert.Unreadable for a value that does not match its field and for an unknown query parameter, ValueError
    if the body is not JSON.
    """
    hints = get_type_hints(match.request)
    fields = {wire_name(f): f for f in attrs.fields(match.request)}
    if unknown := http.query.keys() - {name for name, f in fields.items() if f.metadata.get("in") == "query"}:
        raise convert.Unreadable([f"unknown query parameter: {', '.join(sorted(unknown))}"])
    words = {**match.values, **http.query}
    data: dict[str, Any] = {name: from_word(text, hints[fields[name].name]) for name, text in words.items()}
    body_field = next((name for name, f in fields.items() if f.metadata.get("in") == "body"), None)
    if body_field is not None:
        raw = hints[fields[body_field].name] is bytes
        data |= {} if http.body is None else {body_field: http.body if raw else orjson.loads(http.body)}
    elif http.body:
        body = orjson.loads(http.body)
        if not isinstance(body, Mapping):
            raise convert.Unreadable(["expected an object as the body"])
        data |= {key: value for key, value in body.items() if key in fields and key not in words}
    return convert.structure(data, match.request)
