"""The servers behind the proxy, with a model, texts and an index that the trials share."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs
import numpy as np

from aiomlcommons import Session
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.inference.vectors import Vectors
from tests.support import model_server
from tests.support.authority import Authority
from tests.support.contract.chat import chat_model
from tests.support.contract.kinds import deployed
from tests.support.emulated_models import ALLOWED
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.paths import MODELS

GROUPS, DOCUMENTS, BATCH = 30, 60, 8


@attrs.frozen(kw_only=True)
class World:
    """A server, a proxy before it, and a session ``ml`` that does not go through the proxy.

    ``model`` is a deployed dense model, ``sparse`` a sparse one, ``chat`` one that streams, where the server can.
    ``patience`` are the seconds that a session waits at least, since a real server may be slow by itself.
    """

    against: str
    proxy: FaultProxy
    ml: Session
    folder: Path
    unique: str
    model: str
    sparse: str
    chat: str | None = None
    ca_certs: Path | None = None
    patience: float = 0.0
    texts: tuple[str, ...]
    vectors: Vectors

    @property
    def index(self) -> str:
        """The index of documents to search."""
        return f"{self.unique}-documents"

    def rows(self) -> list[dict[str, str]]:
        """Return the documents of a job."""
        return [{"id": f"d{number}", "text": text} for number, text in enumerate(self.texts)]

    def check_vectors(self, ids: list[str], vectors: object) -> None:
        """Check that every document is there, with its vector."""
        assert sorted(ids) == sorted(row["id"] for row in self.rows()), f"{len(ids)} documents: {ids[:70]}"
        right = self.vectors[[int(key[1:]) for key in ids]]
        assert np.allclose(np.asarray(vectors), right, atol=1e-3), "a document has another vector"


@asynccontextmanager
async def emulated(folder: Path, *, tls: bool = False) -> AsyncGenerator[World]:
    """Serve an emulator behind a proxy."""
    authority = Authority(folder) if tls else None
    context = None if authority is None else authority.server()
    emulator = Emulator(Cluster(version="3.8.0", streams=True))
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(emulator.serve(ssl_context=context))
        ca_certs = None if authority is None else authority.ca_certs
        ml = await stack.enter_async_context(Session(url, ca_certs=ca_certs))
        await ml.settings.allow_first_model()
        await ml.settings.apply(ALLOWED)
        await ml.settings.apply(MLSettings(stream_enabled=True))
        provider = await stack.enter_async_context(model_server.serve())
        chat = await stack.enter_async_context(chat_model(ml, "chat", f"{provider}/proverb"))
        against = "emulator with TLS" if tls else "emulator"
        yield await stack.enter_async_context(_world(ml, url, folder, against, chat, ca_certs))


@asynccontextmanager
async def real(url: str, folder: Path) -> AsyncGenerator[World]:
    """Put a proxy before a server with ML Commons; what the trials make there is removed at the end."""
    async with Session(url) as ml:
        version = await ml.version()
        async with _world(ml, url, folder, f"OpenSearch {version}", None, None) as world:
            yield attrs.evolve(world, patience=5.0)


@asynccontextmanager
async def _world(
    ml: Session, url: str, folder: Path, against: str, chat: str | None, ca_certs: Path | None
) -> AsyncGenerator[World]:
    unique = f"network-{uuid.uuid4().hex[:6]}"
    texts = tuple(f"text number {number}" for number in range(DOCUMENTS))
    async with (
        fault_proxy(url) as proxy,
        deployed(ml, "dense", MODELS / "tiny-dense.zip", f"{unique}-dense") as model,
        deployed(ml, "sparse", MODELS / "tiny-sparse.zip", f"{unique}-sparse") as sparse,
    ):
        world = World(
            against=against,
            proxy=proxy,
            ml=ml,
            folder=folder,
            unique=unique,
            model=model,
            sparse=sparse,
            chat=chat,
            ca_certs=ca_certs,
            texts=texts,
            vectors=await ml.embed_many(model, texts),
        )
        async with _contents(world):
            yield world


@asynccontextmanager
async def _contents(world: World) -> AsyncGenerator[None]:
    """Make groups and documents to search, and remove them afterwards."""
    ml, made = world.ml, list[str]()
    try:
        for number in range(GROUPS):
            made.append((await ml.model_groups.register(f"{world.unique}-group-{number}")).model_group_id)
        for row in world.rows():
            await ml.request("PUT", f"/{world.index}/_doc/{row['id']}", body={"text": row["text"]})
        await ml.indices.refresh(world.index)
        yield
    finally:
        await ml.indices.delete(f"{world.index}")
        for group_id in made:
            await ml.model_groups.delete(group_id)
