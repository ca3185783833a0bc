"""Scenes in which the package has something to tell: their lines are those of docs/logging.md.

    python -m tests.support.logged_scenes

prints what the page may quote.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

from aiomlcommons import Backoff, PretrainedModel, Session, show_logs
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.faults import PREDICTIONS

MODEL = PretrainedModel(name="huggingface/sentence-transformers/all-MiniLM-L6-v2")
PACE = Backoff(first=0.01, cap=0.02)


async def retries(emulator: Emulator, ml: Session, model_id: str) -> None:
    """Have a call refused twice."""
    emulator.faults.throttle(times=2, on=PREDICTIONS)
    await ml.embed_many(model_id, ["a text"])


async def a_deadline(emulator: Emulator, ml: Session, model_id: str) -> None:
    """Have a deadline end a call that is refused for ever."""
    emulator.faults.throttle(times=None, retry_after=30, on=PREDICTIONS)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await ml.embed_many(model_id, ["a text"])


async def a_node_that_is_gone(emulator: Emulator, ml: Session, model_id: str) -> None:
    """Have one of two nodes gone."""
    urls = [ml.url, "http://127.0.0.1:1"]  # a port that nothing listens at
    async with Session(urls, backoff=PACE) as two:
        for _ in range(2):
            await two.info()


async def refusals(emulator: Emulator, ml: Session, model_id: str) -> None:
    """Have many calls refused for a while."""
    emulator.faults.throttle(times=120, on=PREDICTIONS)
    view = ml.options(retries=50)
    await asyncio.gather(*(view.embed_many(model_id, [f"text {n}"]) for n in range(20)))


async def a_job(emulator: Emulator, ml: Session, model_id: str) -> None:
    """Run a job with faulty documents, through throttling and the loss of the model."""

    async def rows() -> AsyncGenerator[dict[str, str]]:
        for number in range(900):
            if number == 600:
                await ml.models.undeploy(model_id)
            yield {"id": f"doc-{number}", "text": "" if number % 300 == 7 else f"text {number}"}

    with tempfile.TemporaryDirectory() as folder:
        emulator.faults.throttle(times=25, on=PREDICTIONS)
        out = Path(folder) / "vectors.jsonl"
        async with ml.ingest(rows(), model=model_id, sink=out, batch=16, backoff=PACE) as job:
            await job


async def a_call(emulator: Emulator, ml: Session, model_id: str) -> None:
    """Send one call, with all that is told at DEBUG."""
    logging.getLogger("aiomlcommons").setLevel(logging.DEBUG)
    await ml.embed_many(model_id, ["a text"])


SCENES: Sequence[Callable[[Emulator, Session, str], Awaitable[None]]] = (
    retries,
    a_deadline,
    a_node_that_is_gone,
    refusals,
    a_job,
    a_call,
)


async def all_scenes() -> None:
    """Run each scene on an emulator of its own."""
    for scene in SCENES:
        emulator = Emulator()
        async with emulator.serve() as url, Session(url, backoff=PACE) as ml:
            model = await ml.models.ensure(MODEL, change_settings=True)
            await scene(emulator, ml, model.model_id)


if __name__ == "__main__":
    show_logs()
    asyncio.run(all_scenes())
