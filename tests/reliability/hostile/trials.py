"""Trials of hostile answers: each call ends as promised, in bounded time and memory, and the session works on."""

from __future__ import annotations

import asyncio
import os
import pickle
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import attrs

from aiomlcommons import MLCommonsError, Session, Timeout
from tests.reliability.hostile.kinds import KINDS
from tests.reliability.hostile.writing import MB

LIMITS = (MB // 4, MB, 4 * MB)
"""The values of ``max_response_bytes`` that are tried."""
# Seconds. What drips has to end by the first, everything else long before the second, on a busy machine too.
TOTAL, PATIENCE = 0.3, 60.0
SLOW = frozenset(
    {"drips", "head_drips", "late_head", "late_error", "tiny_chunks", "continues", "comments_only", "upgrade"}
)


async def _get(ml: Session) -> Any:
    return await ml.models.get("m")


async def _search(ml: Session) -> Any:
    return await ml.models.search({"query": {"match_all": {}}})


async def _embed(ml: Session) -> Any:
    return await ml.embed_many("m", ["a", "b"])


async def _stream(ml: Session) -> Any:
    async with ml.models.predict_stream("m", parameters={"inputs": "a"}) as events:
        return [event async for event in events]


_CALLS: Mapping[str, Callable[[Session], Awaitable[Any]]] = {
    "get": _get,
    "search": _search,
    "embed": _embed,
    "stream": _stream,
}


@attrs.frozen
class Outcome:
    """What came of a trial: how it ended, how much more memory the process had at most, in bytes, and how long it took.

    ``loss`` is empty, or says which promise was broken.
    """

    kind: str
    seed: int
    limit: int
    ended: str
    peak: int
    seconds: float
    loss: str = ""

    @property
    def share(self) -> float:
        """The peak as a share of what is allowed."""
        return self.peak / allowed(self.limit)


def allowed(limit: int) -> int:
    """Return how much memory an answer may take: its bytes, its values, the objects made of them, and some buffers."""
    return 10 * limit + 24 * MB


async def trial(ml: Session, name: str, seed: int) -> Outcome:
    """Let the server send an answer of a kind, and judge what comes of it."""
    kind, random = KINDS[name], Random(seed)  # noqa: S311 - a test
    limit, call = random.choice(LIMITS), random.choice(kind.calls)
    timeout = Timeout(connect=PATIENCE, read=PATIENCE, total=TOTAL if name in SLOW else PATIENCE / 2)
    headers = {"x-kind": name, "x-seed": str(seed)}
    view = ml.options(headers=headers, timeout=timeout, retries=0, max_response_bytes=limit)
    before = _forget_peak()
    began = time.perf_counter()
    result: Any = None
    error: Exception | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            result = await _CALLS[call](view)
    except Exception as caught:
        error = caught
    peak, seconds = _peak() - before, time.perf_counter() - began
    loss = _loss(name, error, result) or _weighed(peak, limit)
    return Outcome(name, seed, limit, _named(error), peak, seconds, loss)


def _loss(name: str, error: Exception | None, result: Any) -> str:
    kind = KINDS[name]
    if error is None:
        repr(result)
        return "" if kind.may_pass else f"ended with a result: {result!r:.200}"
    if not isinstance(error, MLCommonsError):
        return f"ended with {error!r:.300}"
    if not isinstance(error, kind.ends):
        return f"ended with {type(error).__name__}: {str(error)[:300]}"
    # What is logged, shown and sent to other processes.
    if len(str(error)) > 10_000 or len(repr(error)) > 20_000:
        return f"its error has {len(str(error))} characters"
    if type(pickle.loads(pickle.dumps(error))) is not type(error):  # noqa: S301 - our own
        return "its error is another one after pickle"
    return ""


def _weighed(peak: int, limit: int) -> str:
    return "" if peak <= allowed(limit) else f"took {peak / MB:.0f} MB, {allowed(limit) / MB:.0f} MB are allowed"


def _named(error: Exception | None) -> str:
    return "result" if error is None else type(error).__name__


@asynccontextmanager
async def session(url: str) -> AsyncIterator[Session]:
    """Open a session, and check at its end that it works, and that nothing of it is left open."""
    async with Session(url, compat="3.8") as ml:
        for _ in range(3):
            await ml.models.get("warm")  # what is imported and opened at the first call is no leak
        files, tasks = _files(), len(asyncio.all_tasks())
        yield ml
        assert await ml.models.get("still"), "the session does not work any more"
        await asyncio.sleep(0)
        assert _files() <= files + 1, "connections are left open"
        assert len(asyncio.all_tasks()) <= tasks, "tasks are left over"


def _files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - which makes no paths


def _forget_peak() -> int:
    """Let the kernel count the peak from now on; return the memory that the process has, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)
