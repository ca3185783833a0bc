"""Searches: a page when awaited, everything when iterated."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from aiomlcommons import DecodeError, HttpRequest, HttpResponse, InvalidRequest, NotFound, Session, emulator
from aiomlcommons.api.common import Hit
from aiomlcommons.api.search import without
from aiomlcommons.net.transport import Timeout
from tests.support.recording_server import reply, serve
from tests.wire.recordings import HERE, exchanges


@pytest_asyncio.fixture
async def ml() -> AsyncGenerator[Session]:
    async with emulator.serve() as url, Session(url) as ml:
        for number in range(25):
            await ml.model_groups.register(f"group {number:02}", description="even" if number % 2 == 0 else "odd")
        yield ml


def page_of(*ids: str, **more: Any) -> dict[str, Any]:
    """The answer to a search that found these documents."""
    hits = [{"_index": "i", "_id": key, "_score": None, **more} for key in ids]
    head = {"took": 1, "timed_out": False, "_shards": {"total": 1, "successful": 1, "failed": 0}}
    return {**head, "hits": {"max_score": None, "hits": hits}}


@pytest.mark.asyncio
async def test_awaiting_gives_one_page(ml: Session) -> None:
    hits = await ml.model_groups.search({"size": 3})
    assert (len(hits), hits.total, hits.total_is_exact) == (3, 25, True)
    assert all((hit.source.name or "").startswith("group ") for hit in hits)


@pytest.mark.parametrize(
    ("total", "told"),
    [
        ({"value": 10_000, "relation": "gte"}, (10_000, False)),
        ({"value": 10_000, "relation": "eq"}, (10_000, True)),
        (None, (1, True)),
    ],
)
@pytest.mark.asyncio
async def test_a_total_says_whether_the_server_counted_to_the_end(total: Any, told: tuple[int, bool]) -> None:
    page = page_of("a")
    if total:
        page["hits"]["total"] = total
    async with serve(reply(page)) as server, Session(server.url) as ml:
        hits = await ml.model_groups.search()
        assert (hits.total, hits.total_is_exact) == told


@pytest.mark.parametrize("size", [1, 7, 24, 25, 26, 100])
@pytest.mark.asyncio
async def test_iterating_gives_every_hit_once_whatever_the_page(ml: Session, size: int) -> None:
    names = [hit.source.name async for hit in ml.model_groups.search({"size": size})]
    assert sorted(filter(None, names)) == [f"group {number:02}" for number in range(25)]


@pytest.mark.asyncio
async def test_iterating_without_a_body_gives_every_hit(ml: Session) -> None:
    assert len([hit async for hit in ml.model_groups.search()]) == 25


@pytest.mark.asyncio
async def test_iterating_keeps_the_query_and_the_order(ml: Session) -> None:
    body = {"query": {"match": {"description": "odd"}}, "sort": [{"created_time": "desc"}], "size": 5}
    times = [hit.source.created_time async for hit in ml.model_groups.search(body)]
    assert len(times) == 12
    assert times == sorted(times, key=lambda time: -(time or 0))


@pytest.mark.asyncio
async def test_a_sort_that_is_no_list_is_kept(ml: Session) -> None:
    assert len([hit async for hit in ml.model_groups.search({"sort": {"created_time": "asc"}, "size": 10})]) == 25


@pytest.mark.parametrize("start", [0, 3, 9, 24, 25])
@pytest.mark.asyncio
async def test_hits_are_left_out_at_the_beginning_only(ml: Session, start: int) -> None:
    body = {"sort": [{"created_time": "asc"}], "size": 4}
    every = [hit.id async for hit in ml.model_groups.search(body)]
    assert [hit.id async for hit in ml.model_groups.search({**body, "from": start})] == every[start:]


@pytest.mark.asyncio
async def test_no_page_both_leaves_hits_out_and_goes_on_after_one() -> None:
    async with serve(reply(page_of("a", sort=["a"])), reply(page_of())) as server, Session(server.url) as ml:
        assert [hit.id async for hit in ml.tasks.search({"from": 3, "size": 1})] == ["a"]
    first, second = (heard.json() for heard in server.heard)
    assert (first["from"], "search_after" in first) == (3, False)
    assert ("from" in second, second["search_after"]) == (False, ["a"])


@pytest.mark.parametrize("size", [0, -1, "10", None, True, 2.5])
@pytest.mark.asyncio
async def test_a_size_that_makes_no_pages_is_refused_before_the_network(size: Any) -> None:
    async with serve(reply(page_of())) as server, Session(server.url) as ml:
        with pytest.raises(InvalidRequest, match=r"^size must be a positive integer"):
            [hit async for hit in ml.tasks.search({"size": size})]
    assert server.heard == []


@pytest.mark.parametrize("body", ["all", None, [], Hit(index="i", id="a", score=None)])
@pytest.mark.asyncio
async def test_a_body_that_is_no_object_is_refused_before_the_network(body: Any) -> None:
    async with serve(reply(page_of())) as server, Session(server.url) as ml:
        for search in (ml.models.search, ml.tasks.search):
            with pytest.raises(InvalidRequest, match=r"^the body of a search must be a dict such as .*, not [\w:]+"):
                search(body)
    assert server.heard == []


@pytest.mark.asyncio
async def test_a_page_that_nobody_can_go_on_after_is_an_error() -> None:
    async with serve(reply(page_of("a", "b"))) as server, Session(server.url) as ml:
        found = aiter(ml.tasks.search({"size": 2}))
        assert [(await anext(found)).id, (await anext(found)).id] == ["a", "b"]
        with pytest.raises(DecodeError, match=r"has no sort.*_search"):
            await anext(found)
    assert len(server.heard) == 1


@pytest.mark.asyncio
async def test_chunks_of_model_files_are_left_out_of_model_searches() -> None:
    heard = []

    async def network(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        heard.append(orjson.loads(request.body or b""))
        page = {"took": 1, "timed_out": False, "_shards": {"total": 1, "successful": 1, "failed": 0}}
        return HttpResponse(
            200, orjson.dumps({**page, "hits": {"max_score": None, "hits": []}}), {"content-type": "application/json"}
        )

    async with Session(transport=network) as ml:
        await ml.models.search()
        await ml.models.search({"query": {"match_all": {}}, "size": 2})
    no_chunks = [{"exists": {"field": "chunk_number"}}]
    assert heard == [
        {"query": {"bool": {"must_not": no_chunks}}},
        {"query": {"bool": {"must_not": no_chunks, "must": [{"match_all": {}}]}}, "size": 2},
    ]


@pytest.mark.asyncio
async def test_before_the_first_task_an_old_server_has_nothing_to_search() -> None:
    (missing,) = [e for e in exchanges([HERE / "ml-commons-2.4.1.jsonl"]) if e.case == "tasks.search_before_any"]

    async def network(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        return missing.response

    async with Session(transport=network) as ml:
        assert (await ml.tasks.search()).total == 0
        assert [hit async for hit in ml.tasks.search()] == []


@pytest.mark.asyncio
async def test_any_other_missing_thing_is_an_error() -> None:
    async def network(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        return HttpResponse(
            404, b'{"error": {"type": "status_exception", "reason": "no"}}', {"content-type": "application/json"}
        )

    async with Session(transport=network) as ml:
        with pytest.raises(NotFound):
            await ml.tasks.search()


def test_leaving_out_keeps_the_rest_of_the_body() -> None:
    assert without("x", {"size": 1}) == {"size": 1, "query": {"bool": {"must_not": [{"exists": {"field": "x"}}]}}}
