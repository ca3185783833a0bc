"""The examples that need Ray: each starts its own; the last one also needs a real index."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from typing import Any

import pytest

from aiomlcommons import Session
from tests.support.opensearch.fixture import LIMIT
from tests.support.paths import ROOT

if os.environ.get("CI") != "true":
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'aiomlcommons[ray]'")

EXAMPLES = ROOT / "examples"


def test_the_example_runs_on_the_emulator() -> None:
    said = example("ray_embed.py")
    assert "1,137 documents embedded by 2 actors" in said
    assert "embedding is fixed_size_list<element: float>[384]" in said


def test_the_example_with_an_index_runs_on_the_emulator() -> None:
    said = example("parquet_to_opensearch.py")
    assert "1,137 documents are in the index verses" in said
    assert "A soft answer turneth away wrath" in said


@pytest.mark.timeout(LIMIT)
def test_the_example_finds_in_a_real_index_what_it_wrote(opensearch_url: str) -> None:
    index = f"verses-{uuid.uuid4().hex[:8]}"
    said = example("parquet_to_opensearch.py", "--emulator", "--index", index, OPENSEARCH_URL=opensearch_url)
    assert f"1,137 documents are in the index {index}" in said
    assert "A soft answer turneth away wrath" in said
    assert asyncio.run(count(opensearch_url, index)) == 1137


async def count(url: str, index: str) -> Any:
    async with Session(url) as ml:
        return (await ml.request("GET", f"/{index}/_count")).json()["count"]


def example(name: str, *arguments: str, **environ: str) -> str:
    """Run an example; return its output."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OPENSEARCH_", "RAY_"))}
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**environment, **environ}, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout
