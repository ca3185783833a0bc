"""Version negotiation: which route, fields and values of an endpoint a server's version supports."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import anyio
import attrs

from aiomlcommons.endpoint import Request, Route, fields_of, wire_name
from aiomlcommons.errors import ApiError, NotSupported
from aiomlcommons.wire import convert
from aiomlcommons.wire.flavors import OPENSEARCH, Flavor, flavor_in


class Version(NamedTuple):
    """A version of OpenSearch (major, minor), which is that of its ML Commons plugin too."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Parse ``3.4.0`` or ``2.4``. Raises ValueError for what is not a version of OpenSearch."""
        major, _, rest = text.partition(".")
        version = cls(int(major), int(rest.partition(".")[0] or 0))
        if version.major >= 7:
            # Some clusters report the version of Elasticsearch that they are compatible with.
            raise ValueError(f"{text} is not a version of OpenSearch")
        return version

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


# The oldest supported version; endpoints and fields from before it are assumed to exist.
OLDEST = Version(2, 4)


@attrs.define
class Server:
    """What is known of a session's server: its version (the one that it ``reported``, else ``compat``) and its kind.

    The reported version takes precedence: a newer server may require what is omitted for an old ``compat``.
    """

    compat: Version | None = None
    reported: Version | None = None
    asked: bool = False
    lock: anyio.Lock = attrs.field(factory=anyio.Lock, repr=False, eq=False)
    kind: Flavor | None = None

    @property
    def version(self) -> Version | None:
        """The best known version so far, without a request."""
        return self.reported or self.compat

    @property
    def flavor(self) -> Flavor:
        """The kind of server; as long as it is not known, OpenSearch."""
        return self.kind or OPENSEARCH

    def recognised(self, headers: Mapping[str, str]) -> bool:
        """Take the kind from the headers of a response, if it was not known; return whether they tell it."""
        if self.kind is None:
            self.kind = flavor_in(headers)
            return self.kind is not None
        return False


@functools.cache
def _newer(cls: Any) -> tuple[tuple[str, Version], ...]:
    """Return the fields that were added after their endpoint, with the version that added them."""
    spec = cls.endpoint
    base = max(OLDEST, Version.parse(spec.since))
    since = {name: Version.parse(version) for name, version in spec.newer.items()}
    return tuple((f.name, since[key]) for f in fields_of(cls) if (key := wire_name(f)) in since and since[key] > base)


def _newer_given(request: Request[Any]) -> list[tuple[str, Version]]:
    cls: Any = type(request)
    found = [(name, since) for name, since in _newer(cls) if getattr(request, name) is not None]
    for words, text in convert.values_of(request, Request.newer_values):
        if (since := _parsed(text)) > OLDEST:
            found.append((words, since))
    return found


@functools.cache
def _parsed(text: str) -> Version:
    return Version.parse(text)


def is_current(request: Request[Any], version: Version | None) -> bool:
    """Return whether the current route takes a request, whatever its server is, as far as a quick look tells."""
    cls: Any = type(request)
    names = _absent_if_current(cls, version)
    if names is None:
        return False
    for name in names:  # noqa: SIM110 - a generator takes three times as long, and each call comes by here
        if getattr(request, name) is not None:
            return False
    return True


@functools.cache
def _absent_if_current(cls: Any, version: Version | None) -> tuple[str, ...] | None:
    """Return the fields that a request to the current route must not have; None if more has to be looked at."""
    spec = cls.endpoint
    is_older = version is not None and version < _parsed(spec.since)
    is_newer = version is not None and spec.until is not None and version >= _parsed(spec.until)
    if is_older or is_newer or cls.newer_values is not Request.newer_values:
        return None
    return tuple(name for name, _ in _newer(cls))


def needs_version(request: Request[Any]) -> bool:
    """Return whether a request has fields or values that only some versions of the server support."""
    return bool(_newer_given(request))


def route_at(request: Request[Any], version: Version | None, error: ApiError | None = None) -> Route | None:
    """Return the route of an endpoint in a server's version; None is the current route.

    Raises NotSupported if that version does not have the endpoint, or a field or value that is given.
    """
    if version is None:
        return None
    spec, name = request.endpoint, type(request).__name__
    if spec.until and version >= _parsed(spec.until):
        raise NotSupported(f"{name} was removed in OpenSearch {spec.until}; this server is {version}") from error
    for field, since in _newer_given(request):
        if version < since:
            raise NotSupported(f"{name}: {field} needs OpenSearch {since}; this server is {version}") from error
    if version >= _parsed(spec.since):
        return None
    if not spec.was or version < OLDEST:
        raise NotSupported(f"{name} needs OpenSearch {spec.since}; this server is {version}") from error
    return spec.was[0]


def is_unknown_route(error: ApiError) -> bool:
    """Return whether an error says that the server does not know the route, so that it has not done anything."""
    return error.reason.startswith(("no handler found for uri", "Incorrect HTTP method for uri"))
