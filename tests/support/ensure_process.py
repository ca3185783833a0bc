"""A client in its own process, which can be killed: ``python -m tests.support.ensure_process URL KIND [PHASE]``.

It ensures a model and prints its id; KIND may be the path of a model's zip file. With a phase it prints the phase and
hangs there forever.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from aiomlcommons import Session
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_registration import CHUNK_SIZE
from aiomlcommons.connectors import openai_embeddings
from aiomlcommons.lifecycle.ensure import EnsureModel
from aiomlcommons.lifecycle.spec import FileModel, PretrainedModel, RemoteModel, Spec
from aiomlcommons.progress.event import Progress, Tell
from tests.support.paths import MODELS

DENSE = ModelConfig(model_type="bert", embedding_dimension=16, framework_type="sentence_transformers")
FILE = FileModel(path=MODELS / "tiny-dense.zip", name="tiny", model_config=DENSE, group="ours")
REMOTE = RemoteModel(name="remote", connector=openai_embeddings("text-embedding-3-small", "key"), group="ours")
SPECS: dict[str, Spec] = {
    "pretrained": PretrainedModel(name="all-MiniLM-L6-v2", group="ours"),
    "file": FILE,
    "remote": REMOTE,
}


def big(path: str | Path) -> FileModel:
    """Return a model whose file has several chunks, two of which are uploaded at once."""
    return FileModel(path=path, name="big", model_config=DENSE, concurrency=2)


def stopping_at(phase: str | None, chunks: int) -> Tell:
    """Return a progress callback that hangs at a phase, once so many chunks are uploaded."""

    def tell(progress: Progress) -> None:
        done = progress.done or 0 if progress.unit == "bytes" else 0
        if progress.phase == phase and done >= min(chunks * CHUNK_SIZE, progress.total or 0):
            print(phase, flush=True)
            signal.pause()

    return tell


async def main(url: str, kind: str, phase: str | None = None, chunks: str = "0") -> None:
    spec = SPECS.get(kind) or big(kind)
    async with Session(url) as ml:
        # Every chunk counts here, and a callback of `ml.models.ensure` is told of some only.
        ensured = await EnsureModel(ml=ml, teller=stopping_at(phase, int(chunks)))(spec)
        print(ensured.model_id, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
