"""The field of an index that holds the vectors of lists of texts, such as the chunks that a pipeline makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from aiomlcommons.indices.vector_field import VectorField


@attrs.frozen
class ListedVectors:
    """Nested objects, one for each text, which hold their ``vectors`` under a name."""

    name: str
    vectors: VectorField
    type: str = attrs.field(init=False, default="nested")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that an index with such a field needs."""
        return self.vectors.settings

    def mapping(self, given: Mapping[str, Any], /) -> dict[str, Any]:
        """Return the mapping of the field; ``given`` is what the caller's own body says of it, and is added later."""
        return {"type": self.type, "properties": {self.name: self.vectors.mapping(self._inner(given))}}

    def differing(self, found: Mapping[str, Any]) -> Iterator[str]:
        """Yield how the mapping of a field of this type differs."""
        inner = self._inner(found)
        if inner.get("type") == self.vectors.type:
            yield from self.vectors.differing(inner)
        else:
            yield f"has {self.name!r} of type {inner.get('type')}, and these vectors need {self.vectors.type}"

    def _inner(self, mapping: Mapping[str, Any]) -> Mapping[str, Any]:
        found = (mapping.get("properties") or {}).get(self.name)
        return found if isinstance(found, Mapping) else {}
