"""Pages of a search: what is asked for after each, by a server that a test scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from aiomlcommons import BadRequest, InvalidRequest, NotSearchable, Session
from aiomlcommons.queries import hybrid, neural
from aiomlcommons.searching.paging import PAGE, WINDOW
from tests.support.recording_server import Server, reply, serve

pytestmark = pytest.mark.asyncio
MATCH = {"match": {"text": "wisdom"}}


def page(
    scores: Sequence[float | None], total: int | None, *, first: int = 0, relation: str = "eq", failed: int = 0
) -> web.Response:
    """Return a page of hits; a score is its sort key, too."""
    hits: list[Any] = [
        {"_index": "docs", "_id": f"d{first + place}", "_score": score, "_source": {}, "sort": [score, f"d{place}"]}
        for place, score in enumerate(scores)
    ]
    shards = {"total": 2, "successful": 2 - failed, "skipped": 0, "failed": failed}
    counted = {} if total is None else {"total": {"value": total, "relation": relation}}
    return reply({"took": 1, "timed_out": False, "_shards": shards, "hits": {**counted, "max_score": 1, "hits": hits}})


def bodies(server: Server) -> list[Any]:
    return [heard.json() for heard in server.heard]


async def test_the_next_page_begins_after_the_last_hit() -> None:
    async with serve(page([0.9, 0.8], 4), page([0.7], 4)) as server, Session(server.url) as ml:
        found = [hit.score async for hit in ml.search("docs", MATCH, size=2, from_=1, track_total_hits=True)]
    assert found == [0.9, 0.8, 0.7]
    first, second = bodies(server)
    assert first["sort"] == [{"_score": "desc"}, {"_id": "asc"}, {"_index": "asc"}]
    assert (first["from"], first["track_scores"], first["track_total_hits"]) == (1, True, True)
    assert ("from" in second, second["search_after"]) == (False, [0.8, "d1"])
    asked = {heard.path.partition("?")[2] for heard in server.heard}
    assert len(asked) == 1  # one preference for all pages, by which the same copies of the shards answer
    assert "allow_partial_search_results=false" in asked.pop()


async def test_an_own_sort_and_preference_are_kept() -> None:
    async with serve(page([1.0], 1)) as server, Session(server.url) as ml:
        assert [hit.id async for hit in ml.search("docs", sort={"year": "asc"}, preference="mine")] == ["d0"]
    (body,) = bodies(server)
    assert body == {"sort": [{"year": "asc"}, {"_id": "asc"}, {"_index": "asc"}], "size": PAGE}
    assert "preference=mine" in server.heard[0].path


async def test_one_page_is_what_the_caller_says_and_no_more() -> None:
    async with serve(page([], 0)) as server, Session(server.url) as ml:
        assert not await ml.search("docs", MATCH)
        assert not await ml.search("docs", source=False, search_pipeline="p", routing="r", min_score=0.5)
    assert bodies(server) == [{"query": MATCH}, {"_source": False, "min_score": 0.5}]
    assert [heard.path for heard in server.heard] == ["/docs/_search", "/docs/_search?search_pipeline=p&routing=r"]


async def test_a_short_page_is_not_the_last_one_where_more_documents_match() -> None:
    # As a search pipeline of the index makes it, which drops hits.
    pages = page([0.9], 3), page([0.8], 3), page([], 3)
    async with serve(*pages) as server, Session(server.url) as ml:
        assert [hit.score async for hit in ml.search("docs", MATCH, size=2)] == [0.9, 0.8]
    assert len(server.heard) == 3


async def test_without_a_total_an_empty_page_is_the_last_one() -> None:
    # A short one may be of a search pipeline of the index, which drops hits.
    for counted in (None, 1):
        pages = [page(scores, counted, first=len(scores), relation="gte") for scores in ([0.9], [0.7, 0.6], [])]
        async with serve(*pages) as server, Session(server.url) as ml:
            search = ml.search("docs", MATCH, size=2, track_total_hits=counted or False)
            assert [hit.score async for hit in search] == [0.9, 0.7, 0.6]
        assert len(server.heard) == 3


async def test_hits_that_are_deleted_meanwhile_do_not_end_the_pages() -> None:
    # Each hit is deleted when it has come, so that the totals are of those that are left.
    async with serve(page([0.9, 0.8], 5), page([0.7, 0.6], 3), page([0.5], 1)) as server, Session(server.url) as ml:
        found = [hit.score async for hit in ml.search("docs", MATCH, size=2)]
    assert found == [0.9, 0.8, 0.7, 0.6, 0.5]


@pytest.mark.parametrize("options", [{}, {"sort": {"book": "asc"}}])
async def test_hits_in_another_order_are_an_error_and_not_lost(options: dict[str, Any]) -> None:
    # The first page was turned round, so that the second one begins after its best hit.
    async with serve(page([0.5, 0.5, 0.9], 4), page([0.5, 0.5, 0.4], 4)) as server, Session(server.url) as ml:
        with pytest.raises(
            NotSearchable, match=r"search pipeline of the index changed it: name it in search_pipeline="
        ):
            [hit async for hit in ml.search("docs", MATCH, size=3, **options)]


async def test_pages_of_a_search_pipeline_are_counted() -> None:
    pages = page([0.5, 0.9], 3), page([0.7], 3)
    async with serve(*pages) as server, Session(server.url) as ml:
        found = [hit.score async for hit in ml.search("docs", MATCH, size=2, search_pipeline="rerank")]
    assert found == [0.5, 0.9, 0.7]
    assert bodies(server) == [
        {"query": MATCH, "size": 2, "from": start, "track_total_hits": WINDOW + 1} for start in (0, 2)
    ]


async def test_a_counted_page_without_hits_is_not_the_last_one_where_more_documents_match() -> None:
    async with serve(page([0.5], 5), page([], 5), page([0.7], 5)) as server, Session(server.url) as ml:
        search = ml.search("docs", MATCH, size=2, search_pipeline="drops", track_total_hits=False)
        assert [hit.score async for hit in search] == [0.5, 0.7]
    assert [body["from"] for body in bodies(server)] == [0, 2, 4]


@pytest.mark.parametrize(("query", "requests"), [(MATCH, 3), (hybrid(MATCH), 2)])
async def test_a_collapsed_search_ends_before_its_total(query: dict[str, Any], requests: int) -> None:
    async with serve(page([0.9, 0.8], 9), page([0.7], 9), page([], 9)) as server, Session(server.url) as ml:
        search = ml.search("docs", query, size=2, collapse={"field": "book"})
        assert [hit.score async for hit in search] == [0.9, 0.8, 0.7]
    assert len(server.heard) == requests


async def test_pages_of_a_hybrid_query_are_counted_to_one_depth() -> None:
    pages = page([0.9, 0.8], 3), page([0.7], 3)
    combined: dict[str, Any] = {"phase_results_processors": [{"normalization-processor": {}}]}
    async with serve(*pages) as server, Session(server.url) as ml:
        query = hybrid(MATCH, neural("v", "wisdom", model_id="m"))
        assert len([hit async for hit in ml.search("docs", query, size=2, search_pipeline=combined)]) == 3
    assert [(body["from"], body["query"]["hybrid"]["pagination_depth"]) for body in bodies(server)] == [
        (0, WINDOW),
        (2, WINDOW),
    ]
    assert bodies(server)[0]["search_pipeline"] == combined


async def test_the_end_of_what_can_be_counted_is_an_error_where_there_are_more() -> None:
    pages = [page([0.5] * 4_000, 10_000, relation="gte") for _ in range(2)]
    pages.append(page([0.5] * 2_000, 10_000, relation="gte"))
    async with serve(*pages) as server, Session(server.url) as ml:
        found = 0
        with pytest.raises(NotSearchable, match=r"counted, which the server does for 10,000 hits, and there are more"):
            async for _ in ml.search("docs", MATCH, size=4_000, search_pipeline="p"):
                found += 1
    assert found == WINDOW
    assert [body["size"] for body in bodies(server)] == [4_000, 4_000, 2_000]


async def test_shards_that_fail_are_told(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(page([0.9], 1, failed=1)) as server, Session(server.url) as ml:
        assert len(await ml.search("docs")) == 1
    assert "1 of 2 shards failed a search of docs: hits may be missing" in caplog.text


@pytest.mark.parametrize(
    "rows", [[-9549511920.4881596, -4422440593.9791198, 0.7], [0.7, -4422440593.9791198, -9549511920.4881596]]
)
async def test_the_rows_between_uncombined_queries_are_an_error(rows: list[float]) -> None:
    async with serve(page(rows, 3)) as server, Session(server.url) as ml:
        with pytest.raises(NotSearchable, match=r"nothing combines .*: name in search_pipeline= one with a normaliz"):
            await ml.search("docs", hybrid(MATCH))


async def test_the_rows_between_uncombined_queries_that_are_sorted_are_known_by_their_ids() -> None:
    answer = page([None, None, None], 3).body
    assert isinstance(answer, bytes)
    rows = web.Response(body=answer.replace(b'"d1"', b'"d0"'), content_type="application/json")
    async with serve(rows, page([None, None], 2)) as server, Session(server.url) as ml:
        with pytest.raises(NotSearchable, match="nothing combines the scores"):
            await ml.search("docs", hybrid(MATCH), sort="year")
        assert len(await ml.search("docs", hybrid(MATCH), sort="year")) == 2


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("neural", r"does not know 'neural' queries: install opensearch-neural-search .* ml.search_text embeds"),
        ("hybrid", r"does not know 'hybrid' queries: install opensearch-neural-search on every node"),
        ("knn", r"does not know 'knn' queries: install opensearch-knn on every node"),
    ],
)
async def test_a_query_of_a_plugin_that_is_not_there_is_said_with_the_remedy(query: str, words: str) -> None:
    cause = {"type": "parsing_exception", "reason": f"unknown query [{query}] did you mean [nested]?"}
    async with serve(reply({"error": {**cause, "root_cause": [cause]}, "status": 400}, 400)) as server:
        async with Session(server.url) as ml:
            with pytest.raises(NotSearchable, match=words) as caught:
                await ml.search("docs", {query: {}})
    assert isinstance(caught.value.__cause__, BadRequest)


async def test_another_refusal_comes_as_it_is() -> None:
    cause = {"type": "parsing_exception", "reason": "unknown query [nested2]"}
    async with serve(reply({"error": {**cause, "root_cause": [cause]}, "status": 400}, 400)) as server:
        async with Session(server.url) as ml:
            with pytest.raises(BadRequest, match="nested2"):
                await ml.search("docs", {"nested2": {}})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": -1}, "size must be a whole number of at least 0, not -1"),
        ({"size": True}, "not True"),
        ({"from_": "2"}, "from_ must be a whole number of at least 0, not '2'"),
        ({"search_pipeline": 7}, "search_pipeline must be the name of one, or one as a dict, not int"),
        ({"ignore_unavailable": True}, r"no key of the body: `ml.documents.search\(index, body, ignore_unavailable="),
        ({"_source": False}, "_source is the parameter source: give it as source="),
        ({"query": "wisdom"}, "not str; ml.search_text takes a text"),
        ({"into": "Verse"}, "into must be a class or a function"),
    ],
)
async def test_wrong_options_are_refused_where_they_are_given(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        Session().search("docs", **options)


async def test_no_hit_of_a_page_of_none_can_be_iterated_over() -> None:
    async with Session() as ml:
        with pytest.raises(InvalidRequest, match="size must be a positive integer to iterate over every hit, not 0"):
            [hit async for hit in ml.search("docs", size=0)]
