"""The errors of bulk jobs; those of the requests that a job sends are in ``aiomlcommons.errors``."""

from __future__ import annotations

from aiomlcommons.errors import MLCommonsError


class SourceError(MLCommonsError):
    """A source cannot be read, or not resumed at a position; the message names the file or index and the place."""


class SinkError(MLCommonsError):
    """A sink cannot be opened, resumed or written to; the message names it and the reason."""


class WrongJob(MLCommonsError):
    """The checkpoint belongs to another job, or is damaged; the message names what differs."""


class SeenError(MLCommonsError):
    """The file of seen ids cannot be used; the message names it and the remedy."""


class JobUnderWay(SeenError):
    """The job is running already, in this process or another one, which holds its lock."""


class CacheError(MLCommonsError):
    """The cache of vectors cannot be read or written; the message names the file and the remedy."""


class BadVector(MLCommonsError):
    """A text's vector is of another dimension than those of the model, or empty; the message names both dimensions."""


class TooManyFailures(MLCommonsError):
    """More documents failed than ``max_failures`` allows; the message has the most frequent reason."""


class ModelFails(MLCommonsError):
    """The model fails on a harmless text too, or the dimension of its vectors has changed: no document is to blame."""


class JobStalled(MLCommonsError):
    """The server sent no response for ``stall_timeout`` seconds; with a checkpoint the same call resumes the job."""


class JobStopped(MLCommonsError):
    """The job's context was left before its end; with a checkpoint the same call resumes the job."""


class RowsLost(MLCommonsError):
    """The counters of a job do not balance: a row was lost, which is a bug in this package."""
