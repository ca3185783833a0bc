"""The processes of a soak: a cluster, three nodes before it, and what is known of its model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import attrs
import numpy as np
import numpy.typing as npt

from aiomlcommons import MLCommonsError, Session
from aiomlcommons.api.settings import MLSettings
from tests.reliability.soak_cluster import CONTROL
from tests.support.contract.chat import chat_model
from tests.support.emulated_models import ALLOWED
from tests.support.front_node import Node, nodes

MODEL = "all-MiniLM-L6-v2"
NODES = 3
# Different texts, each with its vector.
TEXTS = [f"verse {number} of a long song" for number in range(400)]
Vectors = npt.NDArray[np.float32]


@attrs.define
class ClusterProcess(Node):
    """The process of the cluster: it can be killed, stopped, and started again with the state of its folder."""

    folder: Path = attrs.field(kw_only=True)
    provider: int = 0

    def start(self, *, refusing: bool = False) -> None:
        """Start it, and wait until it listens."""
        assert not refusing
        words = ("-m", "tests.reliability.soak_cluster", str(self.folder), str(self.port), str(self.provider))
        self.process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE)  # noqa: S603 - our own module
        assert self.process.stdout is not None
        self.provider = int(self.process.stdout.readline())
        self.port = int(self.process.stdout.readline().decode().rpartition(":")[2])


@attrs.frozen
class World:
    """A cluster, its nodes, the ids of its models, and the vectors of the texts."""

    cluster: ClusterProcess
    nodes: list[Node]
    model_id: str
    chat_id: str
    vectors: Vectors

    @property
    def urls(self) -> list[str]:
        """The URLs of the nodes."""
        return [node.url for node in self.nodes]

    async def control(self, ml: Session, what: str, **query: str) -> Any:
        """Tell the cluster something, or ask it, however often it takes."""
        with anyio.fail_after(60):
            while True:
                try:
                    return (await ml.request("POST", f"{CONTROL}/{what}", query=query)).json()
                except MLCommonsError:
                    await anyio.sleep(0.2)

    async def deploy(self, ml: Session) -> None:
        """Deploy the models, as a program does that finds them gone after a restart."""
        with anyio.fail_after(60):
            for model_id in (self.model_id, self.chat_id):
                while True:
                    try:
                        await ml.models.ensure(model_id)
                        break
                    except MLCommonsError:
                        await anyio.sleep(0.2)


@asynccontextmanager
async def world(folder: Path) -> AsyncGenerator[World]:
    """Start the processes, and make the models."""
    cluster = ClusterProcess(0, folder=folder)
    async with AsyncExitStack() as ends:
        ends.callback(cluster.kill)
        await anyio.to_thread.run_sync(cluster.start)
        ml = await ends.enter_async_context(Session(cluster.url))
        await ml.settings.allow_first_model()
        await ml.settings.apply(ALLOWED)
        await ml.settings.apply(MLSettings(stream_enabled=True))
        model_id = (await ml.models.ensure(MODEL)).model_id
        chat = chat_model(ml, "chat", f"http://127.0.0.1:{cluster.provider}/proverb")
        chat_id = await chat.__aenter__()  # it ends with its cluster, and need not be removed
        vectors = np.concatenate(
            [await ml.embed_many(model_id, TEXTS[at : at + 64]) for at in range(0, len(TEXTS), 64)]
        )
        with nodes(cluster.port, NODES) as before:
            yield World(cluster, before, model_id, chat_id, vectors)
