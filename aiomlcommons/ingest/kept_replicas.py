"""Replicas that a killed run of a job left off: the job that resumes knows them, and so does one that cannot begin."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from aiomlcommons.ingest.errors import JobUnderWay, WrongJob
from aiomlcommons.ingest.sinks import IndexSink
from aiomlcommons.ingest.state.checkpoint import CheckpointFile

if TYPE_CHECKING:
    from aiomlcommons.client import Client


@asynccontextmanager
async def replicas_kept(ml: Client, sink: Any, checkpoint: str | PathLike[str] | None) -> AsyncGenerator[None]:
    """Tell an index sink of replicas that the checkpoint knows, also if it is to be dropped or is of another job.

    If the context fails, they are put back, for the job may never have come to its sink.
    """
    if not isinstance(sink, IndexSink) or checkpoint is None:
        yield
        return
    sink.replicas.learn(await anyio.to_thread.run_sync(_state, checkpoint))
    try:
        yield
    except JobUnderWay:
        raise  # another process is loading the index, and puts them back itself
    except BaseException:
        with anyio.CancelScope(shield=True):
            await sink.replicas.put_back(ml, must=False)
        raise


def _state(checkpoint: str | PathLike[str]) -> Any:
    """Return the last state of the sink in a checkpoint; None if there is none that can be read. It blocks."""
    try:
        found = CheckpointFile.peek(checkpoint)
    except (OSError, WrongJob):
        return None  # as whoever opens it says
    return None if found is None else (found[1].sink or {}).get("state")
