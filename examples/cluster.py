"""The cluster of the examples: yours if OPENSEARCH_URL is set, else the embedded emulator."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from aiomlcommons import Session, emulator
from aiomlcommons.api.model_configs import ModelConfig

HERE = Path(__file__).parent
CORPUS = HERE / "data" / "kjv-wisdom.jsonl"
TINY_MODEL = HERE.parent / "tests" / "data" / "models" / "tiny-dense.zip"
"""A real model of 2 MB with random weights: it shows how things work, not what embeddings can do."""
TINY_CONFIG = ModelConfig(
    model_type="bert",
    embedding_dimension=16,
    framework_type="sentence_transformers",
    pooling_mode="mean",
    normalize_result=True,
    all_config="{}",
)


def on_emulator() -> bool:
    """Return whether no cluster is configured."""
    return not os.environ.get("OPENSEARCH_URL")


@asynccontextmanager
async def session(url: str | None = None, **options: Any) -> AsyncGenerator[Session]:
    """Return a session with the cluster of the environment, with that at ``url``, or with the embedded emulator."""
    if not on_emulator():
        async with Session.from_env(**options) as ml:
            yield ml
    elif url is not None:
        async with Session(url, **options) as ml:
            yield ml
    else:
        async with emulator.serve() as served_at, Session(served_at, **options) as ml:
            yield ml


@asynccontextmanager
async def serving(app: web.Application) -> AsyncGenerator[str]:
    """Serve an application on this machine, and yield its URL."""
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def served(file: Path) -> AsyncGenerator[str]:
    """Serve one file over HTTP on this machine, as a model repository would."""

    async def send(_: web.Request) -> web.FileResponse:
        return web.FileResponse(file)

    app = web.Application()
    app.router.add_get(f"/{file.name}", send)
    async with serving(app) as url:
        yield f"{url}/{file.name}"
