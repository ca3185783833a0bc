"""The subset of the query DSL."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons import BadRequest, Session

pytestmark = pytest.mark.asyncio

NAMES = ["alpha one", "beta two", "gamma two"]

QUERIES: list[tuple[dict[str, Any], list[str]]] = [
    ({"match_all": {}}, NAMES),
    ({"match_none": {}}, []),
    ({"term": {"name.keyword": "alpha one"}}, ["alpha one"]),
    ({"term": {"name.keyword": {"value": "alpha one"}}}, ["alpha one"]),
    ({"terms": {"name.keyword": ["alpha one", "beta two", "x"]}}, ["alpha one", "beta two"]),
    ({"match": {"name": "TWO"}}, ["beta two", "gamma two"]),
    ({"match": {"name": {"query": "one beta"}}}, ["alpha one", "beta two"]),
    ({"prefix": {"name.keyword": "ga"}}, ["gamma two"]),
    ({"wildcard": {"name.keyword": "*a t*"}}, ["beta two", "gamma two"]),
    ({"exists": {"field": "description"}}, ["beta two"]),
    ({"range": {"latest_version": {"gte": 0, "lt": 1}}}, NAMES),
    ({"range": {"latest_version": {"gt": 0}}}, []),
    ({"range": {"no_such_field": {"gt": 0}}}, []),
    ({"ids": {"values": ["nope"]}}, []),
    ({"bool": {}}, NAMES),
    ({"bool": {"must_not": {"exists": {"field": "description"}}}}, ["alpha one", "gamma two"]),
    ({"bool": {"must": [{"match": {"name": "two"}}], "filter": {"prefix": {"name": "b"}}}}, ["beta two"]),
    ({"bool": {"should": [{"match": {"name": "one"}}, {"match": {"name": "beta"}}]}}, ["alpha one", "beta two"]),
    ({"bool": {"must": [{"match_all": {}}], "should": [{"match": {"name": "one"}}]}}, NAMES),
]


async def _register(ml: Session) -> None:
    for name in NAMES:
        await ml.model_groups.register(name, description="d" if name.startswith("beta") else None)


@pytest.mark.parametrize(("query", "names"), QUERIES)
async def test_a_query_finds_what_it_asks_for(ml: Session, query: dict[str, Any], names: list[str]) -> None:
    await _register(ml)
    found = await ml.model_groups.search({"query": query})
    assert [hit.source.name for hit in found] == names
    assert found.total == len(names)


async def test_pages_are_sorted_and_counted_whole(ml: Session) -> None:
    await _register(ml)
    body = {"sort": [{"name.keyword": {"order": "desc"}}, "_id"], "from": 1, "size": 2}
    found = await ml.model_groups.search(body)
    assert [hit.source.name for hit in found] == ["beta two", "alpha one"]
    first = found[0]
    assert (found.total, first.sort, first.score) == (3, ["beta two", first.id], None)


async def test_what_has_no_value_is_sorted_last(ml: Session) -> None:
    await _register(ml)
    found = await ml.model_groups.search({"sort": "description"})
    assert found[0].source.name == "beta two"


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        (["name", "acc*"], {"name", "access"}),
        ("name", {"name"}),
        ({"includes": ["name"]}, {"name"}),
        ({"excludes": ["*_time"]}, {"name", "access", "latest_version"}),
        (False, None),
    ],
)
async def test_only_the_wanted_part_of_a_document_is_shown(ml: Session, wanted: Any, keys: set[str] | None) -> None:
    await ml.model_groups.register("a")
    body = {"_source": wanted}
    (hit,) = (await ml.request("POST", "/_plugins/_ml/model_groups/_search", body=body)).json()["hits"]["hits"]
    assert (set(hit["_source"]) if "_source" in hit else None) == keys


async def test_an_index_that_does_not_exist_yet_is_an_empty_page(ml: Session) -> None:
    found = await ml.connectors.search()
    assert (len(found), found.total, found.shards.total) == (0, 0, 0)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ({"query": {"nope": {}}}, "parsing_exception", r"unknown query \[nope\]"),
        ({"query": {"bool": {"must": [{"nope": {}}]}}}, "parsing_exception", r"unknown query \[nope\]"),
        ({"query": {}, "from": 9_991}, "search_phase_execution_exception", "all shards failed"),
        ({"query": {"term": {"a": 1}, "match_all": {}}}, "parsing_exception", "malformed query"),
    ],
)
async def test_a_search_that_the_server_refuses_is_refused(
    ml: Session, body: dict[str, Any], kind: str, words: str
) -> None:
    await _register(ml)
    with pytest.raises(BadRequest, match=words) as caught:
        await ml.model_groups.search(body)
    assert caught.value.type == kind
