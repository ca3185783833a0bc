"""Faults of a real cluster: each a context, which a job goes through, with what is promised under it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import anyio
import attrs
import orjson
from aiohttp import web

from aiomlcommons import Session
from aiomlcommons.api.model_records import RateLimiter
from tests.support.model_server import vector_of
from tests.support.serving import serving

FLOODED = "index.blocks.read_only_allow_delete"
DISK = "cluster.routing.allocation.disk"


@attrs.define
class Provider:
    """A provider of embeddings that takes its time, or refuses, as it is told."""

    seconds: float = 0.0
    status: int = 200

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        """Answer as OpenAI does."""
        texts = orjson.loads(await request.read())["input"]
        await asyncio.sleep(self.seconds)
        if self.status != 200:
            return web.json_response({"error": {"message": "not now"}}, status=self.status)
        rows = [{"object": "embedding", "index": i, "embedding": vector_of(text)} for i, text in enumerate(texts)]
        return web.json_response({"object": "list", "data": rows, "model": "m"})

    def serve(self) -> AbstractAsyncContextManager[str]:
        """Serve, and return the URL of the embeddings."""
        app = web.Application()
        app.router.add_post("/v1/embeddings", self.embeddings)
        return serving(app)


@attrs.frozen
class Place:
    """Where a fault happens: a cluster, the words that control it, its provider, and the index and model of a job."""

    ml: Session
    control: str
    provider: Provider
    index: str
    model: str

    async def do(self, what: str) -> None:
        """Control the cluster. Raises RuntimeError if that fails."""
        process = await asyncio.create_subprocess_shell(f"{self.control} {what}", stdout=asyncio.subprocess.DEVNULL)
        if await process.wait():
            raise RuntimeError(f"{self.control} {what} failed")

    async def setting(self, **values: Any) -> None:
        """Set settings of the cluster; None is their default."""
        await self.ml.options(wait=60).request("PUT", "/_cluster/settings", body={"persistent": values})

    async def index_setting(self, **values: Any) -> None:
        """Set settings of the index."""
        await self.ml.options(wait=60).request("PUT", f"/{self.index}/_settings", body=values)


Fault: TypeAlias = Callable[[Place], AbstractAsyncContextManager[None]]


def controlled(what: str, undo: str = "") -> Fault:
    """Return a fault that the command of the cluster brings about, and undoes where there is something to undo."""

    @asynccontextmanager
    async def fault(place: Place) -> AsyncGenerator[None]:
        await place.do(what)
        try:
            yield
        finally:
            if undo:
                await place.do(undo)

    return fault


def cluster_settings(bad: Mapping[str, Any]) -> Fault:
    """Return a fault of settings of the cluster, which get the values that they had."""

    @asynccontextmanager
    async def fault(place: Place) -> AsyncGenerator[None]:
        known = (await place.ml.request("GET", "/_cluster/settings?flat_settings=true")).json()["persistent"]
        await place.setting(**bad)
        try:
            yield
        finally:
            await place.setting(**{name: known.get(name) for name in bad})

    return fault


def index_settings(bad: Mapping[str, Any]) -> Fault:
    """Return a fault of settings of the index, which get their defaults again."""

    @asynccontextmanager
    async def fault(place: Place) -> AsyncGenerator[None]:
        await place.index_setting(**bad)
        try:
            yield
        finally:
            await place.index_setting(**dict.fromkeys(bad))

    return fault


@asynccontextmanager
async def flood_stage(place: Place) -> AsyncGenerator[None]:
    """Let the disk be too full by its watermarks, until the node blocks its indices; then have space again."""
    stages = [f"{DISK}.watermark.{name}" for name in ("low", "high", "flood_stage")]
    often = {"cluster.info.update.interval": "10s", f"{DISK}.threshold_enabled": True}
    await place.setting(**often, **dict.fromkeys(stages, "900000gb"))
    try:
        await _until_blocked(place, True)
        yield
    finally:
        await place.setting(**dict.fromkeys(stages, "1kb"))
        await _until_blocked(place, False)
        await place.setting(**dict.fromkeys([*often, *stages]))


async def _until_blocked(place: Place, wanted: bool) -> None:
    """Wait until the node, which looks at its disk every ten seconds, has set all blocks, or lifted all of them."""
    ml = place.ml.options(wait=60)
    with anyio.fail_after(120):
        while True:
            indices = (await ml.request("GET", "/_settings?flat_settings=true&expand_wildcards=all")).json()
            blocked = [
                FLOODED in one["settings"] for name, one in indices.items() if wanted is False or name == place.index
            ]
            # It lets nobody create an index meanwhile, either.
            creation = (await ml.request("GET", "/_cluster/settings?flat_settings=true")).json()["persistent"]
            if all(blocked) if wanted else not any(blocked) and "cluster.blocks.create_index" not in creation:
                return
            await anyio.sleep(0.5)


@asynccontextmanager
async def rate_limit(place: Place) -> AsyncGenerator[None]:
    """Let the model take a few requests in a second."""
    await place.ml.models.update(place.model, rate_limiter=RateLimiter(limit=4, unit="SECONDS"))
    try:
        yield
    finally:
        await place.ml.models.update(place.model, rate_limiter=RateLimiter(limit=1_000_000, unit="SECONDS"))


@asynccontextmanager
async def undeployed(place: Place) -> AsyncGenerator[None]:
    """Undeploy the model, as somebody does who tidies up."""
    await place.ml.models.undeploy(place.model)
    yield


@asynccontextmanager
async def deleted(place: Place) -> AsyncGenerator[None]:
    """Delete the index."""
    await place.ml.request("DELETE", f"/{place.index}")
    yield


def provides(**trouble: Any) -> Fault:
    """Return a fault of the provider."""

    @asynccontextmanager
    async def fault(place: Place) -> AsyncGenerator[None]:
        before = {name: getattr(place.provider, name) for name in trouble}
        for name, value in trouble.items():
            setattr(place.provider, name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(place.provider, name, value)

    return fault
