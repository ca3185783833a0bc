"""Which function answers which endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from aiomlcommons.endpoint import Request

if TYPE_CHECKING:
    from aiomlcommons.emulator.cluster import Cluster

Handler = Callable[["Cluster", Any], Awaitable[Any]]
H = TypeVar("H", bound=Handler)


@attrs.frozen
class Plain:
    """An answer that is wire data already: predictions are too many numbers to be turned about."""

    data: Any


@attrs.frozen
class Bare:
    """An answer that is not in the form of the others. One that is iterated comes piece by piece."""

    status: int
    body: bytes | AsyncIterable[bytes] = b""
    content_type: str = ""


HANDLERS: dict[type[Request[Any]], Handler] = {}
"""What the emulator answers. An endpoint that is not here is known and not emulated."""


def handles(*endpoints: type[Request[Any]]) -> Callable[[H], H]:
    """Register a function that turns a request into its answer, or raises Refused."""

    def register(handler: H) -> H:
        HANDLERS.update(dict.fromkeys(endpoints, handler))
        return handler

    return register
