"""Routes that are no endpoints of ML Commons: those of indices, documents and searches."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import unquote

import attrs
import orjson

from aiomlcommons.emulator.bad_json import bad_json
from aiomlcommons.emulator.bounded import json_of
from aiomlcommons.emulator.decoding import check_content_type, check_query
from aiomlcommons.emulator.errors import plain
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.http import CBOR, JSON, HttpRequest

if TYPE_CHECKING:
    from aiomlcommons.emulator.cluster import Cluster

LINES = "application/x-ndjson"
Need = Literal["nothing", "search", "get"]
Answer = Callable[["Cluster", "Call"], Awaitable[Plain]]
A = TypeVar("A", bound=Answer)


@attrs.frozen
class Call:
    """A request: its path parameters, its query and its body."""

    http: HttpRequest
    names: dict[str, str]
    version: str

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a parameter that is true or false; one without a value is true."""
        given = self.http.query.get(name)
        return default if given is None else given != "false"

    @property
    def body(self) -> bytes:
        """The body as JSON, whether it came as that or as CBOR; empty if there is none. It may be no JSON at all."""
        body = self.http.body or b""
        is_cbor = bool(body) and self.http.headers.get("content-type", "").startswith(CBOR)
        return json_of(body) if is_cbor else body

    def json(self) -> Any:
        """Return the value of the body, or None if there is no body. Raises Refused for one that is not JSON."""
        body = self.body
        try:
            return orjson.loads(body) if body else None
        except orjson.JSONDecodeError as error:
            raise bad_json(body, error, self.version) from None


@attrs.frozen
class PlainRoute:
    """A route: its method, the pattern of its path, the parameters that it knows, what it needs, and who answers it."""

    method: str
    pattern: re.Pattern[str]
    parameters: frozenset[str]
    needs: Need
    answer: Answer


ROUTES: list[PlainRoute] = []


def route(*routes: str, parameters: str = "", needs: Need = "nothing") -> Callable[[A], A]:
    """Register who answers routes such as ``GET /{index}/_doc/{id}``.

    ``parameters`` are the names that the query string may have. A route that ``needs`` a shard, to search it or to get
    a document from it, is refused while shards recover after a restart. (A write waits for its shard.)
    """

    def register(answer: A) -> A:
        for one in routes:
            method, path = one.split()
            ROUTES.append(PlainRoute(method, _pattern(method, path), frozenset(parameters.split()), needs, answer))
        return answer

    return register


def _pattern(method: str, path: str) -> re.Pattern[str]:
    # A segment that begins with an underscore is no index; who wants to create one is told so.
    index = r"(?P<index>[^/]+)" if (method, path) == ("PUT", "/{index}") else r"(?P<index>[^_/][^/]*)"
    return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path.replace("{index}", index)) + "/?$")


def find(http: HttpRequest, version: str) -> tuple[PlainRoute, Call] | None:
    """Return the route of a request and the call; None if there is no such path. Raises Refused for another method."""
    found = list(_at(http.path))
    for known, names in found:
        if known.method == http.method:
            return known, Call(http, names, version)
    methods = dict.fromkeys(known.method for known, names in found if not names.get("index", "").startswith("_"))
    if not methods:
        return None
    allowed = ", ".join(("HEAD", *methods) if "GET" in methods else methods)
    words = f"Incorrect HTTP method for uri [{http.path}] and method [{http.method}], allowed: [{allowed}]"
    raise plain(405, words)


def _at(path: str) -> Iterator[tuple[PlainRoute, dict[str, str]]]:
    for known in ROUTES:
        if hit := known.pattern.match(path):
            yield known, {name: unquote(value) for name, value in hit.groupdict().items()}


def check(known: PlainRoute, call: Call) -> None:
    """Raise Refused for a parameter that the route does not know, or a type of body that the server does not read."""
    check_content_type(call.http, (JSON, CBOR, LINES))
    check_query(call.http, known.parameters)
