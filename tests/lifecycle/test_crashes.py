"""Killed clients and concurrent processes: exactly one model results."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aiomlcommons.api.model_registration import UploadModelChunk
from aiomlcommons.progress.event import Phase
from tests.support.ensure_process import SPECS, big
from tests.support.model_files import big_zip
from tests.support.served_emulator import NOW, ServedEmulator

pytestmark = pytest.mark.asyncio
CHUNKS = 4


@asynccontextmanager
async def client(*words: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.ensure_process", *words, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout
    return (await process.stdout.readline()).decode().strip()


@pytest.mark.parametrize("phase", [Phase.REGISTERING, Phase.REGISTERED, Phase.DEPLOYING, Phase.DEPLOYED])
@pytest.mark.parametrize("kind", SPECS)
async def test_a_client_that_is_killed_at_a_phase_leaves_what_the_next_one_finishes(
    world: ServedEmulator, kind: str, phase: Phase
) -> None:
    async with client(world.url, kind, phase) as process:
        assert await line(process) == phase
    assert process.returncode == -signal.SIGKILL
    ensured = await world.ml.models.ensure(SPECS[kind], backoff=NOW, stall_timeout=0)
    assert ensured.model.is_deployed
    assert [key for key, _ in await world.models()] == [ensured.model_id]


@pytest.mark.parametrize("chunks", range(CHUNKS + 1))
async def test_an_upload_that_was_killed_goes_on_at_the_missing_chunks(
    world: ServedEmulator, tmp_path: Path, chunks: int
) -> None:
    sent: list[str] = []

    def count(http: object) -> bool:
        path = getattr(http, "path", "")
        if "/upload_chunk/" in path:
            sent.append(path)
        return False

    file = await asyncio.to_thread(big_zip, tmp_path / "big.zip", CHUNKS)
    world.emulator.faults.throttle(on=count)
    async with client(world.url, str(file), Phase.UPLOADING, str(chunks)) as process:
        assert await line(process) == Phase.UPLOADING
    ensured = await world.ml.models.ensure(big(file), backoff=NOW)
    assert ensured.model.is_deployed
    assert [key for key, _ in await world.models()] == [ensured.model_id]
    # Only chunks that were in flight when the client died may be sent again.
    assert set(sent) == {f"/_plugins/_ml/models/{ensured.model_id}/upload_chunk/{n}" for n in range(CHUNKS)}
    assert len(sent) - CHUNKS <= 2


@pytest.mark.parametrize("kind", SPECS)
async def test_two_processes_that_ensure_one_model_at_once_end_with_one(world: ServedEmulator, kind: str) -> None:
    async with client(world.url, kind) as one, client(world.url, kind) as other:
        ids = await asyncio.gather(line(one), line(other))
    found = await world.models()
    assert [key for key, _ in found] == [ids[0]] == [ids[1]]
    assert found[0][1].is_deployed


async def test_two_processes_that_upload_one_file_at_once_end_with_one(world: ServedEmulator, tmp_path: Path) -> None:
    file = await asyncio.to_thread(big_zip, tmp_path / "big.zip", CHUNKS)
    world.emulator.faults.slow(0, on=UploadModelChunk)
    async with client(world.url, str(file)) as one, client(world.url, str(file)) as other:
        ids = await asyncio.gather(line(one), line(other))
    assert [key for key, _ in await world.models()] == [ids[0]] == [ids[1]]
