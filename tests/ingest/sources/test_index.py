"""An index as a source: the requests that it sends, and the rows of the responses.

``tests/opensearch/test_sources_index.py`` reads a real one.
"""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons import ApiError, InvalidRequest, Session, Unavailable
from aiomlcommons.inference.fields import FieldMap
from aiomlcommons.ingest.sinks import IndexSink
from aiomlcommons.ingest.sources import IndexSource, IterableSource, MappedSource, SourceError, with_stall_timeout
from tests.support.jobs import NOW
from tests.support.recording_server import Server, reply, serve
from tests.support.searched_index import MISSING, Index
from tests.support.sources import check_positions, read_one, rows_of


def expected(ids: list[str]) -> list[dict[str, str]]:
    return [{"text": f"text of {key}", "_id": key} for key in sorted(ids)]


def searches(index: Index) -> list[Any]:
    return [body for method, path, body in index.heard if method == "GET" and "/_search" in path]


async def check_reading(ids: list[str], size: int, expires: int) -> None:
    index = Index(ids, expires)
    async with serve(index.answer) as server, Session(server.url, backoff=NOW) as ml:
        assert await check_positions(lambda: IndexSource(ml, "books", size=size)) == expected(ids)
        assert index.open == {}, "points in time are left open"


@settings(max_examples=25, deadline=None)
@given(ids=st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=12), size=st.integers(1, 5))
def test_reading_on_from_any_position_gives_exactly_the_rest(ids: list[str], size: int) -> None:
    asyncio.run(check_reading(ids, size, expires=1_000_000))


@settings(max_examples=25, deadline=None)
@given(ids=st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=12), expires=st.integers(1, 3))
def test_a_lost_point_in_time_is_opened_anew_after_the_last_document(ids: list[str], expires: int) -> None:
    asyncio.run(check_reading(ids, 2, expires))


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [1, 2, 3, 4])
async def test_documents_of_several_indices_with_one_id_are_all_read(size: int) -> None:
    index = Index(["a", "b", "c"], indices=("books-1", "books-2", "books-3"))
    async with serve(index.answer) as server, Session(server.url, backoff=NOW) as ml:
        rows: list[Any] = await check_positions(lambda: IndexSource(ml, "books-*", size=size))
    assert [row["_id"] for row in rows] == list("aaabbbccc")


@pytest.mark.asyncio
async def test_no_name_does_not_stand_for_all_indices() -> None:
    async with Session("http://127.0.0.1:9") as ml:
        with pytest.raises(InvalidRequest, match=r"an index to read must have a name; '\*' stands for all of them"):
            IndexSource(ml, "")
        for name in ("", " ", "*", "_all", "a,b", "docs-?"):
            with pytest.raises(InvalidRequest, match=r"is not the name of one index or alias to write into"):
                IndexSink(ml, name)


@pytest.mark.asyncio
async def test_what_is_asked_for_reaches_the_server() -> None:
    index = Index(["a", "b", "c"])
    async with serve(index.answer) as server, Session(server.url, backoff=NOW) as ml:
        query = {"term": {"kind": "novel"}}
        source = IndexSource(ml, "bö/oks", query=query, fields=["text"], size=2, keep_alive="2m")
        await rows_of(source)
        assert await source.count() == 3
    path = "/b%C3%B6%2Foks"
    assert index.heard[0][:2] == (
        "POST",
        f"{path}/_search/point_in_time?keep_alive=2m&allow_partial_pit_creation=false",
    )
    assert index.heard[1][:2] == ("GET", "/_search?search_pipeline=_none&allow_partial_search_results=false")
    sort = [{"_id": "asc"}, {"_index": "asc"}]
    asked = {"size": 2, "pit": {"id": "pit-1", "keep_alive": "2m"}, "sort": sort, "track_total_hits": False}
    asked |= {"query": query, "_source": ["text"]}
    assert searches(index) == [asked, *[{**asked, "search_after": [key, "books"]} for key in "bc"]]
    assert index.heard[-2] == ("DELETE", "/_search/point_in_time", {"pit_id": ["pit-1"]})
    assert index.heard[-1] == ("GET", f"{path}/_count", {"query": query})
    assert source.name == 'bö/oks {"term":{"kind":"novel"}}'


@pytest.mark.asyncio
async def test_leaving_early_gives_the_point_in_time_back() -> None:
    index = Index(["a", "b", "c"])
    async with serve(index.answer) as server, Session(server.url, backoff=NOW) as ml:
        assert (await read_one(IndexSource(ml, "books", size=1))).rows == expected(["a"])
        assert (index.opened, index.open) == (1, {})


@pytest.mark.asyncio
async def test_a_failed_search_gives_the_point_in_time_back_and_is_raised() -> None:
    async def fails(request: web.BaseRequest) -> web.StreamResponse:
        return reply({"error": {"type": "x", "reason": "no"}, "status": 400}, 400)

    index = Index(["a"])
    async with serve(index.answer, index.answer, fails, index.answer) as server, Session(server.url, backoff=NOW) as ml:
        with pytest.raises(ApiError, match="no"):
            await rows_of(IndexSource(ml, "books"))
        assert (index.opened, index.open) == (1, {})


@pytest.mark.asyncio
async def test_a_point_in_time_that_cannot_be_given_back_does_not_spoil_the_reading() -> None:
    index = Index(["a"])

    async def refuses(request: web.BaseRequest) -> web.StreamResponse:
        return reply(MISSING, 404)

    answers = (index.answer, index.answer, index.answer, index.answer, refuses)
    async with serve(*answers) as server, Session(server.url, backoff=NOW) as ml:
        assert await rows_of(IndexSource(ml, "books")) == expected(["a"])
        assert heard(server) == ["POST", "GET", "GET", "GET", "DELETE"]


def heard(server: Server) -> list[str]:
    return [one.method for one in server.heard]


@pytest.mark.asyncio
async def test_a_search_that_fails_in_passing_is_repeated() -> None:
    index = Index(["a"])

    async def busy(request: web.BaseRequest) -> web.StreamResponse:
        return reply({"error": "busy"}, 503)

    async with serve(index.answer, index.answer, busy, index.answer) as server, Session(server.url, backoff=NOW) as ml:
        assert await rows_of(IndexSource(ml, "books")) == expected(["a"])


SHARDS = {
    "error": {
        "root_cause": [{"type": "no_shard_available_action_exception", "reason": "-"}],
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
    },
}


@pytest.mark.asyncio
async def test_a_cluster_that_restarts_is_waited_for_by_each_request() -> None:
    index = Index(["a", "b", "c"], expires=2)

    async def recovers(request: web.BaseRequest) -> web.StreamResponse:
        return reply({**SHARDS, "status": 404}, 404)

    # The count, the point in time and the search are retried for longer than the session alone would.
    answers = [*[recovers] * 6, index.answer] * 3
    async with serve(reply(), *answers, index.answer) as server, Session(server.url, backoff=NOW) as ml:
        await ml.version()
        source = IndexSource(ml, "books", size=1)
        assert await source.count() == 3
        assert await rows_of(source) == expected(["a", "b", "c"])
        impatient = attrs.evolve(source, stall_timeout=0)
        server.answers[:] = [recovers] * 6
        with pytest.raises(Unavailable):
            await impatient.count()


def test_a_job_sets_the_stall_timeout_of_a_source_that_it_reads_from_an_index() -> None:
    index = IndexSource(Session(), "books")
    mapped = MappedSource(index, FieldMap({"text": "title"}))
    assert with_stall_timeout(index, 7) == attrs.evolve(index, stall_timeout=7)
    assert with_stall_timeout(mapped, 7) == attrs.evolve(mapped, source=attrs.evolve(index, stall_timeout=7))
    other = IterableSource([])
    assert with_stall_timeout(other, 7) is other


@pytest.mark.asyncio
async def test_a_reading_by_shards_cannot_be_read_on() -> None:
    index = Index(["a", "b"], expires=1)
    async with serve(index.answer) as server, Session(server.url, backoff=NOW) as ml:
        source = IndexSource(ml, "books", size=1, sort="_shard_doc")
        with pytest.raises(SourceError, match="books cannot resume without its point in time, which has expired"):
            await rows_of(source)
        with pytest.raises(SourceError, match="only a reading sorted by _id can"):
            await rows_of(source, ["a"], 1)
        assert searches(index)[0]["sort"] == [{"_shard_doc": "asc"}]


def test_no_other_order_is_taken() -> None:
    with pytest.raises(ValueError, match="sort"):
        IndexSource(Session(), "books", sort="price")


@pytest.mark.asyncio
async def test_whole_numbers_of_any_length_keep_their_digits() -> None:
    hit = b'{"_id":"a","_source":{"n":123456789012345678901234567890},"sort":["a","i"]}'
    pages = [b'{"pit_id":"p","hits":{"hits":[%b]}}' % hits for hits in (hit, b"")]
    answers = [web.Response(body=page, content_type="application/json") for page in pages]
    first = reply({"pit_id": "p"}), reply({"version": {"number": "3.8.0"}})
    async with serve(*first, *answers, reply({})) as server, Session(server.url) as ml:
        rows = [row async for page in IndexSource(ml, "i").read() for row in page.rows]
    assert rows == [{"n": 123456789012345678901234567890, "_id": "a"}]
