"""What an endpoint is: a frozen class that knows its routes, its fields and its answer."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Awaitable, Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from types import MappingProxyType
from typing import (
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    Protocol,
    TypeAlias,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
)

import attrs

from aiomlcommons.http import HttpResponse

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


class Null(enum.Enum):
    """The type of ``NULL``."""

    NULL = "null"

    def __repr__(self) -> str:
        return "NULL"

    def __bool__(self) -> Literal[False]:
        return False


NULL: Final = Null.NULL
"""An explicit JSON ``null``, where the API tells it from a key that is left out (``None`` leaves it out)."""


def in_query(*, wire: str | None = None, default: Any = None) -> Any:
    """A field that travels in the query string, as ``wire`` where its name there is a word of Python."""
    metadata = {"in": "query"} if wire is None else {"in": "query", "wire": wire}
    return attrs.field(default=default, metadata=metadata)


def as_body(*, default: Any = attrs.NOTHING, factory: Any = None) -> Any:
    """A field that is the whole body: a search DSL, a JSON array, or raw bytes."""
    if factory is not None:
        return attrs.field(factory=factory, metadata={"in": "body"})
    return attrs.field(default=default, metadata={"in": "body"})


def renamed(wire: str, *, default: Any = attrs.NOTHING) -> Any:
    """A field whose name on the wire is not one that attrs can take, such as ``_id``."""
    return attrs.field(default=default, metadata={"wire": wire})


def masked(*, default: Any = attrs.NOTHING) -> Any:
    """A field that may hold secrets: it is sent in full and never shown by ``repr``."""
    return attrs.field(default=default, repr=lambda value: "None" if value is None else "'***'")


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field, renamed, masked))
def record(cls: type[T]) -> type[T]:
    """Make a class a JSON object of the API."""
    return attrs.frozen(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(attrs.field, in_query, masked))
def mixin(cls: type[T]) -> type[T]:
    """Make a class a set of keyword fields that several requests share."""
    return attrs.frozen(cls, kw_only=True)


@record
class Record:
    """A JSON object of the API. Keys that this version does not know are kept in ``extra`` and written back.

    A field without a default is always on the wire; one whose default is None is left out when None.
    """

    extra: dict[str, Any] = attrs.field(factory=dict, repr=False, kw_only=True)


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
        """The fields that travel in the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@attrs.frozen
class Endpoint:
    """Where a request goes, what comes back, and what a client may do with it.

    ``newer`` has the version of each key that came after the endpoint itself.
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
        """Every route the server knows or knew it by, today's first."""
        return (self.route, *self.also, *self.was)

    def route_for(self, given: Container[str]) -> Route:
        """The present route that takes the most of the fields that are given: ``/stats`` or ``/stats/{stat}``."""
        fitting = [route for route in (self.route, *self.also) if all(name in given for name in route.names)]
        return max(fitting or [self.route], key=lambda route: len(route.names))


class Request(Generic[R_co]):
    """Base of every request; ``R_co`` is the type of the answer."""

    endpoint: ClassVar[Endpoint]
    __attrs_attrs__: ClassVar[Any]

    def problems(self) -> Iterator[str]:
        """What the server would refuse although each value fits its type; each names the field and the remedy."""
        return iter(())

    def newer_values(self) -> Iterator[tuple[str, str]]:
        """What older servers lack although they know the field: words that name it, and the version that brought it."""
        return iter(())


ENDPOINTS: list[type[Request[Any]]] = []
"""Every endpoint of the package, in the order of its modules."""


def wire_name(field: attrs.Attribute[Any]) -> str:
    """The key of a field on the wire."""
    return cast(str, field.metadata.get("wire", field.name))


def fields_of(cls: type[Any]) -> tuple[attrs.Attribute[Any], ...]:
    """The fields of a record or request class."""
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)
    return fields


def _keyword_only_after_marker(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    # dataclasses.KW_ONLY is the marker that both type checkers understand; attrs itself takes it for a field.
    names = [field.name for field in fields]
    marker = names.index("_") if "_" in names else len(names)
    return fields[:marker] + [field.evolve(kw_only=True) for field in fields[marker + 1 :]]


def _answer_of(cls: type) -> Any:
    for base in getattr(cls, "__orig_bases__", ()):
        origin = get_origin(base)
        if isinstance(origin, type) and issubclass(origin, Request):
            return get_args(base)[0]
    raise TypeError(f"{cls.__name__} must derive from Request[its answer]")


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
        raise TypeError(f"{cls.__name__} has no field {sorted(unknown)}, of which newer= tells the version")
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
    """Make a class an endpoint: ``@endpoint("GET /_plugins/_ml/tasks/{task_id}", since="1.3")``.

    A field named in the route travels in the path; ``in_query()`` in the query string; ``as_body()`` is the whole
    body; any other is a key of the JSON body. ``was`` are names that older servers know it by, ``also`` are other
    spellings of equal standing, or forms with other path fields. GET, PUT and DELETE are ``repeatable``; a POST must
    say so. A route that ``needs_body`` is sent ``{}`` when no key is given; ``accept`` is for one that answers in no
    other way; ``until`` is the version that removed it. ``newer`` are the fields that came after the endpoint:
    ``{"2.12": ("is_enabled", "rate_limiter")}``.

    Raises TypeError at import when a route or ``newer`` names a field that the class does not have.
    """

    def make(cls: type[T]) -> type[T]:
        made: Any = attrs.frozen(cls, field_transformer=_keyword_only_after_marker)
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


class Sends(Protocol):
    """What everything above the wire needs of a session."""

    async def send(self, request: Request[R], /) -> R:
        """Send a request and read its answer."""
        ...

    async def raw(self, request: Request[Any], /, *, accept: str = ...) -> HttpResponse:
        """Send a request and hand out the answer as it came."""
        ...

    def pieces(self, request: Request[Any], /) -> AbstractAsyncContextManager[Pieces]:
        """Send a request and hand out the answer's body as it comes."""
        ...


Pieces: TypeAlias = Callable[[], Awaitable[bytes]]
"""Gives the next bytes of a body whenever it is awaited, and ``b""`` at its end."""
