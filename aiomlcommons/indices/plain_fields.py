"""The fields of an index beside that of the vectors: texts and ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs


@attrs.frozen
class PlainField:
    """A field of a type, with parameters: ``PlainField("text", {"analyzer": "english"})``."""

    type: str
    parameters: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that an index with such a field needs: none."""
        return {}

    def mapping(self, _: Mapping[str, Any], /) -> dict[str, Any]:
        """Return the mapping of the field."""
        return {"type": self.type, **self.parameters}

    def differing(self, found: Mapping[str, Any]) -> Iterator[str]:
        """Yield how the mapping of a field of this type differs."""
        for name, asked in self.parameters.items():
            if found.get(name) != asked:
                yield f"has the {name} {found.get(name, 'of the server')}, not {asked}"


KEYWORD = PlainField("keyword")
