"""What a session, task, job or stream says on another event loop and in a forked process, and that nothing hangs.

``python -m tests.reliability.owners --trials N`` tries each case in turns. After each the session has to work as
before, where it belongs: a forked process shares the sockets, and the epoll, of its parent.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import os
import sys
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs

from aiomlcommons import Session
from aiomlcommons.blocking import Session as BlockingSession
from aiomlcommons.ingest import Documents
from tests.reliability import ledger
from tests.support.forked import HUNG, exits, forked, on_another_loop
from tests.support.threaded_emulator import ThreadedEmulator

FORK = "belongs to the process that this one was forked from: open a session of its own here"
LOOP = "belongs to another event loop: open one session for each loop"
OVER = "belongs to another event loop, which is closed: open one session for each loop"
MODEL = "all-MiniLM-L6-v2"
TEXTS = ["a", "b"] * 100


@attrs.frozen
class Open:
    """A session that is open on the loop that runs, and what was begun with it."""

    ml: Session
    model_id: str
    task_id: str


Case = Callable[[Open], Awaitable[tuple[str, str]]]
"""Returns what was said, and what it has to contain."""


async def _drop(documents: Documents) -> None:
    """Take documents, and keep nothing."""


async def _first(items: Any) -> Any:
    async for item in items:
        return item
    return None


async def call_on_another_loop(at: Open) -> tuple[str, str]:
    return await asyncio.to_thread(on_another_loop, at.ml.info), LOOP


async def embed_on_another_loop(at: Open) -> tuple[str, str]:
    return await asyncio.to_thread(on_another_loop, lambda: at.ml.embed_many(at.model_id, TEXTS)), LOOP


async def view_on_another_loop(at: Open) -> tuple[str, str]:
    return await asyncio.to_thread(on_another_loop, lambda: at.ml.options(retries=0).models.get(at.model_id)), LOOP


async def task_on_another_loop(at: Open) -> tuple[str, str]:
    async def wait() -> Any:
        return await at.ml.task(at.task_id)

    return await asyncio.to_thread(on_another_loop, wait), LOOP


async def search_on_another_loop(at: Open) -> tuple[str, str]:
    return await asyncio.to_thread(on_another_loop, lambda: _first(at.ml.models.search())), LOOP


async def ping_on_another_loop(at: Open) -> tuple[str, str]:
    return await asyncio.to_thread(on_another_loop, at.ml.ping), LOOP


async def closed_on_another_loop(at: Open) -> tuple[str, str]:
    return await asyncio.to_thread(on_another_loop, at.ml.close), LOOP


async def rows_on_another_loop(at: Open) -> tuple[str, str]:
    async with at.ml.embed(at.model_id, TEXTS, batch=1, concurrency=1) as embedded:
        return await asyncio.to_thread(on_another_loop, lambda: _first(embedded)), LOOP


async def job_on_another_loop(at: Open) -> tuple[str, str]:
    async with at.ml.ingest(TEXTS, model=at.model_id, sink=_drop) as job:
        said = await asyncio.to_thread(on_another_loop, lambda: _awaited(job))
        assert (await job).written == len(TEXTS)
    return said, LOOP


def _collected(what: Any) -> str:
    vars(what).clear()
    gc.collect()
    return "collected"


async def _awaited(what: Awaitable[Any]) -> Any:
    return await what


async def call_in_a_fork(at: Open) -> tuple[str, str]:
    return forked(lambda: asyncio.run(_awaited(at.ml.info()))), FORK


async def call_on_the_inherited_loop(at: Open) -> tuple[str, str]:
    coroutine = at.ml.info()

    def step() -> Any:
        coroutine.send(None)

    said = forked(step)
    coroutine.close()
    return said, FORK


async def closed_in_a_fork(at: Open) -> tuple[str, str]:
    return forked(lambda: asyncio.run(at.ml.close())), "None"


async def collected_in_a_fork(at: Open) -> tuple[str, str]:
    return forked(lambda: _collected(at.ml)), "collected"


async def job_in_a_fork(at: Open) -> tuple[str, str]:
    async with at.ml.ingest(TEXTS, model=at.model_id, sink=_drop) as job:
        said = forked(lambda: asyncio.run(_awaited(job)))
        assert (await job).written == len(TEXTS)
    return said, FORK


async def new_session_in_a_fork(at: Open) -> tuple[str, str]:
    async def version() -> str:
        async with Session(at.ml.url) as ml:
            return (await ml.info()).version.number

    return forked(lambda: asyncio.run(version())), "3."


async def process_of_multiprocessing(at: Open) -> tuple[str, str]:
    context = multiprocessing.get_context("fork")
    said = context.SimpleQueue()

    def work() -> None:
        said.put(_said(lambda: asyncio.run(_awaited(at.ml.info()))))

    process = context.Process(target=work)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    await asyncio.to_thread(process.join)
    words = said.get()
    said.close()
    process.close()
    return words, FORK


def _said(work: Callable[[], Any]) -> str:
    try:
        return repr(work())
    except Exception as error:
        return str(error)


def _in_blocking(work: Callable[[BlockingSession], str], wanted: str) -> Case:
    async def case(at: Open) -> tuple[str, str]:
        def run() -> str:
            with BlockingSession(at.ml.url) as ml:
                assert ml.ping()
                said = work(ml)
                assert ml.ping(), "the session of the parent works no more"
            return said

        return await asyncio.to_thread(run), wanted

    return case


def _closed_twice(ml: BlockingSession) -> str:
    ml.close()
    ml.close()
    return "closed"


def _left(ml: BlockingSession) -> str:
    def leave() -> None:
        with ml:
            pass
        os._exit(7)

    return exits(leave)


def _job(ml: BlockingSession) -> str:
    model_id = ml.models.ensure(MODEL).model_id
    with ml.ingest(TEXTS, model=model_id, sink=_drop) as job:
        said = forked(job.result)
        assert job.result().written == len(TEXTS)
    return said


BLOCKING: Mapping[str, Case] = {
    "a call of a blocking session": _in_blocking(lambda ml: forked(ml.info), FORK),
    "an iteration of a blocking session": _in_blocking(lambda ml: forked(lambda: list(ml.models.search())), FORK),
    "the result of a blocking job": _in_blocking(_job, FORK),
    "closing a blocking session": _in_blocking(lambda ml: forked(lambda: _closed_twice(ml)), "closed"),
    "leaving the block of a blocking session": _in_blocking(_left, "7"),
    "collecting a blocking session": _in_blocking(lambda ml: forked(lambda: _collected(ml)), "collected"),
    "ending a program with a blocking session": _in_blocking(lambda ml: _ended(), "0"),
}


def _ended() -> str:
    # As a program ends: what is registered to run at the end runs, and everything is collected.
    import atexit

    def leave() -> None:
        atexit._run_exitfuncs()
        gc.collect()
        os._exit(0)

    return exits(leave)


LOOPS: Mapping[str, Case] = {
    "a call": call_on_another_loop,
    "embeddings": embed_on_another_loop,
    "a view": view_on_another_loop,
    "waiting for a task": task_on_another_loop,
    "a search": search_on_another_loop,
    "a ping": ping_on_another_loop,
    "closing": closed_on_another_loop,
    "streamed rows": rows_on_another_loop,
    "waiting for a job": job_on_another_loop,
}
FORKS: Mapping[str, Case] = {
    "a call": call_in_a_fork,
    "a call on the inherited loop": call_on_the_inherited_loop,
    "closing": closed_in_a_fork,
    "collecting": collected_in_a_fork,
    "waiting for a job": job_in_a_fork,
    "a process of multiprocessing": process_of_multiprocessing,
    "a session of its own": new_session_in_a_fork,
    **BLOCKING,
}


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Open]:
    """Open a session with a deployed model."""
    async with Session(url) as ml:
        await ml.settings.allow_first_model()
        model_id = (await ml.models.ensure(MODEL)).model_id
        task_id = (await ml.models.deploy(model_id)).task_id
        assert task_id
        yield Open(ml, model_id, task_id)


async def trial(case: Case, at: Open) -> str:
    """Try a case, and return what is wrong; empty if nothing is."""
    said, wanted = await case(at)
    if said == HUNG or wanted not in said:
        return f"it says {said!r}, not {wanted!r}"
    async with asyncio.timeout(20):
        if not await at.ml.ping():
            return "the session does not work any more, where it belongs"
    return ""


PROMISES = {
    "another event loop": (
        "SessionClosed says to open one session for each loop; nothing hangs, and the session works on"
    ),
    "a forked process": (
        "SessionClosed says to open a session there; closing, collecting and ending there touch no connection of the "
        "parent, whose session works on"
    ),
}


async def _run(url: str, trials: int) -> list[ledger.Trials]:
    rows = []
    async with opened(url) as at:
        for fault, cases in (("another event loop", LOOPS), ("a forked process", FORKS)):
            losses, each = 0, list(cases.items())
            for number in range(trials):
                name, case = each[number % len(each)]
                if wrong := await trial(case, at):
                    print(f"{fault}, {name}: {wrong}", flush=True)
                    losses += 1
            rows.append(
                ledger.Trials(
                    group="processes and event loops",
                    fault=f"used on {fault}" if "loop" in fault else f"used in {fault}",
                    promise=PROMISES[fault],
                    test="tests/reliability/test_owners.py",
                    against="emulator",
                    trials=trials,
                    losses=losses,
                )
            )
    return rows


def main() -> None:
    """Try the cases, and print or write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50, help="of each of the two kinds")
    parser.add_argument("--write", action="store_true", help="write the rows of docs/reliability.md")
    options = parser.parse_args()
    served = ThreadedEmulator()
    try:
        rows = asyncio.run(_run(served.url, options.trials))
    finally:
        served.close()
    for row in rows:
        print(f"{row.fault}: {row.trials:,} trials, {row.losses} losses")
    if options.write:
        ledger.write("owners", f"python -m tests.reliability.owners --trials {options.trials} --write", rows)
    sys.exit(any(row.losses for row in rows))


if __name__ == "__main__":
    main()
