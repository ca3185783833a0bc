"""LangChain: its own standard tests of embeddings, and what they do not try."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.load import dumps
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests
from pydantic import ValidationError

from aiomlcommons import Session
from aiomlcommons.integrations.langchain import MLCommonsEmbeddings, MLCommonsRerank
from tests.support.emulator_with_models import EmulatorWithModels

TEXTS = ["the cat sat on the mat", "stocks fell", "a cat"]
ELSEWHERE = "https://user:secret@host:9200"


@pytest.fixture
def world(one_world: EmulatorWithModels) -> EmulatorWithModels:
    return one_world


@pytest.fixture
def rerank(one_world: EmulatorWithModels, reranker: str) -> Iterator[MLCommonsRerank]:
    made = MLCommonsRerank(model=reranker, url=one_world.url)
    yield made
    made.close()


def documents(texts: list[str] = TEXTS) -> list[Document]:
    return [Document(text, id=str(number), metadata={"number": number}) for number, text in enumerate(texts)]


# ---- judged by LangChain -------------------------------------------------------------------------------------------


class TestUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[MLCommonsEmbeddings]:
        return MLCommonsEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "all-MiniLM-L6-v2", "url": ELSEWHERE}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        variables = {"OPENSEARCH_URL": ELSEWHERE}
        return variables, {"model": "m"}, {"model": "m", "url": "https://host:9200"}


@pytest.mark.anyio
class TestIntegration(EmbeddingsIntegrationTests):
    @pytest.fixture(autouse=True)
    def _world(self, world: EmulatorWithModels) -> None:
        self.world = world

    @pytest.fixture(autouse=True)
    def _closed(self, _world: None, model: MLCommonsEmbeddings) -> Iterator[None]:
        yield
        model.close()
        assert not any(thread.name == "aiomlcommons" for thread in threading.enumerate())

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @property
    def embeddings_class(self) -> type[MLCommonsEmbeddings]:
        return MLCommonsEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": self.world.dense, "url": self.world.url}


# ---- embeddings ----------------------------------------------------------------------------------------------------


def test_a_vector_store_searches_by_them_with_and_without_an_event_loop(world: EmulatorWithModels) -> None:
    async def search() -> list[Document]:
        await store.aadd_documents(documents())
        return await store.asimilarity_search("a cat", k=1)

    embeddings = MLCommonsEmbeddings(world.dense, world.url)
    store = InMemoryVectorStore(embeddings)
    store.add_documents(documents())
    assert [each.page_content for each in store.similarity_search("a cat", k=1)] == ["a cat"]
    assert [each.page_content for each in asyncio.run(search())] == ["a cat"]
    embeddings.close()


def test_an_open_session_embeds_on_its_event_loop(world: EmulatorWithModels) -> None:
    async def embed() -> list[list[float]]:
        async with Session(world.url) as ml:
            embeddings = MLCommonsEmbeddings(world.dense, session=ml)
            with pytest.raises(RuntimeError, match="MLCommonsEmbeddings was given an open session"):
                embeddings.embed_query("a")
            found = await embeddings.aembed_documents(TEXTS)
            assert await embeddings.aembed_query(TEXTS[0]) == found[0]
            await embeddings.aclose()
            return found

    assert asyncio.run(embed()) == world.vectors(TEXTS).tolist()


# ---- reranking -----------------------------------------------------------------------------------------------------


def test_documents_come_the_best_first_with_their_scores(
    world: EmulatorWithModels, reranker: str, rerank: MLCommonsRerank
) -> None:
    given = documents()
    scores = world.ask(lambda ml: ml.rerank(reranker, "a cat", TEXTS)).tolist()
    best = sorted(range(len(TEXTS)), key=lambda number: -scores[number])
    found = list(rerank.compress_documents(given, "a cat"))
    assert [each.metadata for each in found] == [
        {"number": number, "relevance_score": scores[number]} for number in best
    ]
    assert [(each.id, each.page_content) for each in found] == [(str(number), TEXTS[number]) for number in best]
    assert given == documents()
    assert asyncio.run(_compressed(rerank, given)) == found
    assert rerank.compress_documents([], "a cat") == []


def test_only_the_best_are_returned_in_a_chain(world: EmulatorWithModels, rerank: MLCommonsRerank) -> None:
    def found(_: str) -> list[Document]:
        return documents()

    def best(found: list[Document]) -> Sequence[Document]:
        return few.compress_documents(found, "stocks")

    few = rerank.model_copy(update={"top_n": 1})
    chain = RunnableLambda(found) | RunnableLambda(best)
    assert [each.page_content for each in chain.invoke("stocks")] == ["stocks fell"]
    assert len(asyncio.run(_compressed(few, documents()))) == 1
    with pytest.raises(ValidationError, match="greater than 0"):
        MLCommonsRerank(model="m", url=world.url, top_n=0)


async def _compressed(rerank: MLCommonsRerank, given: list[Document]) -> list[Document]:
    found = list(await rerank.acompress_documents(given, "a cat"))
    await rerank.aclose()
    return found


def test_a_copy_opens_a_session_of_its_own(rerank: MLCommonsRerank) -> None:
    expected = rerank.compress_documents(documents(), "a cat")
    for other in (pickle.loads(pickle.dumps(rerank)), copy.deepcopy(rerank)):  # noqa: S301 - made here
        assert other.compress_documents(documents(), "a cat") == expected
        other.close()


# ---- secrets -------------------------------------------------------------------------------------------------------


def test_no_password_is_shown_or_serialised() -> None:
    options = {"headers": {"x-key": "secret"}}
    rerank = MLCommonsRerank(model="m", url=ELSEWHERE, session=options)
    embeddings = MLCommonsEmbeddings("m", ELSEWHERE, session=options)
    shown = [repr(rerank), str(rerank), rerank.model_dump_json(), dumps(rerank), repr(embeddings), dumps(embeddings)]
    assert [each for each in shown if "secret" in each] == []
    assert json.loads(rerank.model_dump_json()) == {
        "model": "m", "url": "https://host:9200", "top_n": None, "batch": 64, "concurrency": 4
    }  # fmt: skip
    assert rerank.url == embeddings.url == "https://host:9200"


@pytest.mark.parametrize("wrong", [{"top_n": "secret"}, {"no": "secret"}, {"batch": 0}, {"url": "https://u:secret@:x"}])
def test_no_password_is_shown_by_an_error(wrong: dict[str, Any]) -> None:
    given = {"model": "m", "url": ELSEWHERE, "session": {"headers": {"x-key": "secret"}}, **wrong}
    with pytest.raises(ValidationError) as caught:
        MLCommonsRerank(**given)
    assert "secret" not in str(caught.value)
