"""What a program sees that records spans: ``python -m tests.spans`` prints two retries, ``embed_many``, and a job.

With ``--costs`` it measures what a call costs without, with the API only, and recorded (see benchmarks/tracing.py).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from tempfile import TemporaryDirectory

from aiomlcommons import Backoff, Session, emulator
from aiomlcommons.api.models import GetModel
from aiomlcommons.emulator import Emulator
from aiomlcommons.ingest import IndexSink
from benchmarks.tracing import in_turns, report
from tests.support.emulated_models import NOW, deployed
from tests.support.telemetry import Recorded, recorded

Shown = Mapping[str, Recorded]


async def _model(ml: Session) -> str:
    await ml.settings.allow_first_model()
    return await deployed(ml)


async def _call_with_two_retries() -> Recorded:
    emulated = Emulator()
    async with emulated.serve() as url, Session(url, backoff=Backoff(first=0.01, jitter=0)) as ml:
        model_id = await _model(ml)
        emulated.faults.fail(503, on=GetModel, times=2)
        with recorded() as found:
            await ml.models.get(model_id)
    return found


async def _embed_many() -> Recorded:
    async with emulator.serve() as url, Session(url) as ml:
        model_id = await _model(ml)
        with recorded() as found:
            await ml.embed_many(model_id, ["a soft answer", "turneth away wrath"])
    return found


async def _job() -> Recorded:
    async with emulator.serve() as url, Session(url) as ml:
        model_id = await _model(ml)
        rows = [{"id": number, "text": f"text {number}"} for number in range(100)]
        rows.append({"id": 100})
        sink = IndexSink(ml, "verses", create=True)
        with recorded() as found, TemporaryDirectory() as folder:
            dead_letters = f"{folder}/dead.jsonl"
            async with ml.ingest(rows, model=model_id, sink=sink, dead_letters=dead_letters, backoff=NOW) as job:
                await job
    return found


async def scenes() -> Shown:
    """Return what was recorded of each scene."""
    return {
        "a call with two retries": await _call_with_two_retries(),
        "embed_many": await _embed_many(),
        "a job of 101 documents, one of them without a text": await _job(),
    }


def page(shown: Shown) -> Iterator[str]:
    """Yield the lines that are printed."""
    for title, found in shown.items():
        yield f"== {title}"
        yield from found.shown()
        yield ""


if __name__ == "__main__":
    print("\n".join(page(asyncio.run(scenes()))))
    if "--costs" in sys.argv:
        report(in_turns(5, 2000))
