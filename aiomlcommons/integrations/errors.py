"""Every error of the integrations, beside those of the calls and jobs that they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.spelling import some_of


class RowsFailed(MLCommonsError):
    """Rows of a batch, of Ray or Spark, could not be embedded or indexed; the message names them.

    ``rows`` are their numbers in the batch, from 0, ``ids`` their ids if there is an id column, and ``why`` is the
    reason of the first one.
    """

    def __init__(self, rows: Sequence[int], ids: Sequence[str], why: str) -> None:
        self.rows, self.ids, self.why = list(rows), list(ids) if any(ids) else [], why
        known = f" (id{_s(ids)} {_list(ids)})" if self.ids else ""
        super().__init__(f"row{_s(rows)} {_list(rows)}{known} of the batch failed: {why}")

    @classmethod
    def of(cls, reasons: Mapping[int, str], ids: Sequence[str] = ()) -> RowsFailed:
        """Return the error of rows with a reason each; ``ids`` are those of the whole batch."""
        rows = sorted(reasons)
        return cls(rows, [ids[row] for row in rows] if ids else [], reasons[rows[0]])

    def __reduce__(self) -> Any:
        return type(self), (self.rows, self.ids, self.why)


def _list(values: Sequence[Any]) -> str:
    return some_of(map(repr, values), _MOST_NAMED)


def _s(values: Sequence[Any]) -> str:
    return "" if len(values) == 1 else "s"


_MOST_NAMED = 10
