"""Searches: documents are of the class that was asked for."""

from __future__ import annotations

from typing import Any, TypedDict, assert_type

import attrs

from aiomlcommons import Session
from aiomlcommons.api.common import Hit, Hits
from aiomlcommons.queries import hybrid, knn, neural
from aiomlcommons.searching.index_search import IndexSearch
from aiomlcommons.searching.plan import Plan
from aiomlcommons.searching.text_search import TextHits, TextSearch


@attrs.frozen
class Verse:
    text: str


class Row(TypedDict):
    text: str


async def search(ml: Session) -> None:
    assert_type(ml.search("docs"), IndexSearch[dict[str, Any]])
    assert_type(await ml.search("docs", {"match_all": {}}, size=5, aggs={}), Hits[dict[str, Any]])
    hits = await ml.search("docs", neural("v", "a", model_id="m"), into=Verse)
    assert_type(hits, Hits[Verse])
    assert_type(hits[0].source, Verse)
    assert_type((await ml.search("docs", into=Row))[0].source["text"], str)
    assert_type((await ml.search("docs", into=lambda document: len(document)))[0].source, int)
    async for hit in ml.search("docs", knn("v", [1.0], k=1), into=Verse):
        assert_type(hit, Hit[Verse])
    ml.search("docs", "a text")  # type: ignore[call-overload]  # pyright: ignore
    ml.search("docs", hybrid({"match": {}}), size="5")  # type: ignore[call-overload]  # pyright: ignore


async def search_text(ml: Session) -> None:
    assert_type(ml.search_text("docs", "a text", into=Verse), TextSearch[Verse])
    assert_type(await ml.search_text("docs", "a text", "m", k=5), TextHits[dict[str, Any]])
    found = await ml.search_text("docs", "a text", into=Verse)
    assert_type(found.sent, Plan | None)
    assert_type([hit async for hit in ml.search_text("docs", "a text", into=Verse)], list[Hit[Verse]])
    assert_type(await ml.search_text("docs", "a text").plan(), Plan)
