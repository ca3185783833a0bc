"""Model files of any size: valid packages without a model in them."""

from __future__ import annotations

import zipfile
from pathlib import Path

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
