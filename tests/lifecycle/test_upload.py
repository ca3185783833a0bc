"""Chunked upload: concurrency, resumption, and verification by SHA-256."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from aiomlcommons import ApiError, BadRequest, ConnectError, TooManyRequests
from aiomlcommons.api.model_records import ModelState
from aiomlcommons.api.model_registration import CHUNK_SIZE, UploadModelChunk
from aiomlcommons.emulator.errors import refused
from aiomlcommons.lifecycle.ensure import EnsureModel
from aiomlcommons.lifecycle.errors import BadPackage, FileChanged
from aiomlcommons.progress.event import Phase, Progress
from tests.support.ensure_process import big
from tests.support.model_files import big_zip
from tests.support.served_emulator import NOW, ServedEmulator

pytestmark = pytest.mark.asyncio
CHUNKS = 5


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return big_zip(tmp_path / "big.zip", CHUNKS)


async def test_a_file_comes_whole_and_is_reported_on_its_way(world: ServedEmulator, file: Path) -> None:
    told: list[Progress] = []
    ensured = await EnsureModel(ml=world.ml, backoff=NOW, teller=told.append)(big(file))
    assert (told[-1].phase, told[-1].name, told[-1].model_id) == (Phase.DEPLOYED, "big", ensured.model_id)
    uploading = [(p.done, p.total, p.unit) for p in told if p.phase == Phase.UPLOADING]
    size = file.stat().st_size
    assert uploading == [(min(n * CHUNK_SIZE, size), size, "bytes") for n in range(CHUNKS + 1)]
    chunks = world.emulator.cluster.chunks[ensured.model_id]
    content = b"".join(chunks[n] for n in sorted(chunks))
    assert ensured.model.model_content_hash_value == hashlib.sha256(content).hexdigest()
    assert ensured.model.model_content_size_in_bytes == len(content) == size


async def test_no_more_chunks_are_on_their_way_than_asked_for(world: ServedEmulator, file: Path) -> None:
    under_way, most, several = 0, 0, asyncio.Event()

    async def hold(_: Any, go: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if most == 2:
            several.set()
        await several.wait()  # the first one stays until a second one is there
        answer = await go()
        under_way -= 1
        return answer

    world.emulator.faults.add(hold, on=UploadModelChunk, times=None)
    await world.ml.models.ensure(big(file), backoff=NOW, deploy=False)
    assert most == 2


async def test_the_last_chunk_is_sent_when_all_others_are_there(world: ServedEmulator, file: Path) -> None:
    order: list[int] = []

    async def note(request: Any, go: Any) -> Any:
        answer = await go()
        order.append(int(request.path.rpartition("/")[2]))
        return answer

    world.emulator.faults.add(note, on=UploadModelChunk, times=None)
    await world.ml.models.ensure(big(file), backoff=NOW, deploy=False)
    assert sorted(order) == list(range(CHUNKS))
    assert order[-1] == CHUNKS - 1


@pytest.mark.parametrize("how", ["changed", "cut"])
@pytest.mark.parametrize("keep", [False, True])
async def test_a_file_that_is_changed_meanwhile_makes_no_model(
    world: ServedEmulator, file: Path, how: str, keep: bool
) -> None:
    def change() -> None:
        with file.open("r+b") as stream:
            stream.seek(-10, os.SEEK_END)
            stream.truncate() if how == "cut" else stream.write(b"other")

    async def action(_: Any, go: Any) -> Any:
        await asyncio.to_thread(change)
        return await go()

    world.emulator.faults.add(action, on=UploadModelChunk, times=1)
    with pytest.raises(FileChanged, match="was changed while it was uploaded"):
        await world.ml.models.ensure(big(file), backoff=NOW, keep=keep)
    assert [model.model_state for _, model in await world.models()] == [ModelState.REGISTERING] * keep


@pytest.mark.parametrize("failing", range(CHUNKS))
async def test_an_upload_that_broke_off_goes_on_at_the_missing_chunks(
    world: ServedEmulator, file: Path, failing: int
) -> None:
    sent: list[int] = []

    async def fail_once(request: Any, go: Any) -> Any:
        number = int(request.path.rpartition("/")[2])
        sent.append(number)
        if number == failing and sent.count(number) == 1:
            request.transport.abort()
        return await go()

    world.emulator.faults.add(fail_once, on=UploadModelChunk, times=None)
    with pytest.raises(ConnectError) as caught:
        await world.ml.options(retries=0).models.ensure(big(file), backoff=NOW, wait=0)
    assert "the same call again resumes with the others" in str(caught.value.__notes__)
    before = list(sent)
    ensured = await world.ml.models.ensure(big(file), backoff=NOW)
    assert ensured.model.is_deployed
    assert len(await world.models()) == 1
    assert len(sent) - CHUNKS <= 2, (before, sent)


async def test_trouble_that_passes_throws_no_chunk_away(world: ServedEmulator, file: Path) -> None:
    """A full heap once rejected the last of nine chunks, and the model was deleted with all of them."""
    sent: list[int] = []

    async def refuse_the_last(request: Any, go: Any) -> Any:
        sent.append(int(request.path.rpartition("/")[2]))
        if sent[-1] == CHUNKS - 1 and sent.count(CHUNKS - 1) == 1:
            raise refused(429, "circuit_breaking_exception", "[parent] Data too large", durability="TRANSIENT")
        return await go()

    world.emulator.faults.add(refuse_the_last, on=UploadModelChunk, times=None)
    with pytest.raises(TooManyRequests) as caught:
        await world.ml.options(retries=0).models.ensure(big(file), backoff=NOW, wait=0)
    assert f"{CHUNKS - 1} chunks of model" in str(caught.value.__notes__)
    assert (await world.ml.models.ensure(big(file), backoff=NOW)).model.is_deployed
    assert sorted(sent) == [*range(CHUNKS), CHUNKS - 1]
    assert len(await world.models()) == 1


async def test_what_the_server_refuses_is_not_left_behind(world: ServedEmulator, file: Path) -> None:
    world.emulator.faults.fail(400, on=UploadModelChunk)
    with pytest.raises(BadRequest, match="boom"):
        await world.ml.models.ensure(big(file), backoff=NOW)
    assert not await world.models()


async def test_what_is_refused_to_one_is_not_taken_from_another(world: ServedEmulator, file: Path) -> None:
    """A client that resumes another client's upload may be behind a proxy that rejects large bodies."""
    world.emulator.faults.drop(on=UploadModelChunk)
    with pytest.raises(ConnectError):
        await world.ml.options(retries=0).models.ensure(big(file), backoff=NOW, wait=0)
    ((theirs, _),) = await world.models()
    world.emulator.faults.fail(413, reason="too large", on=UploadModelChunk)
    with pytest.raises(ApiError, match="too large"):
        await world.ml.models.ensure(big(file), backoff=NOW)
    assert [key for key, _ in await world.models()] == [theirs]


async def test_a_file_that_is_no_model_is_never_sent(world: ServedEmulator, tmp_path: Path) -> None:
    text = tmp_path / "text.zip"
    text.write_text("no zip file")
    with pytest.raises(BadPackage, match="is not a complete zip file"):
        await world.ml.models.ensure(big(text))
    with pytest.raises(BadPackage, match="does not exist"):
        await world.ml.models.ensure(big(tmp_path / "missing.zip"))
    assert not await world.models()


async def test_a_directory_is_packed_and_uploaded(world: ServedEmulator, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.pt").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    first = await world.ml.models.ensure(big(folder), backoff=NOW)
    assert (await world.ml.models.ensure(big(folder), backoff=NOW)).model_id == first.model_id
