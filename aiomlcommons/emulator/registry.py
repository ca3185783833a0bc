"""The registry of handlers: which function handles which endpoint."""

from __future__ import annotations

import pkgutil
from collections.abc import AsyncIterable, Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from aiomlcommons.api.endpoints import ENDPOINTS
from aiomlcommons.endpoint import Request

if TYPE_CHECKING:
    from aiomlcommons.emulator.cluster import Cluster

Handler = Callable[["Cluster", Any], Awaitable[Any]]
H = TypeVar("H", bound=Handler)


@attrs.frozen
class Plain:
    """A response that is already wire data: predictions hold too many numbers to convert."""

    data: Any
    status: int = 200


@attrs.frozen
class Bare:
    """A response that is not in the usual format. An iterable body is streamed piece by piece."""

    status: int
    body: bytes | AsyncIterable[bytes] = b""
    content_type: str = ""


HANDLERS: dict[type[Request[Any]], Handler] = {}
"""The handlers by endpoint. An endpoint that is not here is answered with 501."""


def handles(*endpoints: type[Request[Any]]) -> Callable[[H], H]:
    """Register a handler: a function that turns a request into its response, or raises Refused."""

    def register(handler: H) -> H:
        HANDLERS.update(dict.fromkeys(endpoints, handler))
        return handler

    return register


def answered() -> list[type[Request[Any]]]:
    """Return the endpoints that handlers answer, or else 501: those of ML Commons, and others that have a handler.

    Most routes of indices and pipelines stand in ``ROUTES`` of ``routes.py``, as wire data is what matters there.
    """
    return [one for one in ENDPOINTS if one in HANDLERS or one.endpoint.route.path.startswith("/_plugins/_ml/")]


def load_handlers() -> None:
    """Import every module in the subpackages of the emulator, so that each registers its handlers.

    A new handler needs no list: it is found where its module is, in ``agents``, ``models`` or another subpackage.
    """
    for package in pkgutil.iter_modules([str(Path(__file__).parent)], f"{__package__}."):
        if package.ispkg:
            for module in pkgutil.walk_packages(import_module(package.name).__path__, f"{package.name}."):
                import_module(module.name)
