"""Streaming over real sockets: early exit, cancellation and server errors."""

from __future__ import annotations

import anyio
import numpy as np
import pytest

from aiomlcommons import Backoff, BatchFailed, ConnectError, ModelNotReady, NotFound, ServerError, Session
from aiomlcommons.emulator import Emulator

pytestmark = pytest.mark.asyncio

ROWS = [f"row {number}" for number in range(400)]
NOW = Backoff(first=0)


async def model(ml: Session) -> str:
    await ml.settings.allow_first_model()
    return (await ml.models.ensure("all-MiniLM-L6-v2")).model_id


async def test_a_stream_gives_every_row_its_own_vector() -> None:
    async with Emulator().serve() as url, Session(url) as ml:
        model_id = await model(ml)
        async with ml.embed(model_id, ROWS, batch=32, concurrency=4) as embedded:
            pairs = [pair async for pair in embedded]
        assert [row for row, _ in pairs] == ROWS
        np.testing.assert_allclose(np.stack([v for _, v in pairs]), await ml.embed_many(model_id, ROWS), atol=1e-6)


async def test_leaving_halfway_leaves_nothing_behind() -> None:
    async with Emulator().serve() as url, Session(url) as ml:
        model_id = await model(ml)
        async with ml.embed(model_id, ROWS, batch=10, concurrency=4) as embedded:
            async for row, _ in embedded:
                if row == "row 55":
                    break
        # The session still works afterwards, and the leak check of every test detects leftover tasks and sockets.
        assert (await ml.embed_one(model_id, "after")).shape == (384,)


async def test_cancelling_halfway_leaves_nothing_behind() -> None:
    emulator = Emulator()
    async with emulator.serve() as url, Session(url) as ml:
        model_id = await model(ml)
        seen = 0
        with anyio.CancelScope() as scope:
            async with ml.embed(model_id, ROWS, batch=10, concurrency=4) as embedded:
                async for _ in embedded:
                    seen += 1
                    if seen == 55:
                        emulator.faults.slow(3600)
                        scope.cancel()
        assert scope.cancelled_caught
        emulator.faults.clear()
        assert seen < len(ROWS)
        assert (await ml.embed_one(model_id, "after")).shape == (384,)


async def test_a_server_that_dies_halfway_is_named_with_the_batch() -> None:
    emulator = Emulator()
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        model_id = await model(ml)
        seen: list[str] = []
        with pytest.raises(BatchFailed, match=r"batch \d+ \(rows \d+ to \d+\) failed: ConnectError") as caught:
            async with ml.embed(model_id, ROWS, batch=10, concurrency=2) as embedded:
                async for row, _ in embedded:
                    seen.append(row)
                    if row == "row 55":
                        emulator.faults.drop(times=None)
    error = caught.value
    assert isinstance(error.__cause__, ConnectError)
    assert seen == ROWS[: error.start]
    assert error.rows == ROWS[error.start : error.start + 10]


async def test_trouble_that_passes_is_not_noticed() -> None:
    emulator = Emulator()
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        model_id = await model(ml)
        emulator.faults.throttle(times=2, every=3)
        emulator.faults.drop(times=2, every=5)
        emulator.faults.cut(times=1, every=7)
        emulator.faults.fail(503, times=2, every=11)
        async with ml.embed(model_id, ROWS, batch=10, concurrency=3) as embedded:
            assert [row async for row, _ in embedded] == ROWS


@pytest.mark.parametrize(("model_id", "cause"), [("nope", NotFound), ("a/b", NotFound)])
async def test_an_unknown_model_fails_the_first_batch(model_id: str, cause: type[Exception]) -> None:
    async with Emulator().serve() as url, Session(url) as ml:
        with pytest.raises(BatchFailed, match=r"batch 0 \(rows 0 to 63\)") as caught:
            async with ml.embed(model_id, ROWS) as embedded:
                await anext(embedded)
        assert isinstance(caught.value.__cause__, cause)


async def test_a_model_that_is_undeployed_halfway_says_so() -> None:
    async with Emulator().serve() as url, Session(url) as ml:
        model_id = await model(ml)
        with pytest.raises(BatchFailed) as caught:
            async with ml.embed(model_id, ROWS, batch=10, concurrency=1) as embedded:
                async for row, _ in embedded:
                    if row == "row 15":
                        await ml.models.undeploy(model_id)
        assert isinstance(caught.value.__cause__, ModelNotReady)


async def test_a_server_that_stays_broken_is_named_after_some_tries() -> None:
    emulator = Emulator()
    async with emulator.serve() as url, Session(url, backoff=NOW, retries=2) as ml:
        model_id = await model(ml)
        emulator.faults.fail(503, times=None)
        with pytest.raises(BatchFailed) as caught:
            async with ml.embed(model_id, ROWS, concurrency=1) as embedded:
                await anext(embedded)
        cause = caught.value.__cause__
        assert isinstance(cause, ServerError)
        assert str(caught.value).endswith(f"[x-opaque-id {cause.opaque_id}, sent 3 times]")
        assert str(caught.value).count("x-opaque-id") == 1
