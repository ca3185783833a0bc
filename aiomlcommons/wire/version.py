"""What a server of a certain version has: which route it knows an endpoint by, and which fields."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import anyio
import attrs

from aiomlcommons.endpoint import Request, Route, fields_of, wire_name
from aiomlcommons.errors import ApiError, NotSupported


class Version(NamedTuple):
    """A version of OpenSearch, which is that of its ML Commons too."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """``3.4.0`` or ``2.4``. Raises ValueError for what is no version of OpenSearch."""
        major, _, rest = text.partition(".")
        version = cls(int(major), int(rest.partition(".")[0] or 0))
        if version.major >= 7:
            # Some clusters give the version of the Elasticsearch that they are compatible with.
            raise ValueError(f"{text} is no version of OpenSearch")
        return version

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


# Older servers are not known; what was there in 2.4 is taken to be there.
OLDEST = Version(2, 4)


@attrs.define
class Server:
    """What a session knows of its server: the version that it tells itself, or ``compat`` where it tells none.

    The server's own word is the better one: what is left out because ``compat`` is old, a newer server may want.
    """

    compat: Version | None = None
    told: Version | None = None
    asked: bool = False
    asking: anyio.Lock = attrs.field(factory=anyio.Lock, repr=False, eq=False)

    @property
    def version(self) -> Version | None:
        """The best that is known so far, without asking."""
        return self.told or self.compat


@functools.cache
def _newer(cls: Any) -> tuple[tuple[str, Version], ...]:
    """The fields of a request that some servers with its endpoint lack, with the version that brought them."""
    spec = cls.endpoint
    base = max(OLDEST, Version.parse(spec.since))
    since = {name: Version.parse(version) for name, version in spec.newer.items()}
    return tuple((f.name, since[key]) for f in fields_of(cls) if (key := wire_name(f)) in since and since[key] > base)


def _newer_given(request: Request[Any]) -> list[tuple[str, Version]]:
    cls: Any = type(request)
    fields = [(name, since) for name, since in _newer(cls) if getattr(request, name) is not None]
    values = [(words, Version.parse(since)) for words, since in request.newer_values()]
    return fields + [(words, since) for words, since in values if since > OLDEST]


def needs_version(request: Request[Any]) -> bool:
    """Whether the server's version matters to a request: some servers lack a field or a value of it."""
    return bool(_newer_given(request))


def route_at(request: Request[Any], version: Version | None, error: ApiError | None = None) -> Route | None:
    """The route by which a server knows an endpoint; None is the present one.

    Raises NotSupported where it has no such endpoint, or not a field or a value that is given.
    """
    if version is None:
        return None
    spec, name = request.endpoint, type(request).__name__
    if spec.until and version >= Version.parse(spec.until):
        raise NotSupported(f"{name} was removed in OpenSearch {spec.until}; this server is {version}") from error
    for field, since in _newer_given(request):
        if version < since:
            raise NotSupported(f"{name}: {field} needs OpenSearch {since}; this server is {version}") from error
    if version >= Version.parse(spec.since):
        return None
    if not spec.was or version < OLDEST:
        raise NotSupported(f"{name} needs OpenSearch {spec.since}; this server is {version}") from error
    return spec.was[0]


def is_unknown_route(error: ApiError) -> bool:
    """Whether a server says that it does not know a route, and so has done nothing."""
    return error.reason.startswith(("no handler found for uri", "Incorrect HTTP method for uri"))
