"""The example web service, served by uvicorn on this event loop, and the emulator that it is in front of."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import cache
from typing import Any

import aiohttp
import attrs
import pytest
import uvicorn
from aiohttp import web
from multidict import CIMultiDictProxy

from aiomlcommons import Session
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.pool import CallNext
from tests.support.paths import ROOT
from tests.support.relay_node import RelayNode
from tests.support.served_emulator import NOW

MODEL = "all-MiniLM-L6-v2"
ANN = aiohttp.encode_basic_auth("ann", "secret-of-ann")


@cache
def module() -> Any:
    """Return the example as a module."""
    spec = importlib.util.spec_from_file_location("web_service", ROOT / "examples" / "web_service.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # where FastAPI looks for the types of annotations
    spec.loader.exec_module(made)
    return made


class UvicornServer(uvicorn.Server):
    """A uvicorn that takes no signals, tells when it is up, and stops when it is told to, without a clock."""

    def __init__(self, app: Any) -> None:
        super().__init__(uvicorn.Config(app, port=0, ws="none", lifespan="on", log_config=None, access_log=False))
        self.up, self.ending, self.draining = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @property
    def url(self) -> str:
        host, port = self.servers[0].sockets[0].getsockname()
        return f"http://{host}:{port}"

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.ending.wait()

    async def _wait_tasks_to_complete(self) -> None:
        self.draining.set()
        await super()._wait_tasks_to_complete()


@attrs.define
class Gate:
    """A fault that holds ``expected`` predictions back: ``full`` once they are here, and on they go once ``open``."""

    expected: int = 1
    here: int = 0
    cancelled: int = 0
    full: asyncio.Event = attrs.field(factory=asyncio.Event)
    open: asyncio.Event = attrs.field(factory=asyncio.Event)
    left: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def __call__(self, _: web.BaseRequest, go_on: CallNext) -> web.StreamResponse:
        self.here += 1
        if self.here == self.expected:
            self.full.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            self.left.set()
            raise
        return await go_on()


@attrs.frozen
class Cluster:
    """An emulator with a model, a session on it, and the URLs by which a service reaches it."""

    emulator: Emulator
    ml: Session
    model: str
    urls: list[str]

    def hold(self, expected: int = 1) -> Gate:
        """Hold predictions back from now on."""
        gate = Gate(expected)
        self.emulator.faults.add(gate, times=None)
        return gate


@asynccontextmanager
async def cluster_of(nodes: Sequence[RelayNode] = ()) -> AsyncGenerator[Cluster]:
    """Serve an emulator, behind some nodes if there are any."""
    emulator = Emulator()
    async with emulator.serve() as url, Session(url) as ml, AsyncExitStack() as stack:
        await ml.settings.allow_first_model()
        model = str(await ml.models.ensure(MODEL, backoff=NOW))
        for node in nodes:
            node.backend = int(url.rpartition(":")[2])
            await node.start()
            stack.push_async_callback(node.kill)
        yield Cluster(emulator, ml, model, [node.url for node in nodes] or [url])


@attrs.frozen
class Answer:
    """A response of the service."""

    status: int
    headers: CIMultiDictProxy[str]
    body: Any


@attrs.frozen
class Served:
    """The service at ``url``, and a client of it."""

    server: UvicornServer
    running: asyncio.Task[None]
    client: aiohttp.ClientSession
    cluster: Cluster

    @property
    def url(self) -> str:
        return self.server.url

    async def post(self, path: str, body: Any, *, whose: str | None = ANN) -> Answer:
        """Call the service with somebody's credentials."""
        headers = {} if whose is None else {"authorization": whose}
        async with self.client.post(self.url + path, json=body, headers=headers) as response:
            assert response.content_type == ("application/json" if response.ok else "application/problem+json")
            return Answer(response.status, response.headers, await response.json(content_type=None))

    async def embed(self, text: str, *, whose: str | None = ANN) -> Answer:
        """Embed a text by the service."""
        return await self.post("/embed", {"texts": [text]}, whose=whose)

    async def health(self, which: str) -> int:
        """Return the status of a health check."""
        async with self.client.get(f"{self.url}/health/{which}") as response:
            return response.status

    async def stop(self) -> None:
        """Stop the service, and wait until it has."""
        self.server.ending.set()
        await self.running


@asynccontextmanager
async def service_of(cluster: Cluster, **settings: Any) -> AsyncGenerator[Served]:
    """Serve the example in front of a cluster."""
    example = module()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENSEARCH_URL", ",".join(cluster.urls))
        limits = {"deadline": 600.0, **settings}  # unless a test is about deadlines: the machine may be slow
        server = UvicornServer(example.service(example.Settings(cluster.model, **limits)))
        running = asyncio.create_task(server.serve())
        await server.up.wait()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        served = Served(server, running, client, cluster)
        try:
            yield served
        finally:
            await served.stop()
