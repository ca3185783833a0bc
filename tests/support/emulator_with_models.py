"""An emulator with models, in a thread of its own: for actors of Ray, tasks of Spark, and components of frameworks."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs
from anyio.from_thread import BlockingPortal, start_blocking_portal

from aiomlcommons import Backoff, Session
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.errors import refused
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.emulator.pool import CallNext

T = TypeVar("T")
CROSS_ENCODER = "ms-marco-MiniLM-L-6-v2"
DENSE, SPARSE = "all-MiniLM-L6-v2", "opensearch-neural-sparse-encoding-doc-v3-distill"


@contextmanager
def emulator_with_models() -> Iterator[EmulatorWithModels]:
    """Serve an emulator with deployed models."""
    emulator = Emulator()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(emulator.serve()) as url:
        yield EmulatorWithModels(portal, emulator, url, *portal.call(_deployed, url))


async def _deployed(url: str) -> list[str]:
    async with Session(url) as ml:
        await ml.settings.allow_first_model()
        return [(await ml.models.ensure(name, backoff=Backoff(first=0, cap=0))).model_id for name in (DENSE, SPARSE)]


@attrs.frozen
class EmulatorWithModels:
    """An emulator at ``url`` with a dense and a sparse model; its event loop runs in the portal's thread."""

    portal: BlockingPortal
    emulator: Emulator
    url: str
    dense: str
    sparse: str

    def ask(self, what: Callable[[Session], Awaitable[T]]) -> T:
        """Return the embeddings of a session, without Ray and Embed."""

        async def asked() -> T:
            async with Session(self.url) as ml:
                return await what(ml)

        return self.portal.call(asked)

    def poison(self, words: str) -> None:
        """Have the model fail on each text with these words."""

        async def fail(request: Any, go: CallNext) -> Any:
            if words.encode() in await request.read():
                raise refused(500, "translate_exception", "the text cannot be translated")
            return await go()

        self.emulator.faults.add(fail, on=PREDICTIONS, times=None)

    def vectors(self, texts: Sequence[str]) -> Any:
        return self.ask(lambda ml: ml.embed_many(self.dense, texts))

    def weights(self, texts: Sequence[str]) -> Any:
        return self.ask(lambda ml: ml.sparse(self.sparse, texts))


def sessions() -> int:
    """Return how many sessions are open in threads of their own."""
    return sum(thread.name == "aiomlcommons" for thread in threading.enumerate())
