"""Upper bound of useful concurrency, from the CPU cores that the nodes report."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from aiomlcommons import Backoff, Session, emulator
from aiomlcommons.ingest.embedding.node_capacity import first_requests, max_useful_requests
from aiomlcommons.ingest.options import JobOptions

pytestmark = pytest.mark.asyncio


def node(cores: int, *roles: str) -> dict[str, Any]:
    return {"roles": list(roles), "os": {"allocated_processors": cores}}


@asynccontextmanager
async def answering(status: int, body: Any) -> AsyncGenerator[Session]:
    async def handle(_: web.BaseRequest) -> web.Response:
        return web.json_response(body, status=status)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with Session(f"http://{host}:{port}", backoff=Backoff(first=0, cap=0)) as ml:
            yield ml
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("nodes", "most"),
    [
        ([node(2, "data", "ingest")], 8),
        ([node(2, "data"), node(4, "data"), node(16, "cluster_manager")], 24),
        ([node(2, "data"), node(4, "ml"), node(8, "ml", "data")], 48),
        ([], None),
    ],
)
async def test_cores_of_the_nodes_that_run_models_count(nodes: list[Any], most: int | None) -> None:
    async with answering(200, {"nodes": {str(number): node for number, node in enumerate(nodes)}}) as ml:
        assert await max_useful_requests(ml) == most


@pytest.mark.parametrize(("status", "body"), [(403, {"error": "no"}), (200, {}), (200, []), (200, {"nodes": {"a": 1}})])
async def test_who_is_not_told_has_no_ceiling(status: int, body: Any) -> None:
    async with answering(status, body) as ml:
        assert await max_useful_requests(ml) is None


async def test_the_emulator_tells_nothing() -> None:
    async with emulator.serve() as url, Session(url) as ml:
        assert await max_useful_requests(ml) is None


@pytest.mark.parametrize(
    ("concurrency", "most", "expected"),
    [((1, 64), None, 64), ((1, 64), 8, 8), ((16, 64), 8, 16), ((1, 4), 8, 4), (32, 8, 32)],
)
async def test_a_ceiling_lowers_the_upper_bound_and_no_number(
    concurrency: Any, most: int | None, expected: int
) -> None:
    assert JobOptions(concurrency=concurrency).limiter(most).most == expected


@pytest.mark.parametrize(
    ("most", "remote", "first"),
    [(4, False, 1), (8, False, 2), (24, False, 6), (48, False, 8), (None, False, 2), (None, True, 8)],
)
async def test_it_begins_with_a_request_for_each_core_or_eight(most: int | None, remote: bool, first: int) -> None:
    assert first_requests(most, remote=remote) == first
