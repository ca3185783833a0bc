"""Custom models from files: dense, sparse, a sparse tokenizer and a cross-encoder, each packed, checked and uploaded.

    python examples/custom_models_from_files.py

A model is a zip file with a TorchScript or ONNX file and its tokenizer.json. ``ensure`` checks it before anything is
sent, uploads it in chunks, verifies it by its SHA-256 and deploys it; run again, it finds what is there. It runs on the
embedded emulator, or on your cluster when OPENSEARCH_URL names one.
"""

from __future__ import annotations

import asyncio
import tempfile
import uuid
import zipfile
from pathlib import Path

import numpy as np
from cluster import TINY_CONFIG, TINY_MODEL, session

from aiomlcommons import BadPackage, FileModel, ModelConfig, Session, sha256

MODELS = TINY_MODEL.parent
TEXTS = ["today is sunny", "it is a beautiful day", "the sky is dark"]


def specs(group: str) -> dict[str, FileModel]:
    """Return a model of each type, in one group."""
    pairs = ModelConfig(model_type="bert", embedding_dimension=1, framework_type="huggingface_transformers")
    dense = FileModel(path=TINY_MODEL, group=group, model_config=TINY_CONFIG, model_content_hash_value=_hash())
    return {
        "dense": dense,
        "sparse": FileModel(path=MODELS / "tiny-sparse.zip", group=group, function_name="SPARSE_ENCODING"),
        "tokenizer": FileModel(path=MODELS / "tiny-tokenizer.zip", group=group, function_name="SPARSE_TOKENIZE"),
        "cross-encoder": FileModel(
            path=MODELS / "tiny-cross-encoder.zip", group=group, function_name="TEXT_SIMILARITY", model_config=pairs
        ),
    }


def _hash() -> str:
    # The output of `shasum -a 256`, which is checked before and during the upload.
    return sha256(TINY_MODEL)


async def use(ml: Session, kind: str, model_id: str) -> None:
    if kind == "dense":
        vectors = await ml.embed_many(model_id, TEXTS)
        print(f"{kind:<14} {vectors.shape[0]} texts of {vectors.shape[1]} dimensions")
    elif kind == "cross-encoder":
        scores = await ml.rerank(model_id, "a fine day", TEXTS)
        print(f"{kind:<14} the best is {TEXTS[int(np.argmax(scores))]!r}")
    else:
        tokens = (await ml.sparse(model_id, TEXTS))[0]
        print(f"{kind:<14} {len(tokens)} tokens, such as {sorted(tokens)[:3]}")


def unpacked(folder: Path) -> Path:
    """Return the dense model as a directory, as an export leaves it, with a stray file that makes it ambiguous."""
    with zipfile.ZipFile(TINY_MODEL) as archive:
        archive.extractall(folder)
    (folder / "second.pt").write_bytes(b"not meant to be here")
    return folder


async def main() -> None:
    group = f"aiomlcommons files {uuid.uuid4().hex[:8]}"
    async with session() as ml:
        before = await ml.settings.allow_first_model()
        made = []
        try:
            for kind, spec in specs(group).items():
                model = await ml.models.ensure(spec)
                made.append(model)
                await use(ml, kind, model)
            with tempfile.TemporaryDirectory() as folder:
                try:
                    await ml.models.ensure(FileModel(path=unpacked(Path(folder)), model_config=TINY_CONFIG))
                except BadPackage as error:
                    print(f"refused        {str(error).replace(folder, 'the directory')}")
        finally:
            for model_id in made:
                await ml.models.remove(model_id, empty_group=True)
            await ml.settings.apply(before)


if __name__ == "__main__":
    asyncio.run(main())
