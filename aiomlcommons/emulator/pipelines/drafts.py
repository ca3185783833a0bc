"""Documents on their way into an index, and the processors that they go through."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused
from aiomlcommons.emulator.pipelines.options import Options
from aiomlcommons.emulator.querying.scope import Field


@attrs.define
class Draft:
    """A document that is not in its index yet; ``fields`` are those of the index, ``stored`` what it has under the id.

    A processor changes ``source``, or leaves an ``error``: then the draft goes no further. ``failed_at`` orders the
    failures of drafts by when they came.
    """

    index: str
    key: str | None
    source: dict[str, Any]
    fields: Mapping[str, Field] = attrs.field(factory=dict)
    stored: Mapping[str, Any] | None = None
    error: Refused | None = None
    failed_at: int = 0
    routing: str | None = None

    def fail(self, error: Refused) -> None:
        """Note an error, unless there is one, and that it came now."""
        self.error, self.failed_at = self.error or error, next(MOMENTS)


MOMENTS = itertools.count(1)

Work = Callable[[Cluster, Sequence[Draft]], Awaitable[None]]
"""What a processor does to some drafts; what it raises is the error of each of them."""


@attrs.frozen
class Processor:
    """A processor: its type, its work, and how many drafts it takes at once."""

    kind: str
    work: Work
    batch_size: int = 1
    tag: str | None = None
    description: str | None = None
    ignores_failure: bool = False
    on_failure: Sequence[Processor] = ()


Maker = Callable[[Options], Work]
M = TypeVar("M", bound=Maker)
MAKERS: dict[str, Maker] = {}
"""By the type of a processor, what makes its work of its configuration."""

BATCHING = {"text_embedding", "sparse_encoding"}
"""The types whose ``batch_size`` counts."""


def makes(kind: str) -> Callable[[M], M]:
    """Register what makes the work of a type of processors."""

    def register(maker: M) -> M:
        MAKERS[kind] = maker
        return maker

    return register
