"""``ml.search_text`` on an emulator: what it finds, what it says that it sent, and what it asks before."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
import pytest_asyncio

from aiomlcommons import InvalidRequest, NotSearchable, Session
from aiomlcommons.emulator import AT_ONCE, Cluster, Emulator
from aiomlcommons.emulator.cluster import PLUGINS
from aiomlcommons.ingest import IndexSink
from aiomlcommons.queries import knn, neural
from aiomlcommons.searching.text_search import TextHits
from tests.support.served_emulator import NOW, ServedEmulator

pytestmark = pytest.mark.asyncio
MODEL = "all-MiniLM-L6-v2"
TEXTS = {
    "ant": "Go to the ant, thou sluggard; consider her ways, and be wise.",
    "answer": "A soft answer turneth away wrath: but grievous words stir up anger.",
    "born": "A time to be born, and a time to die.",
}


@dataclasses.dataclass
class Verse:
    text: str


@asynccontextmanager
async def filled(emulated: Emulator) -> AsyncGenerator[ServedEmulator]:
    """Serve an emulator with a model and an index of three texts with their vectors."""
    async with emulated.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        model_id = await ml.models.ensure(MODEL, backoff=NOW)
        await ml.indices.create_for(model_id, index="docs")
        rows = [{"id": key, "text": text} for key, text in TEXTS.items()]
        await ml.ingest(rows, model=model_id, sink=IndexSink(ml, "docs"))
        yield ServedEmulator(emulated, url, ml)


@pytest_asyncio.fixture
async def served() -> AsyncGenerator[ServedEmulator]:
    async with filled(Emulator(refresh=AT_ONCE)) as found:
        yield found


async def test_the_first_try_finds_the_text_and_says_what_was_sent(served: ServedEmulator) -> None:
    hits = await served.ml.search_text("docs", "a soft answer", MODEL, into=Verse)
    assert isinstance(hits, TextHits)
    assert hits[0].id == "answer"
    assert hits[0].source == Verse(TEXTS["answer"])
    plan = hits.sent
    assert plan is not None
    assert (plan.index, plan.field) == ("docs", "embedding")
    assert plan.model_id == (await served.ml.models.ensure(MODEL, backoff=NOW)).model_id
    assert f"model huggingface/sentence-transformers/{MODEL}" in str(plan)
    _, _, body = str(plan).partition("POST /docs/_search\n")
    sent = orjson.loads(body)
    assert sent["_source"] == {"excludes": ["embedding"]}
    assert plan.to_dict()["reasons"] == list(plan.reasons)
    assert hits.to_dict()["hits"]["hits"][0]["_source"] == {"text": TEXTS["answer"]}


async def test_a_node_without_neural_search_finds_the_same_by_the_vector_of_the_client() -> None:
    found = {}
    for plugins in (PLUGINS, [name for name in PLUGINS if name != "opensearch-neural-search"]):
        async with filled(Emulator(Cluster(plugins=tuple(plugins)), refresh=AT_ONCE)) as served:
            hits = await served.ml.search_text("docs", "a soft answer", MODEL, hybrid=False)
            assert hits.sent is not None
            found[hits.sent.kind] = [(hit.id, hit.score) for hit in hits]
            query = neural("embedding", "a soft answer", model_id=hits.sent.model_id)
            if hits.sent.kind == "knn":
                with pytest.raises(NotSearchable, match=r"does not know 'neural' queries: install opensearch-neural-"):
                    await served.ml.search("docs", query)
    assert list(found) == ["neural", "knn"]
    assert found["neural"] == found["knn"]


async def test_the_plan_is_made_once_and_searches_nothing(
    served: ServedEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    search = served.ml.search_text("docs", "a soft answer", MODEL)
    with caplog.at_level(logging.DEBUG, "aiomlcommons"):
        plan = await search.plan()
        asked = [record.message for record in caplog.records if "_mapping" in record.message]
        assert not [
            record for record in caplog.records if "/docs/_search" in record.message and "200" in record.message
        ]
        assert await search.plan() is plan
        assert (await search).sent is plan
    assert [record.message for record in caplog.records if "_mapping" in record.message] == asked
    same = await served.ml.search("docs", plan.query, search_pipeline=plan.search_pipeline)
    assert [hit.id for hit in same] == [hit.id for hit in await search]


async def test_every_hit_comes_page_after_page(served: ServedEmulator) -> None:
    found = [hit.id async for hit in served.ml.search_text("docs", "a time to die", MODEL, size=1)]
    assert found[0] == "born"
    assert sorted(found) == sorted(TEXTS)


async def test_a_long_vector_is_shown_by_its_beginning(served: ServedEmulator) -> None:
    vector = await served.ml.embed_one(await served.ml.models.ensure(MODEL, backoff=NOW), "a")
    hits = await served.ml.search("docs", knn("embedding", vector, k=1))
    assert len(hits) == 1
    plan = await served.ml.search_text("docs", "a", MODEL, size=1, aggs={"a": {"avg": {"field": "b"}}}).plan()
    assert plan.request.body is not None
    assert plan.request.body["aggs"] == {"a": {"avg": {"field": "b"}}}
    assert len(str(plan)) < 2_000


async def test_a_missing_index_is_said_with_the_names_that_are_near(served: ServedEmulator) -> None:
    with pytest.raises(NotSearchable, match="there is no index 'doc'; did you mean 'docs'"):
        await served.ml.search_text("doc", "a", MODEL)
    with pytest.raises(NotSearchable, match=r"there is no index 'verses'; ml.indices.create_for makes one"):
        await served.ml.search_text("verses", "a", MODEL)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"text": " "}, "text must be a text with a word in it"),
        ({"text": 7}, "text must be a text with a word in it, not 7"),
        ({"filter": {"a": 1, "b": 2}}, "filter must have one kind of query as its only key"),
        ({"k": 0}, "k must be a whole number of at least 1, not 0"),
        ({"into": 7}, "into must be a class or a function"),
        ({"query": {"match_all": {}}}, "ml.search_text takes no query: send the query of its plan, or your own, by ml"),
        ({"from_": 10}, "ml.search_text takes no from_: send the query of its plan"),
    ],
)
async def test_wrong_options_are_refused_where_they_are_given(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        Session().search_text("docs", **{"text": "a", **options})


async def test_a_size_that_is_none_is_refused_where_it_is_given() -> None:
    for size, error in (("5", TypeError), (-1, ValueError)):
        with pytest.raises(error, match="size must be a whole number of at least 0, not"):
            Session().search_text("docs", text="a", size=size)  # type: ignore[arg-type]


async def test_a_search_says_what_to_write_in_place_of_a_with(served: ServedEmulator) -> None:
    with pytest.raises(TypeError, match="`await` before it for one page"):
        async with served.ml.search_text("docs", "a", MODEL):  # type: ignore[attr-defined]
            pass
