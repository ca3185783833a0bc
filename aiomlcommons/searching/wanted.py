"""What the caller of ``ml.search_text`` wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

K = 100
"""The nearest vectors of each shard that are looked for, unless ``k`` or a larger ``size`` says otherwise."""


@attrs.frozen
class Wanted:
    """The arguments of ``ml.search_text``; None is left to choose."""

    index: str
    text: str
    model: str | None = None
    field: str | None = None
    text_field: str | None = None
    hybrid: bool | None = None
    k: int | None = None
    size: int = 10
    filter: Mapping[str, Any] | None = None
    source: Any = None
    search_pipeline: str | Mapping[str, Any] | None = None
    body: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def nearest(self) -> int:
        """The vectors of each shard to look for."""
        return self.k or max(self.size, K)
