"""What a soak does all the time: calls, streams, tasks and jobs, each of which knows its right result."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import anyio
import attrs
import numpy as np

from aiomlcommons import MLCommonsError, Session
from tests.reliability.soak_world import TEXTS, World
from tests.support import model_server

# Seconds after which an operation that has not ended is a loss: several times what its limits allow. What is resumed or
# waits for a task goes through several faults.
BOUND, BOUNDS = 60.0, {"tasks": 300.0, "jobs": 600.0, "job processes": 600.0}
OPENAI = {"prompt": "hello", "_llm_interface": "openai/v1/chat/completions"}
SAID = [f"{word} " for word in model_server.PROVERB.split()]
SMALL = "multi-qa-MiniLM-L6-cos-v1"


class WrongError(Exception):
    """A result is wrong, or documents are lost: what no fault excuses."""


@attrs.define
class Tally:
    """What became of the operations of a soak: ``done`` by name, ``failed`` by name and error, and what is wrong."""

    done: Counter[str] = attrs.field(factory=Counter)
    failed: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    wrong: list[str] = attrs.field(factory=list)

    def failures(self, names: Sequence[str]) -> int:
        """Return how many operations of these names failed."""
        return sum(count for (name, _), count in self.failed.items() if name in names)


@attrs.define
class Load:
    """The operations of a soak on a session."""

    ml: Session
    world: World
    tally: Tally
    chance: random.Random

    async def call(self) -> None:
        """Embed a text; of thirteen calls one is cancelled."""
        at = self.chance.randrange(len(TEXTS))
        call = asyncio.ensure_future(self.ml.embed_one(self.world.model_id, TEXTS[at]))
        if self.chance.random() < 1 / 13:
            await asyncio.sleep(self.chance.random() / 50)
            call.cancel()
            await asyncio.wait([call])
            if not call.cancelled():
                call.exception()
            self.tally.done["calls that were cancelled"] += 1
            return
        self._same(await call, at, "a call")
        await asyncio.sleep(0.05)

    async def batch(self) -> None:
        """Embed many texts."""
        first = self.chance.randrange(len(TEXTS) - 100)
        got = await self.ml.embed_many(self.world.model_id, TEXTS[first : first + 100])
        self._same(got, slice(first, first + 100), "a batch")
        await asyncio.sleep(0.3)

    async def stream(self) -> None:
        """Read a stream to its end, or break it off."""
        got = []
        broken_off = self.chance.random() < 0.2
        async with self.ml.models.predict_stream(self.world.chat_id, parameters=OPENAI) as events:
            async for event in events:
                got.append(event.content)
                if broken_off:
                    break
        if got[:-1] != SAID and not (broken_off and got == SAID[:1]):
            raise WrongError(f"a stream said {got}")
        await asyncio.sleep(0.1)

    async def task(self) -> None:
        """Register and deploy a model, wait for its task, and remove it."""
        model = await self.ml.models.ensure(SMALL, stall_timeout=20)
        await self.ml.models.undeploy(model.model_id)
        await self.ml.task(await self.ml.models.deploy(model.model_id), stall_timeout=20)
        await self.ml.models.remove(model.model_id)
        await asyncio.sleep(0.5)

    async def page(self) -> None:
        """Search the models, page by page."""
        found = [hit.id async for hit in self.ml.models.search({"query": {"match_all": {}}})]
        if self.world.model_id not in found or len(found) != len(set(found)):
            raise WrongError(f"a search found {found}")
        await asyncio.sleep(0.2)

    def _same(self, got: object, at: int | slice, what: str) -> None:
        if not np.allclose(got, self.world.vectors[at], atol=1e-5):  # type: ignore[arg-type]
            raise WrongError(f"{what} returned other vectors")


async def forever(tally: Tally, name: str, once: Callable[[], Awaitable[None]], over: anyio.Event) -> None:
    """Do an operation again and again; an error of the package is counted, anything else is wrong."""
    while not over.is_set():
        try:
            with anyio.fail_after(BOUNDS.get(name, BOUND)):
                await once()
            tally.done[name] += 1
        except MLCommonsError as error:
            tally.failed[name, type(error).__name__] += 1
            await asyncio.sleep(0.05)
        except Exception as error:
            tally.wrong.append(f"{name}: {error!r:.300}")
