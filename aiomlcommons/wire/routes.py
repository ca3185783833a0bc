"""Which endpoint a method and a path belong to: the way back from HTTP, for the emulator, the tests and the CLI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints
from urllib.parse import unquote

import attrs
import orjson

from aiomlcommons.endpoint import ENDPOINTS, Request, Route, wire_name
from aiomlcommons.http import HttpRequest
from aiomlcommons.wire import convert
from aiomlcommons.wire.codec import from_word


@attrs.frozen
class Match:
    """An endpoint, the one of its routes that fits, and the values found in the path."""

    request: type[Request[Any]]
    route: Route
    values: Mapping[str, str]


def _pattern(route: Route) -> re.Pattern[str]:
    parts = re.split(r"{(\w+)}", route.path.rstrip("/"))
    text = "".join(re.escape(part) if i % 2 == 0 else f"(?P<{part}>[^/]+)" for i, part in enumerate(parts))
    return re.compile(f"{text}/?$")


class Router:
    """Finds the endpoint of an encoded path; a literal segment wins over a field."""

    def __init__(self, endpoints: Iterable[type[Request[Any]]] = ENDPOINTS) -> None:
        table = [(cls, route, _pattern(route)) for cls in endpoints for route in cls.endpoint.routes]
        self._table = sorted(table, key=lambda row: len(row[1].names))

    def find(self, method: str, path: str) -> Match | None:
        """The endpoint of a method and an encoded path, under any of its names."""
        for cls, route, pattern in self._table:
            if route.method == method and (hit := pattern.match(path)):
                return Match(cls, route, {name: unquote(value) for name, value in hit.groupdict().items()})
        return None


def read_request(match: Match, http: HttpRequest) -> Request[Any]:
    """The typed request that a message holds. Keys of the body that its class does not know are dropped.

    Raises convert.Unreadable where a value does not fit its field or a parameter of the query has none, ValueError
    where the body is not JSON.
    """
    hints = get_type_hints(match.request)
    fields = {wire_name(f): f for f in attrs.fields(match.request)}
    if unknown := http.query.keys() - {name for name, f in fields.items() if f.metadata.get("in") == "query"}:
        raise convert.Unreadable([f"no parameter of the query is called {' or '.join(sorted(unknown))}"])
    words = {**match.values, **http.query}
    data: dict[str, Any] = {name: from_word(text, hints[fields[name].name]) for name, text in words.items()}
    whole = next((name for name, f in fields.items() if f.metadata.get("in") == "body"), None)
    if whole is not None:
        raw = hints[fields[whole].name] is bytes
        data |= {} if http.body is None else {whole: http.body if raw else orjson.loads(http.body)}
    elif http.body:
        body = orjson.loads(http.body)
        if not isinstance(body, Mapping):
            raise convert.Unreadable(["expected an object as the body"])
        data |= {key: value for key, value in body.items() if key in fields and key not in words}
    return convert.structure(data, match.request)
