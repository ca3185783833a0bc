"""The components for Haystack: in pipelines that are stored and loaded, and by themselves."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from haystack import DeserializationError, Document, Pipeline
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.dataclasses import SparseEmbedding
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.utils import Secret

from aiomlcommons import NotSupported, Session
from aiomlcommons.integrations._models import weights
from aiomlcommons.integrations.haystack import (
    MLCommonsDocumentEmbedder,
    MLCommonsRanker,
    MLCommonsSparseDocumentEmbedder,
    MLCommonsSparseTextEmbedder,
    MLCommonsTextEmbedder,
)
from aiomlcommons.net.aws import AwsAuth
from tests.support.emulator_with_models import CROSS_ENCODER, EmulatorWithModels, sessions
from tests.support.seen_requests import predictions

TEXTS = ["a cat sleeps", "a dog barks at the moon", "the moon is far away"]
ALLOWED = ["aiomlcommons.integrations.haystack"]
EVERY = [
    MLCommonsTextEmbedder,
    MLCommonsDocumentEmbedder,
    MLCommonsSparseTextEmbedder,
    MLCommonsSparseDocumentEmbedder,
    MLCommonsRanker,
]

# Its components name the reranker, which is there already.
pytestmark = pytest.mark.usefixtures("reranker")


@pytest.fixture(autouse=True)
def world(one_world: EmulatorWithModels, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorWithModels]:
    monkeypatch.setenv("OPENSEARCH_URL", one_world.url)
    yield one_world
    gc.collect()
    assert sessions() == 0


def documents(*texts: str | None, **meta: Any) -> list[Document]:
    return [Document(content=text, meta=meta) for text in texts]


def contents(found: Any) -> list[str | None]:
    return [document.content for document in found["documents"]]


# ---- pipelines -----------------------------------------------------------------------------------------------------


def written(store: InMemoryDocumentStore, model: str) -> Pipeline:
    """Return a pipeline that embeds documents and writes them to a store."""
    pipeline = Pipeline()
    pipeline.add_component("embedder", MLCommonsDocumentEmbedder(model))
    pipeline.add_component("writer", DocumentWriter(store))
    pipeline.connect("embedder.documents", "writer.documents")
    return pipeline


def searching(store: InMemoryDocumentStore, model: str) -> Pipeline:
    """Return a pipeline that embeds a text, looks for documents near it, and ranks them."""
    pipeline = Pipeline()
    pipeline.add_component("embedder", MLCommonsTextEmbedder(model))
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store))
    pipeline.add_component("ranker", MLCommonsRanker(CROSS_ENCODER, top_k=2))
    pipeline.connect("embedder.embedding", "retriever.query_embedding")
    pipeline.connect("retriever.documents", "ranker.documents")
    return pipeline


def test_pipelines_are_stored_loaded_and_run(world: EmulatorWithModels) -> None:
    store = InMemoryDocumentStore(index="tests of aiomlcommons")
    indexing = Pipeline.loads(written(store, world.dense).dumps(), allowed_modules=ALLOWED)
    indexing.run({"embedder": {"documents": documents(*TEXTS)}})
    indexing.close()
    kept = {document.content: document.embedding for document in store.filter_documents()}
    np.testing.assert_array_equal(np.array([kept[text] for text in TEXTS], "f4"), world.vectors(TEXTS))

    stored = searching(store, world.dense).dumps()
    pipeline = Pipeline.loads(stored, allowed_modules=ALLOWED)
    assert pipeline.dumps() == stored
    query = "a dog and the moon"
    asked = {"embedder": {"text": query}, "ranker": {"query": query}}
    found = pipeline.run(asked)["ranker"]
    assert contents(found)[0] == TEXTS[1]
    assert len(contents(found)) == 2

    async def again() -> Any:
        done = await asyncio.gather(*(pipeline.run_async(asked) for _ in range(3)))
        await pipeline.close_async()
        return [one["ranker"] for one in done]

    assert asyncio.run(again()) == [found] * 3
    store.shutdown()
    store.storage.clear()


def test_a_pipeline_is_loaded_only_if_it_may_be() -> None:
    pipeline = Pipeline()
    pipeline.add_component("embedder", MLCommonsTextEmbedder("m"))
    with pytest.raises(DeserializationError, match=r"allowed_modules=\['aiomlcommons\.integrations\.haystack'\]"):
        Pipeline.loads(pipeline.dumps())


def test_components_end_and_may_be_copied_and_start_again(world: EmulatorWithModels) -> None:
    embedder = MLCommonsTextEmbedder(world.dense)
    assert sessions() == 0
    embedder.warm_up()
    embedder.warm_up()
    assert sessions() == 1
    first = embedder.run("one")
    twin = copy.deepcopy(embedder)
    assert sessions() == 1
    assert twin.run("one") == first
    assert sessions() == 2
    for one in (embedder, twin):
        one.close()
        one.close()
    assert sessions() == 0

    async def again() -> Any:
        await embedder.warm_up_async()
        found = await embedder.run_async("one")
        await embedder.close_async()
        await embedder.close_async()
        return found

    assert asyncio.run(again()) == first
    assert sessions() == 0


def test_an_open_session_is_used_on_its_event_loop(world: EmulatorWithModels) -> None:
    async def use() -> Any:
        async with Session(world.url) as ml:
            embedder = MLCommonsTextEmbedder(world.dense, session=ml)
            pipeline = Pipeline()
            pipeline.add_component("embedder", embedder)
            found = await pipeline.run_async({"embedder": {"text": "one"}})
            await pipeline.close_async()
            with pytest.raises(RuntimeError, match="MLCommonsTextEmbedder was given an open session"):
                embedder.warm_up()
            with pytest.raises(TypeError, match="session cannot be stored, because it is a Session"):
                pipeline.dumps()
            with pytest.raises(TypeError, match="with an open session cannot be copied"):
                copy.deepcopy(embedder)
            return found["embedder"]["embedding"]

    assert asyncio.run(use()) == world.vectors(["one"])[0].tolist()


# ---- embedders -----------------------------------------------------------------------------------------------------


def test_documents_are_copied_with_their_vectors_in_batches(world: EmulatorWithModels) -> None:
    given = documents(*TEXTS)
    embedder = MLCommonsDocumentEmbedder(world.dense, batch_size=2)
    with predictions(world) as seen:
        found = embedder.run(given)
    assert sorted(len(one.body["text_docs"]) for one in seen) == [1, 2]
    assert contents(found) == TEXTS
    assert [one.id for one in found["documents"]] == [one.id for one in given]
    vectors = np.array([one.embedding for one in found["documents"]], "f4")
    np.testing.assert_array_equal(vectors, world.vectors(TEXTS))
    assert all(type(number) is float for number in found["documents"][0].embedding)
    assert [one.embedding for one in given] == [None] * 3
    assert asyncio.run(embedder.run_async(given)) == found
    embedder.close()


def test_meta_fields_prefix_and_suffix_are_part_of_the_text(world: EmulatorWithModels) -> None:
    options: dict[str, Any] = {"prefix": "<", "suffix": ">"}
    embedder = MLCommonsDocumentEmbedder(
        world.dense, meta_fields_to_embed=["title", "year", "gone"], embedding_separator=" | ", **options
    )
    given = [*documents("text", title="Title", year=0, other="x", gone=None), *documents(None)]
    query = MLCommonsTextEmbedder(world.dense, **options)
    with predictions(world) as seen:
        embedder.run(given)
        query.run("text")
    assert [one.body["text_docs"] for one in seen] == [["<Title | 0 | text>", "<>"], ["<text>"]]
    embedder.close()
    query.close()


def test_an_asymmetric_model_is_told_what_is_a_query_and_what_a_passage(
    world: EmulatorWithModels, asymmetric: str
) -> None:
    query, passages = MLCommonsTextEmbedder(asymmetric), MLCommonsDocumentEmbedder(asymmetric)
    with predictions(world) as seen:
        query.run("a")
        asyncio.run(query.run_async("a"))
        passages.run(documents("a"))
        asyncio.run(passages.run_async(documents("a")))
    assert [one.side for one in seen] == ["query", "query", "passage", "passage"]
    query.close()
    passages.close()


def test_sparse_embeddings_are_by_the_ids_of_tokens(world: EmulatorWithModels) -> None:
    expected = world.ask(lambda ml: ml.sparse(world.sparse, TEXTS, sparse_embedding_format="TOKEN_ID"))
    documents_embedder = MLCommonsSparseDocumentEmbedder(world.sparse)
    text_embedder = MLCommonsSparseTextEmbedder(world.sparse)
    found = documents_embedder.run(documents(*TEXTS))
    vectors = [one.sparse_embedding for one in found["documents"]]
    assert [dict(zip(map(str, one.indices), one.values, strict=True)) for one in vectors] == expected
    assert all(one.indices == sorted(one.indices) for one in vectors)
    (alone,) = [text_embedder.run(TEXTS[0])["sparse_embedding"]]
    assert alone == vectors[0]
    assert isinstance(alone, SparseEmbedding)
    assert asyncio.run(documents_embedder.run_async(documents(*TEXTS))) == found
    assert asyncio.run(text_embedder.run_async(TEXTS[0])) == {"sparse_embedding": alone}
    documents_embedder.close()
    text_embedder.close()


def test_a_model_that_names_no_ids_of_tokens_is_refused(
    world: EmulatorWithModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = MLCommonsSparseTextEmbedder(world.sparse)
    monkeypatch.setattr("aiomlcommons.integrations._token_ids.weights", lambda texts, _: weights(texts))
    with pytest.raises(NotSupported, match=f"the model {world.sparse} names tokens, such as 'cat', and not their ids"):
        embedder.run("cat")
    embedder.close()


# ---- the ranker ----------------------------------------------------------------------------------------------------


def test_the_best_documents_come_first_with_their_scores(world: EmulatorWithModels, reranker: str) -> None:
    ranker = MLCommonsRanker(CROSS_ENCODER)
    given, query = documents(*TEXTS), "a dog at the moon"
    found = ranker.run(query, given)
    scores = world.ask(lambda ml: ml.rerank(reranker, query, TEXTS)).tolist()
    ranked = sorted(zip(scores, TEXTS, strict=True), reverse=True)
    assert [(one.score, one.content) for one in found["documents"]] == ranked
    assert [one.score for one in given] == [None] * 3
    assert contents(ranker.run(query, given, top_k=1)) == [ranked[0][1]]
    assert contents(ranker.run(query, given, score_threshold=ranked[1][0])) == [ranked[0][1], ranked[1][1]]
    assert asyncio.run(ranker.run_async(query, given)) == found
    ranker.close()


def test_of_the_same_document_the_one_with_the_highest_score_is_ranked(world: EmulatorWithModels) -> None:
    ranker = MLCommonsRanker(CROSS_ENCODER, top_k=3, score_threshold=-1.0, meta_fields_to_embed=["n"])
    scored = [(None, 1), (0.5, 2), (0.1, 3), (None, 4)]
    twins = [Document(id="same", content="a", score=score, meta={"n": n}) for score, n in scored]
    with predictions(world) as seen:
        (kept,) = ranker.run("a", twins)["documents"]
        assert len(ranker.run("a", documents("a", "b"))["documents"]) == 2
    assert (kept.meta, seen[0].body["text_docs"]) == ({"n": 2}, ["2\na"])
    ranker.close()


# ---- inputs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("embedder", [MLCommonsTextEmbedder, MLCommonsSparseTextEmbedder])
@pytest.mark.parametrize("wrong", [None, 3, ["text"], Document(content="text")])
def test_what_is_no_string_is_refused(embedder: Any, wrong: Any) -> None:
    other = embedder.__name__.replace("Text", "Document")
    words = f"{embedder.__name__} expects a string as an input.*a list of Documents, please use the {other}"
    with pytest.raises(TypeError, match=words):
        embedder("m").run(wrong)
    with pytest.raises(TypeError, match=words):
        asyncio.run(embedder("m").run_async(wrong))


@pytest.mark.parametrize("embedder", [MLCommonsDocumentEmbedder, MLCommonsSparseDocumentEmbedder])
@pytest.mark.parametrize("wrong", [None, "text", ["text"], (), Document(content="text"), [Document(content="a"), "b"]])
def test_what_is_no_list_of_documents_is_refused(embedder: Any, wrong: Any) -> None:
    other = embedder.__name__.replace("Document", "Text")
    words = f"{embedder.__name__} expects a list of Documents as input.*a string, please use the {other}"
    with pytest.raises(TypeError, match=words):
        embedder("m").run(wrong)
    with pytest.raises(TypeError, match=words):
        asyncio.run(embedder("m").run_async(wrong))
    with pytest.raises(TypeError, match="MLCommonsRanker expects a list of Documents as input"):
        MLCommonsRanker("m").run("query", wrong)


@pytest.mark.parametrize(
    "component", [MLCommonsDocumentEmbedder("m"), MLCommonsSparseDocumentEmbedder("m"), MLCommonsRanker("m")]
)
def test_no_documents_are_no_call(component: Any) -> None:
    arguments = {"documents": [], **({"query": "q"} if isinstance(component, MLCommonsRanker) else {})}
    assert component.run(**arguments) == asyncio.run(component.run_async(**arguments)) == {"documents": []}
    assert sessions() == 0


@pytest.mark.parametrize("top_k", [0, -1])
def test_the_number_of_documents_to_keep_is_above_0(top_k: int) -> None:
    words = f"top_k must be > 0, but got {top_k}"
    with pytest.raises(ValueError, match=words):
        MLCommonsRanker("m", top_k=top_k)
    with pytest.raises(ValueError, match=words):
        MLCommonsRanker("m").run("q", documents("a"), top_k=top_k)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"model": 3}, TypeError, "model must be an id or a name, not int"),
        ({"batch_size": 0}, ValueError, "batch_size must be a whole number of at least 1, not 0"),
        ({"concurrency": "4"}, TypeError, "concurrency must be a whole number of at least 1, not '4'"),
        ({"session": "s"}, TypeError, "session must be options of Session, or an open one, not a str"),
        ({"session": {"auth": ("u", "p")}}, ValueError, "auth is no option of session= here: give it as auth="),
        ({"session": {"tmeout": 3}}, TypeError, "session: there is no option 'tmeout'; did you mean 'timeout'"),
        ({"session": {"retries": -1}}, ValueError, "retries must be a whole number of at least 0, not -1"),
        ({"url": "h:9200"}, ValueError, "it must begin with https:// or http://"),
        ({"session": Session("http://h"), "auth": ("u", Secret.from_token("p"))}, ValueError, "of the open session"),
    ],
)
def test_an_invalid_option_is_refused_at_once(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        MLCommonsDocumentEmbedder(**{"model": "m", **options})


# ---- storing and secrets -------------------------------------------------------------------------------------------


PAIR = (Secret.from_env_var("SEARCH_USER"), Secret.from_env_var("SEARCH_PASSWORD"))


@pytest.mark.parametrize("component", EVERY)
def test_what_a_component_was_made_with_is_stored_and_loaded(component: Any) -> None:
    made = component("m", "https://h:9200", auth=PAIR, session={"ca_certs": "ca.pem", "client_key": "key.pem"})
    stored = made.to_dict()
    assert stored["type"] == f"aiomlcommons.integrations.haystack.{component.__name__}"
    assert stored["init_parameters"]["auth"] == [
        {"type": "env_var", "env_vars": [name], "strict": True} for name in ("SEARCH_USER", "SEARCH_PASSWORD")
    ]
    loaded = component.from_dict(copy.deepcopy(stored))
    assert loaded.to_dict() == stored
    assert (loaded.model, loaded.url, tuple(loaded.auth)) == ("m", "https://h:9200", PAIR)
    assert sessions() == 0


@pytest.mark.parametrize(
    ("auth", "variables", "sent"),
    [
        (PAIR, {"SEARCH_USER": "me", "SEARCH_PASSWORD": "secret"}, "Basic bWU6c2VjcmV0"),
        (("me", PAIR[1]), {"SEARCH_PASSWORD": "secret"}, "Basic bWU6c2VjcmV0"),
        (PAIR[1], {"SEARCH_PASSWORD": "t0ken"}, "Bearer t0ken"),
        ((Secret.from_env_var("SEARCH_USER", strict=False),) * 2, {}, None),
        (None, {}, None),
    ],
)
def test_secrets_are_read_when_the_session_is_opened(
    auth: Any, variables: dict[str, str], sent: str | None, world: EmulatorWithModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MLCommonsTextEmbedder(world.dense, world.url, auth=auth)
    loaded = MLCommonsTextEmbedder.from_dict(made.to_dict())
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with predictions(world) as seen:
        made.run("a")
        loaded.run("a")
    assert [one.authorization for one in seen] == [sent] * 2
    made.close()
    loaded.close()


def test_a_secret_that_was_read_does_not_travel(world: EmulatorWithModels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCH_PASSWORD", "hidden")
    embedder = MLCommonsTextEmbedder(world.dense, auth=("me", PAIR[1]))
    first = embedder.run("a")
    pickled = pickle.dumps(embedder)
    assert b"hidden" not in pickled
    twin = pickle.loads(pickled)  # noqa: S301 - made here
    assert twin.run("a") == first
    embedder.close()
    twin.close()


def test_a_secret_that_is_missing_is_named_when_it_is_needed() -> None:
    with pytest.raises(ValueError, match="None of the following authentication environment variables"):
        MLCommonsTextEmbedder("m", auth=PAIR).warm_up()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"auth": ("me", Secret.from_token("hidden"))}, ValueError, "auth cannot be stored.*Secret.from_env_var"),
        ({"auth": ("me", "hidden")}, ValueError, "auth cannot be stored.*Secret.from_env_var"),
        ({"auth": AwsAuth("eu-west-1")}, TypeError, "auth cannot be stored, because it is a AwsAuth.*environment"),
        ({"url": "https://me:hidden@h:9200"}, ValueError, "auth cannot be stored"),
        ({"session": {"proxy": "http://me:hidden@p"}}, ValueError, "proxy cannot be stored"),
        ({"session": {"headers": {"x-own": "hidden"}}}, ValueError, "x-own cannot be stored"),
        ({"session": {"client_key_password": "hidden"}}, ValueError, "client_key_password cannot be stored"),
    ],
)
def test_no_credential_is_stored_as_it_is(options: Any, error: type[Exception], words: str) -> None:
    component = MLCommonsTextEmbedder("m", **options)
    with pytest.raises(error, match=words) as raised:
        component.to_dict()
    assert "hidden" not in str(raised.value) + repr(component) + repr(vars(component))


@pytest.mark.parametrize(
    ("url", "auth"), [("http://me:secret@", None), ("http://", ("me", "secret")), ("http://a:b@", ("me", "secret"))]
)
def test_credentials_may_be_given_as_they_are(world: EmulatorWithModels, url: str, auth: Any) -> None:
    embedder = MLCommonsTextEmbedder(world.dense, world.url.replace("http://", url), auth=auth)
    with predictions(world) as seen:
        embedder.run("a")
    assert seen[0].authorization == "Basic bWU6c2VjcmV0"
    assert embedder.url == world.url
    embedder.close()


def test_other_options_may_be_secrets(world: EmulatorWithModels, monkeypatch: pytest.MonkeyPatch) -> None:
    session = {"headers": {"authorization": Secret.from_env_var("SEARCH_HEADER"), "accept": "*/*"}, "retries": 1}
    stored = MLCommonsTextEmbedder(world.dense, session=session).to_dict()
    embedder = MLCommonsTextEmbedder.from_dict(stored)
    assert embedder.to_dict() == stored
    monkeypatch.setenv("SEARCH_HEADER", "ApiKey mine")
    with predictions(world) as seen:
        embedder.run("a")
    assert seen[0].authorization == "ApiKey mine"
    embedder.close()
