"""A real index as a source: reading, resuming, and a lost point in time."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import orjson
import pytest
import pytest_asyncio

from aiomlcommons import ApiError, NotFound, Session
from aiomlcommons.ingest.sources import IndexSource
from tests.support.sources import check_positions, flat, rows_of

pytestmark = pytest.mark.asyncio
COUNT = 250


@pytest_asyncio.fixture
async def ml(opensearch_url: str) -> AsyncIterator[Session]:
    async with Session(opensearch_url) as session:
        yield session


@pytest_asyncio.fixture
async def index(ml: Session) -> str:
    name = f"books-{uuid.uuid4().hex}"
    await ml.request("PUT", f"/{name}", body={"settings": {"number_of_shards": 3, "number_of_replicas": 0}})
    await add(ml, name, 0, COUNT)
    return name


async def add(ml: Session, index: str, first: int, end: int) -> None:
    lines = [line for n in range(first, end) for line in ({"index": {"_id": f"{n:05}"}}, {"n": n, "text": f"text {n}"})]
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    await ml.request("POST", f"/{index}/_bulk", query={"refresh": "true"}, body=body)


async def lose_points_in_time(ml: Session) -> None:
    await ml.request("DELETE", "/_search/point_in_time/_all")


async def open_points_in_time(ml: Session) -> list[Any]:
    try:
        answer = await ml.request("GET", "/_search/point_in_time/_all")
    except NotFound:
        return []
    return list(answer.json().get("pits", []))


def expected(count: int) -> list[dict[str, Any]]:
    return [{"n": n, "text": f"text {n}", "_id": f"{n:05}"} for n in range(count)]


async def test_reading_on_from_any_position_gives_exactly_the_rest(ml: Session, index: str) -> None:
    assert await check_positions(lambda: IndexSource(ml, index, size=40)) == expected(COUNT)
    assert await IndexSource(ml, index).count() == COUNT
    assert await open_points_in_time(ml) == []


async def test_a_query_and_fields_choose(ml: Session, index: str) -> None:
    source = IndexSource(ml, index, query={"range": {"n": {"lt": 3}}}, fields=["n"])
    assert await rows_of(source) == [{"n": n, "_id": f"{n:05}"} for n in range(3)]
    assert await source.count() == 3


async def test_documents_that_come_later_are_not_seen(ml: Session, index: str) -> None:
    async with aclosing(IndexSource(ml, index, size=100).read()) as reading:
        batches = [await anext(reading)]
        await add(ml, index, COUNT, COUNT + 50)
        batches += [rows async for rows in reading]
    assert flat(batches) == expected(COUNT)


async def test_a_lost_point_in_time_is_opened_anew_after_the_last_document(ml: Session, index: str) -> None:
    batches = []
    async with aclosing(IndexSource(ml, index, size=100).read()) as reading:
        async for rows in reading:
            batches.append(rows)
            await lose_points_in_time(ml)
    assert flat(batches) == expected(COUNT)
    assert await open_points_in_time(ml) == []


async def test_a_reading_by_shards_gives_all(ml: Session, index: str) -> None:
    rows = await rows_of(IndexSource(ml, index, size=40, sort="_shard_doc"))
    assert sorted((dict(row) for row in rows), key=lambda row: row["n"]) == expected(COUNT)  # type: ignore[arg-type]


async def test_an_index_that_is_not_there_is_named(ml: Session) -> None:
    with pytest.raises(ApiError, match=r"no such index \[nowhere\]"):
        await rows_of(IndexSource(ml, "nowhere"))
