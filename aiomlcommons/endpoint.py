"""Declarative endpoints: a request is a frozen attrs class that declares its routes, fields and response type."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from types import MappingProxyType
from typing import (
    Any,
    ClassVar,
    Generic,
    Protocol,
    TypeAlias,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
)

import attrs

from aiomlcommons.display.shown import Readable
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.record import as_body, in_query, mask_secrets, masked, renamed

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


@attrs.frozen
class Route:
    """A method and a path template: ``GET /_plugins/_ml/models/{model_id}``."""

    method: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Route:
        method, _, path = text.partition(" ")
        return cls(method, path)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the path parameters."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@attrs.frozen
class Endpoint:
    """The metadata of a request class: its routes, response type, versions, and whether it is idempotent.

    ``newer`` maps each key that was added after the endpoint to the version that added it. The decorator ``endpoint``
    documents the other fields.
    """

    route: Route
    returns: Any
    since: str
    was: tuple[Route, ...] = ()
    also: tuple[Route, ...] = ()
    repeatable: bool = False
    needs_body: bool = False
    accept: str | None = None
    until: str | None = None
    newer: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every route of the endpoint, the current one first, those of old servers last."""
        return (self.route, *self.also, *self.was)

    def route_for(self, given: Container[str]) -> Route:
        """Return the current route that uses most of the given path parameters: ``/stats`` or ``/stats/{stat}``."""
        if not self.also:
            return self.route
        fitting = [route for route in (self.route, *self.also) if all(name in given for name in route.names)]
        return max(fitting or [self.route], key=lambda route: len(route.names))


class Request(Readable, Generic[R_co]):
    """Base of every request; ``R_co`` is the type of the response. ``to_dict()`` has path, query and body."""

    endpoint: ClassVar[Endpoint]
    __attrs_attrs__: ClassVar[Any]

    def problems(self) -> Iterator[str]:
        """Yield validation errors beyond types, checked before sending; each names the field and the remedy."""
        return iter(())

    def newer_values(self) -> Iterator[tuple[str, str]]:
        """Yield given values that older servers do not know, as (description, version that added it)."""
        return iter(())

    def features(self) -> Iterator[tuple[str, str]]:
        """Yield what the values use beyond the endpoint's own feature, as (feature, what to name in a message).

        The features are those of ``aiomlcommons.wire.features``, which some kinds of servers lack.
        """
        return iter(())


ENDPOINTS: list[type[Request[Any]]] = []
"""The registry of every endpoint of the package, in the order of its modules."""


def wire_name(field: attrs.Attribute[Any]) -> str:
    """Return the key of a field on the wire."""
    return cast(str, field.metadata.get("wire", field.name))


def fields_of(cls: type[Any]) -> tuple[attrs.Attribute[Any], ...]:
    """Return the fields of a record or request class."""
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)
    return fields


def _keyword_only_after_marker(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    # dataclasses.KW_ONLY is the marker that both type checkers understand; attrs itself treats it as a field.
    # The fields of a mixin come last: what a request adds to them, such as its name, is read first.
    fields = sorted(fields, key=lambda field: field.name not in cls.__annotations__)
    names = [field.name for field in fields]
    marker = names.index("_") if "_" in names else len(names)
    return fields[:marker] + [field.evolve(kw_only=True) for field in fields[marker + 1 :]]


def _arranged(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    return mask_secrets(cls, _keyword_only_after_marker(cls, fields))


def _answer_of(cls: type) -> Any:
    for base in getattr(cls, "__orig_bases__", ()):
        origin = get_origin(base)
        if isinstance(origin, type) and issubclass(origin, Request):
            return get_args(base)[0]
    raise TypeError(f"{cls.__name__} must derive from Request[its response type]")


def _check(cls: type[Any], routes: Sequence[Route]) -> None:
    fields = {field.name: field.metadata.get("in") for field in attrs.fields(cls)}
    for route in routes:
        if unknown := set(route.names) - fields.keys():
            raise TypeError(f"{cls.__name__} has no field for {sorted(unknown)} in {str(route)!r}")
    in_path = {name for route in routes for name in route.names}
    keys = [name for name, place in fields.items() if place is None and name not in in_path]
    bodies = [name for name, place in fields.items() if place == "body"]
    if len(bodies) > 1 or (bodies and keys):
        raise TypeError(f"{cls.__name__}: a body is one field or keys, not both: {bodies + keys}")


def _since_of_keys(cls: type[Any], newer: Mapping[str, Sequence[str]]) -> dict[str, str]:
    since = {name: version for version, names in newer.items() for name in names}
    keys = {field.name: wire_name(field) for field in attrs.fields(cls)}
    if unknown := since.keys() - keys.keys():
        raise TypeError(f"{cls.__name__} has no field {sorted(unknown)}, which newer= names")
    return {keys[name]: version for name, version in since.items()}


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field, in_query, as_body, renamed, masked))
def endpoint(
    route: str,
    *,
    since: str,
    was: Sequence[str] = (),
    also: Sequence[str] = (),
    repeatable: bool = False,
    needs_body: bool = False,
    accept: str | None = None,
    until: str | None = None,
    newer: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Callable[[type[T]], type[T]]:
    """Turn a class into an endpoint: ``@endpoint("GET /_plugins/_ml/tasks/{task_id}", since="1.3")``.

    A field named in the route is a path parameter; one of ``in_query()`` is in the query string; one of ``as_body()``
    is the whole body; any other is a key of the JSON body.

    Args:
        route: Method and path template.
        since: The version of OpenSearch that added the endpoint.
        was: Routes of servers older than ``since``.
        also: Alternative current routes, such as one with further path parameters.
        repeatable: Whether a POST is idempotent, so that it may be retried; GET, PUT and DELETE always are.
        needs_body: Send ``{}`` if no key of the body is given.
        accept: The ``accept`` header, for a route that has one media type only.
        until: The version that removed the endpoint.
        newer: Fields added after the endpoint, by version: ``{"2.12": ("is_enabled", "rate_limiter")}``.

    Raises:
        TypeError: At import, if a route or ``newer`` names a field that the class does not have.
    """

    def make(cls: type[T]) -> type[T]:
        made: Any = attrs.frozen(cls, repr=False, field_transformer=_arranged)
        spec = Endpoint(
            route=Route.parse(route),
            returns=_answer_of(made),
            since=since,
            was=tuple(map(Route.parse, was)),
            also=tuple(map(Route.parse, also)),
            repeatable=repeatable or route.startswith(("GET ", "PUT ", "DELETE ")),
            needs_body=needs_body,
            accept=accept,
            until=until,
            newer=_since_of_keys(made, newer),
        )
        _check(made, spec.routes)
        made.endpoint = spec
        made.__doc__ = inspect.cleandoc(made.__doc__ or "")
        ENDPOINTS.append(made)
        return cast(type[T], made)

    return make


Encode: TypeAlias = Callable[[Route | None], HttpRequest]
"""Encodes a request for one of its routes; None is the current one."""


class Sends(Protocol):
    """The interface of a session that modules below ``client`` depend on."""

    @property
    def _most(self) -> int:
        """Bytes of the largest response, and of the largest frame of a stream."""
        ...

    async def send(self, request: Request[R], /) -> R:
        """Send a request and return its typed response."""
        ...

    async def raw(self, request: Request[Any], /, *, accept: str = ...) -> HttpResponse:
        """Send a request and return the undecoded response."""
        ...

    async def _raw(self, request: Request[Any], *, encode: Encode) -> HttpResponse:
        """Send a request as ``encode`` encodes it, and return the undecoded response."""
        ...

    def pieces(self, request: Request[Any], /) -> AbstractAsyncContextManager[Pieces]:
        """Send a request and stream the body of the response."""
        ...


Pieces: TypeAlias = Callable[[], Awaitable[bytes]]
"""An async reader of a body: each call returns the next bytes, and ``b""`` at the end."""
