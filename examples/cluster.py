"""Where the examples run: on your cluster if OPENSEARCH_URL names one, else on the embedded emulator."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from aiomlcommons import Session, emulator
from aiomlcommons.api.models import ModelConfig

HERE = Path(__file__).parent
CORPUS = HERE / "data" / "kjv-wisdom.jsonl"
TINY_MODEL = HERE.parent / "tests" / "models" / "tiny-dense.zip"
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
    """Whether no cluster is named."""
    return not os.environ.get("OPENSEARCH_URL")


@asynccontextmanager
async def session() -> AsyncGenerator[Session]:
    """A session with the cluster that the environment names, or with the embedded emulator."""
    if on_emulator():
        async with emulator.serve() as url, Session(url) as ml:
            yield ml
    else:
        async with Session.from_env() as ml:
            yield ml
