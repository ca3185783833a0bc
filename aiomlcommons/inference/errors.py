"""The error of a batch of texts."""

from __future__ import annotations

from typing import Any

from aiomlcommons.errors import DecodeError, MLCommonsError, words_of


class BatchFailed(MLCommonsError):
    """A batch of ``ml.embed`` failed: ``rows`` are its rows, ``start`` is the number of the first, counted from 0.

    ``cause`` is the error, which is ``__cause__`` too. ``row`` is the number of the row that is at fault, if known.
    """

    def __init__(self, index: int, start: int, rows: list[Any], cause: BaseException) -> None:
        self.index, self.start, self.rows, self.cause = index, start, rows, cause
        position = cause.index if isinstance(cause, DecodeError) else None
        self.row = None if position is None else start + position
        where = f"rows {start} to {start + len(rows) - 1}" if rows else f"reading rows from row {start} on"
        where += "" if self.row is None else f", because of row {self.row}"
        super().__init__(f"batch {index} ({where}) failed: {type(cause).__name__}: {words_of(cause)}")
        if isinstance(cause, MLCommonsError):
            self.opaque_id, self.attempts = cause.opaque_id, cause.attempts

    def __reduce__(self) -> Any:
        return type(self), (self.index, self.start, self.rows, self.cause)
