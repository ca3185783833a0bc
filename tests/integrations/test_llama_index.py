"""The components for LlamaIndex: embeddings of both kinds in batches, and reranking."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from llama_index.core import VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from aiomlcommons import NotSupported, Session
from aiomlcommons.emulator.pool import CallNext
from aiomlcommons.integrations._models import weights
from aiomlcommons.integrations.llama_index import MLCommonsEmbedding, MLCommonsRerank, MLCommonsSparseEmbedding
from tests.support.emulator_with_models import EmulatorWithModels, sessions
from tests.support.seen_requests import predictions
from tests.support.served_emulator import NOW

TEXTS = [f"word{i} and {i % 7}" for i in range(10)]
EVERY = [MLCommonsEmbedding, MLCommonsSparseEmbedding, MLCommonsRerank]
URL = "https://h:9200"


@pytest.fixture(autouse=True)
def world(one_world: EmulatorWithModels, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorWithModels]:
    monkeypatch.setenv("OPENSEARCH_URL", one_world.url)
    yield one_world
    gc.collect()
    assert sessions() == 0


def sizes(seen: Any) -> list[int]:
    return sorted(len(one.body["text_docs"]) for one in seen)


def ids_of(world: EmulatorWithModels, texts: list[str]) -> list[dict[int, float]]:
    """Return the weights of the session itself."""
    found = world.ask(lambda ml: ml.sparse(world.sparse, texts, sparse_embedding_format="TOKEN_ID"))
    return [{int(token): weight for token, weight in one.items()} for one in found]


def nodes(*texts: str) -> list[NodeWithScore]:
    return [NodeWithScore(node=TextNode(text=text, id_=text), score=0.5) for text in texts]


# ---- dense ---------------------------------------------------------------------------------------------------------


def test_a_batch_is_a_request(world: EmulatorWithModels) -> None:
    embedding = MLCommonsEmbedding(world.dense, embed_batch_size=4)
    expected = world.vectors(TEXTS).tolist()
    with predictions(world) as seen:
        assert embedding.get_text_embedding_batch(TEXTS) == expected
    assert [len(one.body["text_docs"]) for one in seen] == [4, 4, 2]
    with predictions(world) as seen:
        assert asyncio.run(embedding.aget_text_embedding_batch(TEXTS)) == expected
    assert sizes(seen) == [2, 4, 4]
    assert embedding.get_text_embedding_batch([]) == asyncio.run(embedding.aget_text_embedding_batch([])) == []
    embedding.close()


def test_one_text_or_query_has_a_vector(world: EmulatorWithModels) -> None:
    embedding = MLCommonsEmbedding(world.dense)
    (expected,) = world.vectors(["one"]).tolist()
    assert embedding.get_text_embedding("one") == embedding.get_query_embedding("one") == expected
    assert asyncio.run(embedding.aget_text_embedding("one")) == expected
    assert asyncio.run(embedding.aget_query_embedding("one")) == expected
    assert embedding.get_agg_embedding_from_queries(["one", "one"]) == pytest.approx(expected)
    assert embedding.similarity(expected, expected) == pytest.approx(1.0)
    embedding.close()


def test_an_asymmetric_model_is_told_what_is_a_query_and_what_a_passage(
    world: EmulatorWithModels, asymmetric: str
) -> None:
    embedding = MLCommonsEmbedding(asymmetric)
    with predictions(world) as seen:
        embedding.get_query_embedding("a")
        asyncio.run(embedding.aget_query_embedding("a"))
        embedding.get_text_embedding("a")
        asyncio.run(embedding.aget_text_embedding("a"))
    assert [one.side for one in seen] == ["query", "query", "passage", "passage"]
    embedding.close()


def test_no_more_batches_are_under_way_than_workers(world: EmulatorWithModels) -> None:
    pair = asyncio.Barrier(2)

    async def in_pairs(_: web.BaseRequest, call_next: CallNext) -> web.StreamResponse:
        await pair.wait()
        return await call_next()

    embedding = MLCommonsEmbedding(world.dense, embed_batch_size=1, num_workers=2)
    with predictions(world) as seen:
        world.emulator.faults.add(in_pairs, times=None)
        asyncio.run(embedding.aget_text_embedding_batch(TEXTS))
    assert (len(seen), seen.most_at_once) == (10, 2)
    embedding.close()


def test_an_index_finds_and_a_pipeline_embeds(world: EmulatorWithModels, reranker: str) -> None:
    embedding = MLCommonsEmbedding(world.dense)
    rerank = MLCommonsRerank(reranker, top_n=1)
    given = [each.node for each in nodes("a cat sleeps", "a dog barks at the moon", "the moon is far away")]
    done = IngestionPipeline(transformations=[embedding], disable_cache=True).run(nodes=copy.deepcopy(given))
    vectors = np.array([node.embedding for node in done], "f4")
    np.testing.assert_array_equal(vectors, world.vectors([node.get_content() for node in done]))

    index = VectorStoreIndex(given, embed_model=embedding)
    found = index.as_retriever(similarity_top_k=2).retrieve("a dog and the moon")
    best = rerank.postprocess_nodes(found, query_str="a dog and the moon")
    assert [each.node.get_content() for each in best] == ["a dog barks at the moon"]
    assert asyncio.run(index.as_retriever(similarity_top_k=2).aretrieve("a dog and the moon")) == found
    embedding.close()
    rerank.close()


# ---- sparse --------------------------------------------------------------------------------------------------------


def test_sparse_embeddings_are_by_the_ids_of_tokens(world: EmulatorWithModels) -> None:
    embedding, expected = MLCommonsSparseEmbedding(world.sparse, embed_batch_size=4), ids_of(world, TEXTS)
    with predictions(world) as seen:
        assert embedding.get_text_embedding_batch(TEXTS) == expected
        assert asyncio.run(embedding.aget_text_embedding_batch(TEXTS)) == expected
    assert sizes(seen) == [2, 2, 4, 4, 4, 4]
    assert embedding.get_text_embedding(TEXTS[0]) == embedding.get_query_embedding(TEXTS[0]) == expected[0]
    assert asyncio.run(embedding.aget_text_embedding(TEXTS[0])) == expected[0]
    assert asyncio.run(embedding.aget_query_embedding(TEXTS[0])) == expected[0]
    assert embedding.similarity(expected[0], expected[0]) == pytest.approx(1.0)
    embedding.close()


def test_queries_may_have_another_model(world: EmulatorWithModels) -> None:
    tokenizer = str(world.ask(lambda ml: ml.models.ensure("opensearch-neural-sparse-tokenizer-v1", backoff=NOW)))
    embedding = MLCommonsSparseEmbedding(world.sparse, query_model_name=tokenizer)
    with predictions(world) as seen:
        embedding.get_text_embedding("one")
        assert set(embedding.get_query_embedding("one").values()) == {1.0}
    assert [world.sparse in one.path for one in seen] == [True, False]
    assert sessions() == 2
    asyncio.run(embedding.aclose())


def test_a_model_that_names_no_ids_of_tokens_is_refused(
    world: EmulatorWithModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding = MLCommonsSparseEmbedding(world.sparse)
    monkeypatch.setattr("aiomlcommons.integrations._token_ids.weights", lambda texts, _: weights(texts))
    with pytest.raises(NotSupported, match=f"the model {world.sparse} names tokens, such as 'cat', and not their ids"):
        embedding.get_text_embedding("cat")
    embedding.close()


# ---- reranking -----------------------------------------------------------------------------------------------------


def test_the_best_nodes_come_first_with_their_scores(world: EmulatorWithModels, reranker: str) -> None:
    rerank, texts, query = MLCommonsRerank(reranker), ["a cat", "a dog", "a dog at the moon"], "the dog at the moon"
    scores = world.ask(lambda ml: ml.rerank(reranker, query, texts)).tolist()
    given = nodes(*texts)
    given[1].node.metadata["title"] = "t"
    with predictions(world) as seen:
        best = rerank.postprocess_nodes(given, query_str=query)
        assert asyncio.run(rerank.apostprocess_nodes(given, QueryBundle(query))) == best
    assert seen[0].body["text_docs"] == ["a cat", "title: t\n\na dog", "a dog at the moon"]
    assert (best[0].score, best[0].node) == (scores[2], given[2].node)
    assert len(best) == 2
    assert [each.score for each in given] == [0.5] * 3
    rerank.close()


def test_reranking_is_told_to_callbacks(world: EmulatorWithModels, reranker: str) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    rerank = MLCommonsRerank(reranker, top_n=1, callback_manager=CallbackManager([debug]))
    best = rerank.postprocess_nodes(nodes("a cat", "a dog"), query_str="a dog")
    ((start, end),) = debug.get_event_pairs(CBEventType.RERANKING)
    assert start.payload is not None
    assert (start.payload[EventPayload.MODEL_NAME], start.payload[EventPayload.TOP_K]) == (reranker, 1)
    assert end.payload == {EventPayload.NODES: best}
    rerank.close()


def test_no_nodes_are_no_call_and_no_query_is_an_error() -> None:
    rerank = MLCommonsRerank("m")
    assert rerank.postprocess_nodes([], query_str="q") == []
    assert asyncio.run(rerank.apostprocess_nodes([], query_str="q")) == []
    with pytest.raises(ValueError, match="give query_str= or query_bundle="):
        rerank.postprocess_nodes(nodes("a"))
    with pytest.raises(ValueError, match="give query_str= or query_bundle="):
        asyncio.run(rerank.apostprocess_nodes(nodes("a")))
    assert sessions() == 0


# ---- sessions, options and storing ---------------------------------------------------------------------------------


def test_copies_open_a_session_of_their_own_and_each_is_closed(world: EmulatorWithModels) -> None:
    first = MLCommonsEmbedding(world.dense, world.url, session={"auth": ("me", "hidden")})
    vector = first.get_text_embedding("one")
    twins = [first, copy.deepcopy(first), pickle.loads(pickle.dumps(first))]  # noqa: S301 - made here
    with predictions(world) as seen:
        assert [each.get_text_embedding("one") for each in twins] == [vector] * 3
    assert {one.authorization for one in seen} == {"Basic bWU6aGlkZGVu"}
    assert sessions() == 3
    first.close()
    asyncio.run(twins[1].aclose())
    assert sessions() == 1
    twins[2].close()


def test_an_open_session_is_used_on_its_event_loop(world: EmulatorWithModels) -> None:
    async def use() -> Any:
        async with Session(world.url) as ml:
            embedding = MLCommonsEmbedding(world.dense, session=ml)
            found = await embedding.aget_text_embedding_batch(TEXTS)
            with pytest.raises(RuntimeError, match="MLCommonsEmbedding was given an open session"):
                embedding.get_query_embedding("one")
            for refuses in (pickle.dumps, copy.deepcopy):
                with pytest.raises(TypeError, match=r"session cannot be (pickled or )?copied"):
                    refuses(embedding)
            await embedding.aclose()
            assert await ml.ping()
            return found

    assert asyncio.run(use()) == world.vectors(TEXTS).tolist()


@pytest.mark.parametrize("component", EVERY)
def test_credentials_are_neither_stored_nor_shown(component: Any) -> None:
    made = component("m", "https://me:hidden@h:9200", session={"headers": {"x-own": "hidden"}})
    assert made.session["auth"].username == "me"
    stored = made.model_dump()
    assert (stored["url"], stored["class_name"]) == (URL, component.__name__)
    assert "session" not in stored
    assert "hidden" not in repr(made) + str(made) + made.model_dump_json() + repr(vars(made)) + repr(vars(made._calls))
    stored.pop("class_name")
    assert component(**stored, session=made.session).model_dump(exclude={"callback_manager"}) == made.model_dump()


@pytest.mark.parametrize("component", [MLCommonsEmbedding, MLCommonsRerank])
def test_a_component_is_made_of_what_is_stored(component: Any) -> None:
    made = component("m", URL)
    assert component.from_dict(made.to_dict()).to_dict() == made.to_dict()
    assert component.from_json(made.to_json()).to_dict() == made.to_dict()


@pytest.mark.parametrize(
    ("component", "options", "error", "words"),
    [
        (MLCommonsEmbedding, {"batch": 3}, TypeError, "MLCommonsEmbedding: there is no option 'batch'; did you mean"),
        (MLCommonsSparseEmbedding, {"zzz": 3}, TypeError, "MLCommonsSparseEmbedding: there is no option 'zzz'"),
        (MLCommonsRerank, {"top_k": 3}, TypeError, "there is no option 'top_k'; did you mean 'top_n'"),
        (MLCommonsRerank, {"top_n": 0}, ValueError, "greater than 0"),
        (MLCommonsEmbedding, {"embed_batch_size": 0}, ValueError, "greater than 0"),
        (MLCommonsEmbedding, {"model_name": 3}, ValueError, "valid string"),
        (MLCommonsEmbedding, {"url": "h"}, ValueError, "it must begin with https:// or http://"),
        (MLCommonsEmbedding, {"session": {"tmeout": 3}}, TypeError, "did you mean 'timeout'"),
        (MLCommonsEmbedding, {"session": Session("http://h"), "url": URL}, ValueError, "url is that of the open"),
    ],
)
def test_an_invalid_option_is_refused_at_once(component: Any, options: Any, error: Any, words: str) -> None:
    given = {"model" if component is MLCommonsRerank else "model_name": "m", "url": URL, **options}
    with pytest.raises(error, match=words):
        component(**given)
