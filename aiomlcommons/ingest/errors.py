"""Every error of bulk jobs, beside those of the calls that a job makes (errors.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiomlcommons.errors import MLCommonsError

_MOST_NAMED = 10


class SourceError(MLCommonsError):
    """A source that cannot be read on: it names the place."""


class SinkError(MLCommonsError):
    """A sink that cannot be opened or written on: the message names it and says why."""


class WrongJob(MLCommonsError):
    """The checkpoint is that of another job: the message names what differs."""


class SeenError(MLCommonsError):
    """The file of the ids that a job has met cannot be used: the message names it and the remedy."""


class JobUnderWay(SeenError):
    """The job is under way already, in this process or another one."""


class CacheError(MLCommonsError):
    """The cache cannot be read or written: the message names the file and the remedy."""


class ModelFails(MLCommonsError):
    """The model fails on a document alone and on a harmless text too, so the document is not given up."""


class JobStalled(MLCommonsError):
    """Nothing was answered for longer than the job's patience; what was done is kept, the same call goes on."""


class JobStopped(MLCommonsError):
    """The job's context was left before its end; what was done is kept, the same call goes on."""


class RowsLost(MLCommonsError):
    """The accounts of a job do not balance: a document was lost, which is a mistake of this package."""


class RowsFailed(MLCommonsError):
    """Rows of a batch have no vectors: ``rows`` counts from 0 in the batch, ``ids`` are their ids if a column has them.

    ``why`` is the reason of the first one.
    """

    def __init__(self, rows: Sequence[int], ids: Sequence[str], why: str) -> None:
        self.rows, self.ids, self.why = list(rows), list(ids) if any(ids) else [], why
        known = f" (id{_s(ids)} {_list(ids)})" if self.ids else ""
        super().__init__(f"row{_s(rows)} {_list(rows)}{known} of the batch failed: {why}")

    def __reduce__(self) -> Any:
        return type(self), (self.rows, self.ids, self.why)


def _list(values: Sequence[Any]) -> str:
    more = f" and {len(values) - _MOST_NAMED} more" if len(values) > _MOST_NAMED else ""
    return ", ".join(map(repr, values[:_MOST_NAMED])) + more


def _s(values: Sequence[Any]) -> str:
    return "" if len(values) == 1 else "s"
