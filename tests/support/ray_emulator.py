"""An emulator in a thread of its own, for the actors of Ray."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import attrs
from anyio.from_thread import BlockingPortal

from aiomlcommons import Session
from aiomlcommons.emulator import Emulator

T = TypeVar("T")


@attrs.frozen
class EmulatorForRay:
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
