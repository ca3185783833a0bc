"""docs/migrating/opensearch-py-ml.md: a model file, and beside it the JSON file that opensearch-py-ml writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiomlcommons import sha256
from tests.pages.worlds import Place
from tests.support.paths import MODELS


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Write both files."""
    shutil.copy(MODELS / "tiny-dense.zip", place.folder)
    written = {
        "name": "sentence-transformers/tiny",
        "version": "1.0.0",
        "description": "as make_model_config_json writes it",
        "model_format": "TORCH_SCRIPT",
        "function_name": "TEXT_EMBEDDING",
        "model_config": {
            "model_type": "bert",
            "embedding_dimension": 16,
            "framework_type": "sentence_transformers",
            "pooling_mode": "MEAN",
            "normalize_result": True,
            "all_config": "{}",
            "additional_config": {"space_type": "cosinesimil"},
        },
        "model_content_size_in_bytes": (MODELS / "tiny-dense.zip").stat().st_size,
        "model_content_hash_value": sha256(MODELS / "tiny-dense.zip"),
    }
    (place.folder / "ml-commons_model_config.json").write_text(json.dumps(written, indent=4))
    yield {}
