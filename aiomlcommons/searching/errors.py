"""The errors of searches; those of the requests that a search sends are in ``aiomlcommons.errors``."""

from __future__ import annotations

from typing import Any

from aiomlcommons.api.common import Hit
from aiomlcommons.errors import MLCommonsError


class NotSearchable(MLCommonsError):
    """An index, a field, a model or a cluster does not fit the search; the message says why, and the remedy."""


class WrongDocument(MLCommonsError):
    """A document that is not of the class that a search reads into; the message has the path of what differs.

    ``hit`` is the hit, with the document as a dict.
    """

    def __init__(self, message: str, hit: Hit[dict[str, Any]]) -> None:
        super().__init__(message)
        self.hit = hit

    def __reduce__(self) -> Any:
        return type(self), (*self.args, self.hit)
