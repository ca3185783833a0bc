"""An emulator with deployed models, served in a thread of its own: the tests here are not async, as Ray is not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

import attrs
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from aiomlcommons import Backoff, Session
from aiomlcommons.emulator import Emulator
from tests.opensearch.fixture import opensearch_home, opensearch_url, pytest_collection_modifyitems, pytest_configure

__all__ = ["opensearch_home", "opensearch_url", "pytest_collection_modifyitems", "pytest_configure"]

T = TypeVar("T")
DENSE, SPARSE = "all-MiniLM-L6-v2", "opensearch-neural-sparse-encoding-doc-v3-distill"


@attrs.frozen
class World:
    """An emulator at ``url``, with a dense and a sparse model; what it holds lives in the portal's thread."""

    portal: BlockingPortal
    emulator: Emulator
    url: str
    dense: str
    sparse: str

    def ask(self, what: Callable[[Session], Awaitable[T]]) -> T:
        """What a session answers, without Ray and without Embed."""

        async def asked() -> T:
            async with Session(self.url) as ml:
                return await what(ml)

        return self.portal.call(asked)

    def vectors(self, texts: Sequence[str]) -> Any:
        return self.ask(lambda ml: ml.embed_many(self.dense, texts))

    def weights(self, texts: Sequence[str]) -> Any:
        return self.ask(lambda ml: ml.sparse(self.sparse, texts))


@pytest.fixture
def world() -> Iterator[World]:
    emulator = Emulator()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(emulator.serve()) as url:
        yield World(portal, emulator, url, *portal.call(_deployed, url))


async def _deployed(url: str) -> list[str]:
    async with Session(url) as ml:
        await ml.settings.allow_first_model()
        return [(await ml.models.ensure(name, backoff=Backoff(first=0, cap=0))).model_id for name in (DENSE, SPARSE)]
