"""Requests of which only the texts differ from call to call: all else is checked and encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import orjson

from aiomlcommons.endpoint import Request, Route
from aiomlcommons.http import HttpRequest
from aiomlcommons.wire.codec import to_http


class Prepared:
    """A request whose texts, the value of one of its fields, are given for each call; they were checked.

    ``request`` has some text in their place.
    """

    def __init__(self, request: Request[Any], texts: str, *, accept: str) -> None:
        """``texts`` is the name of the field."""
        self._name, self._accept, self._given = texts, accept, request
        self.request = self._with([""])
        self._encoded: dict[Route | None, tuple[HttpRequest, dict[str, Any]]] = {}

    def to_http(self, texts: Sequence[str], route: Route | None = None) -> HttpRequest:
        """Encode it, as ``wire.codec.to_http`` does the whole request. Raises as that does."""
        found = self._encoded.get(route)
        if found is None:
            whole = to_http(self.request, route, accept=self._accept)
            found = self._encoded[route] = whole, orjson.loads(whole.body or b"{}")
        http, keys = found
        try:
            body = orjson.dumps({**keys, self._name: texts})
        except TypeError:  # half of a surrogate pair: the careful way says where
            return to_http(self._with(texts), route, accept=self._accept)
        return HttpRequest(http.method, http.path, http.query, body, http.headers)

    def _with(self, texts: Sequence[str]) -> Request[Any]:
        given: Any = self._given
        made: Request[Any] = attrs.evolve(given, **{self._name: texts})
        return made
