"""Model files of any size: valid packages without a model in them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from aiomlcommons.api.model_registration import CHUNK_SIZE


def big_zip(path: Path, chunks: int) -> Path:
    """Return a package with a number of chunks."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("tokenizer.json", "{}")
        with archive.open("model.pt", "w") as member:
            for number in range(chunks - 1):
                member.write(bytes([number + 1]) * CHUNK_SIZE)
            member.write(b"the end")
    return path


def other_weights(source: Path, path: Path) -> Path:
    """Return a dense model that differs from another one in its weights, which are shuffled: so do all vectors."""
    with zipfile.ZipFile(source) as package, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as other:
        for name in package.namelist():
            content = package.read(name)
            other.writestr(name, _shuffled(content) if name.endswith(".pt") else content)
    return path


def _shuffled(model: bytes) -> bytes:
    """Return a TorchScript archive whose largest tensor, the table of words, has its rows in another order."""
    whole = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model)) as archive, zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as other:
        largest = max(archive.infolist(), key=lambda one: one.file_size).filename
        for name in archive.namelist():
            content = archive.read(name)
            if name == largest:
                content = np.random.default_rng(0).permutation(np.frombuffer(content, "<f4")).tobytes()
            other.writestr(name, content)
    return whole.getvalue()
