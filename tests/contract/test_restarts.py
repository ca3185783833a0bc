"""Contract tests: a server is killed and restarted, so that its records are stale.

On the emulator these tests always run; on the cluster of ``--server`` only if ``--restart-command`` says how to restart
it (``kill -9`` and a start, for example), which interrupts all its users.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
import attrs
import pytest
import pytest_asyncio

from aiomlcommons import EnsuredModel, Session, TaskFailed, TaskStalled, UrlModel
from aiomlcommons.lifecycle.groups import find_groups
from aiomlcommons.progress.event import Phase, Progress
from tests.support.contract.kinds import KINDS, forget, padded, spec_of
from tests.support.contract.servers import Server
from tests.support.contract.undoing import afterwards
from tests.support.file_server import held_file

# A real server takes half a minute to restart, on an otherwise idle machine.
pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(600)]
SOON = 120.0
"""Seconds: enough for any server to restart and create a model, and less than the stall timeout of a dead task."""


@pytest_asyncio.fixture
async def restart(server: Server, ml: Session, unique: str) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
    """Yield a function that kills and restarts the server; what the test created is removed afterwards in any case."""
    if server.restart is None:
        pytest.skip(
            f"OpenSearch {await ml.version()} at {server.url}: --restart-command does not say how to restart it"
        )
    async with afterwards(partial(forget, ml, unique), partial(forget, ml, f"{unique} other")):
        yield server.restart


async def _is_one(ml: Session, ensured: EnsuredModel, name: str) -> None:
    """Check that the model responds, and that there is no other model or group of its name."""
    assert (await ml.embed_one(ensured.model_id, "hello")).shape == (16,)
    models = [hit.id async for hit in ml.models.search({"query": {"term": {"name.keyword": name}}})]
    assert (models, len(await find_groups(ml, name))) == ([ensured.model_id], 1)


async def test_what_no_node_has_any_more_is_deployed_again(
    ml: Session, unique: str, zips: dict[str, Path], restart: Callable[[], Awaitable[None]]
) -> None:
    spec = spec_of("dense", zips["dense"], unique)
    first = await ml.models.ensure(spec)
    await restart()
    again = await ml.models.ensure(spec)
    assert again.model_id == first.model_id
    await _is_one(ml, again, unique)


@pytest.mark.parametrize("phase", [Phase.REGISTERING, Phase.UPLOADING, Phase.DEPLOYING])
async def test_a_restart_in_the_middle_of_it_is_waited_out(
    server: Server,
    ml: Session,
    unique: str,
    zips: dict[str, Path],
    tmp_path: Path,
    restart: Callable[[], Awaitable[None]],
    phase: Phase,
) -> None:
    file = await asyncio.to_thread(padded, zips["dense"], tmp_path / "big.zip", 2)
    spec = spec_of("dense", file, unique)
    reached = asyncio.Event()

    def report(progress: Progress) -> None:
        if progress.phase is phase:
            reached.set()

    ensuring = asyncio.ensure_future(ml.models.ensure(spec, progress=report, stall_timeout=server.stall_timeout))
    await reached.wait()
    await restart()
    await _is_one(ml, await ensuring, unique)


async def test_one_who_is_told_of_the_restart_goes_on_with_the_same_call(
    server: Server, ml: Session, unique: str, zips: dict[str, Path], restart: Callable[[], Awaitable[None]]
) -> None:
    ensured = await ml.models.ensure(spec_of("dense", zips["dense"], unique), deploy=False)
    task = ml.task(await ml.models.deploy(ensured.model_id), stall_timeout=server.stall_timeout)
    waiting = asyncio.ensure_future(_end(task))
    await restart()
    # COMPLETED before, FAILED after, or deleted: a final state, and not a connection error.
    await waiting
    again = await ml.models.ensure(ensured.model_id, stall_timeout=server.stall_timeout)
    await _is_one(ml, again, unique)


async def _end(task: Awaitable[object]) -> None:
    with suppress(TaskFailed, TaskStalled):
        await task


async def test_a_group_is_emptied_and_deleted_after_a_restart(
    ml: Session, unique: str, zips: dict[str, Path], restart: Callable[[], Awaitable[None]]
) -> None:
    ensured = await ml.models.ensure(spec_of("dense", zips["dense"], unique))
    await restart()
    assert await ml.models.remove(ensured.model_id, empty_group=True)
    assert await find_groups(ml, unique) == []


# ---- a ghost: what a killed server was fetching ----------------------------------------------------------------------


@pytest_asyncio.fixture
async def ghost(
    ml: Session, unique: str, zips: dict[str, Path], loopback: str, restart: Callable[[], Awaitable[None]]
) -> AsyncGenerator[UrlModel]:
    """Yield a model that the server was downloading when it was killed; its file is available now."""
    file = zips["dense"]
    async with held_file(file, loopback) as held:
        spec = UrlModel(
            url=held.url,
            name=unique,
            group=unique,
            model_config=KINDS["dense"].model_config,
            model_content_hash_value=hashlib.sha256(file.read_bytes()).hexdigest(),
        )
        ensuring = asyncio.ensure_future(ml.models.ensure(spec))
        await held.asked.wait()
        ensuring.cancel()
        await asyncio.gather(ensuring, return_exceptions=True)
        await restart()
        held.release.set()
        yield spec


async def test_a_ghost_becomes_one_model_by_the_same_call(server: Server, ml: Session, ghost: UrlModel) -> None:
    await _is_one(ml, await ml.models.ensure(ghost, stall_timeout=server.stall_timeout), ghost.name)


async def test_a_ghost_holds_no_other_model_up(ml: Session, unique: str, ghost: UrlModel) -> None:
    other = attrs.evolve(ghost, name=f"{unique} other", group=f"{unique} other")
    with anyio.fail_after(SOON):
        await _is_one(ml, await ml.models.ensure(other), other.name)
