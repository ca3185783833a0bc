"""Pipelines in the emulator: what the recordings do not show, such as faults, races of batches, and other plugins."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from aiomlcommons import ApiError, Session
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.settings import FIRST_MODEL
from aiomlcommons.emulator import Cluster, Emulator
from tests.support import model_server
from tests.support.emulated_models import ALLOWED, DENSE, NOW

pytestmark = pytest.mark.asyncio
LINES = {"content-type": "application/x-ndjson"}
SPARSE = "amazon/neural-sparse/opensearch-neural-sparse-encoding-v1"
HIGHLIGHTER = "amazon/sentence-highlighting/opensearch-semantic-highlighter-v1"
TEXTS = ("a wise man will hear", "the ant is wise. It works in summer. The sluggard sleeps", "iron sharpeneth iron")
FIELDS = {
    "text": {"type": "text"},
    "embedding": {"type": "knn_vector", "dimension": 384},
    "weights": {"type": "rank_features"},
}


@pytest_asyncio.fixture
async def server() -> Emulator:
    return Emulator(Cluster(version="3.8.0"))


@pytest_asyncio.fixture
async def ml(server: Emulator) -> AsyncGenerator[Session]:
    """Yield a session on an emulator of 3.8 that allows local models, without retries."""
    async with server.serve() as url, Session(url, retries=0, backoff=NOW) as session:
        await session.settings.apply(FIRST_MODEL)
        await session.settings.apply(ALLOWED)
        yield session


async def call(ml: Session, method: str, path: str, body: Any = None) -> Any:
    return (await ml.request(method, path, body=body)).json()


async def made(ml: Session, processor: str = "text_embedding", model: str = DENSE, **options: Any) -> str:
    """Make a pipeline with a processor, and the index that documents go through it into; return the model."""
    model_id = (await ml.models.ensure(model)).model_id
    field = {"text_embedding": "embedding", "sparse_encoding": "weights"}[processor]
    config = {"model_id": model_id, "field_map": {"text": field}, **options}
    await call(ml, "PUT", "/_ingest/pipeline/p", {"processors": [{processor: config}]})
    index = {"settings": {"index.knn": True, "default_pipeline": "p"}, "mappings": {"properties": FIELDS}}
    await call(ml, "PUT", "/docs", index)
    return model_id


async def bulk(ml: Session, *texts: Any, query: str = "refresh=true") -> list[dict[str, Any]]:
    """Write texts under the ids 0, 1 and so on; return the items of the response, without their actions."""
    rows = [line for key, text in enumerate(texts) for line in ({"index": {"_id": str(key)}}, {"text": text})]
    body = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    answer = (await ml.request("POST", f"/docs/_bulk?{query}", body=body, headers=LINES)).json()
    return [item["index"] for item in answer["items"]]


async def found(ml: Session, query: Any, path: str = "/docs/_search", **body: Any) -> list[str]:
    answer = await call(ml, "POST", path, {"query": query, **body})
    return [hit["_id"] for hit in answer["hits"]["hits"]]


async def test_a_document_has_the_vector_that_its_model_predicts(ml: Session) -> None:
    model_id = await made(ml)
    await bulk(ml, *TEXTS)
    kept = [(await call(ml, "GET", f"/docs/_source/{key}"))["embedding"] for key in range(3)]
    expected = await ml.embed_many(model_id, TEXTS)
    assert kept == [pytest.approx(vector, abs=1e-6) for vector in expected.tolist()]


async def test_a_query_of_a_text_finds_what_its_vector_finds(ml: Session) -> None:
    model_id = await made(ml)
    await bulk(ml, *TEXTS)
    (vector,) = (await ml.embed_many(model_id, ["wise"])).tolist()
    by_text = await found(ml, {"neural": {"embedding": {"query_text": "wise", "model_id": model_id, "k": 2}}})
    assert by_text == await found(ml, {"knn": {"embedding": {"vector": vector, "k": 2}}}) == ["0", "1"]


async def test_a_model_that_was_undeployed_fails_each_document(ml: Session) -> None:
    model_id = await made(ml, batch_size=10)
    await ml.models.undeploy(model_id)
    items = await bulk(ml, *TEXTS)
    assert {(item["status"], item["error"]["reason"]) for item in items} == {
        (400, "Model not ready yet. Please deploy the model first.")
    }


async def test_faults_of_predictions_reach_the_batches_of_a_bulk(ml: Session, server: Emulator) -> None:
    await made(ml, batch_size=2)
    server.faults.throttle(times=1)
    items = await bulk(ml, *"abcdef")
    assert sorted(item["status"] for item in items) == [201] * 4 + [429] * 2


async def test_a_pool_of_few_threads_refuses_the_batches_that_come_too_many(ml: Session, server: Emulator) -> None:
    await made(ml, batch_size=1)
    server.faults.limit(2, queue=1)
    items = await bulk(ml, *"abcdefgh")
    assert sorted(item["status"] for item in items) == [201] * 3 + [429] * 5


async def test_items_that_failed_are_told_in_the_order_in_which_they_failed(ml: Session) -> None:
    async with model_server.serve() as url:
        model_id = await remote(ml, url)
        await made(ml)
        processor = {"text_embedding": {"model_id": model_id, "field_map": {"text": "v"}, "batch_size": 2}}
        await call(ml, "PUT", "/_ingest/pipeline/p", {"processors": [processor]})
        # The second batch fails without a call; the first one only after its good text was embedded.
        items = await bulk(ml, "good", 7, 8, [None])
    assert [(item["_id"], item["status"]) for item in items] == [("0", 201), ("2", 400), ("3", 400), ("1", 400)]


async def remote(ml: Session, url: str) -> str:
    action = {
        "action_type": "predict",
        "method": "POST",
        "url": f"{url}/v1/embeddings",
        "request_body": '{ "input": ${parameters.input} }',
        "pre_process_function": "connector.pre_process.openai.embedding",
        "post_process_function": "connector.post_process.openai.embedding",
    }
    connector = {"name": "c", "version": "1", "protocol": "http", "credential": {"k": "v"}, "actions": [action]}
    body = {"name": "remote", "function_name": "remote", "connector": connector}
    answer = await call(ml, "POST", "/_plugins/_ml/models/_register?deploy=true", body)
    return str(answer["model_id"])


async def test_what_is_unchanged_keeps_its_vector_without_a_prediction(ml: Session, server: Emulator) -> None:
    model_id = await made(ml, skip_existing=True)
    await bulk(ml, *TEXTS)
    before = server.cluster.counts.by_model[model_id, "predict"]
    assert [item["result"] for item in await bulk(ml, TEXTS[0], "other words", TEXTS[2])] == ["updated"] * 3
    assert server.cluster.counts.by_model[model_id, "predict"] == before + 1
    assert "embedding" in await call(ml, "GET", "/docs/_source/0")


async def test_the_node_counts_what_went_through_a_pipeline(ml: Session, server: Emulator) -> None:
    await made(ml)
    await bulk(ml, "good", 7, "better")
    (node,) = (await call(ml, "GET", "/_nodes/stats/ingest"))["nodes"].values()
    counted = {"count": 3, "current": 0, "failed": 1}
    pipeline = node["ingest"]["pipelines"]["p"]
    for told in (node["ingest"]["total"], pipeline, pipeline["processors"][0]["text_embedding"]["stats"]):
        assert counted.items() <= told.items()
    server.restart()
    (node,) = (await call(ml, "GET", "/_nodes/stats/ingest"))["nodes"].values()
    assert not node["ingest"]["pipelines"]


async def test_an_alias_may_show_a_part_of_an_index(ml: Session) -> None:
    model_id = await made(ml)
    await bulk(ml, *TEXTS)
    add = {"index": "docs", "alias": "wise", "filter": {"match": {"text": "wise"}}}
    await call(ml, "POST", "/_aliases", {"actions": [{"add": add}]})
    near = {"neural": {"embedding": {"query_text": "iron", "model_id": model_id, "k": 3}}}
    everything: dict[str, Any] = {"match_all": {}}
    for query in (everything, near):
        assert sorted(await found(ml, query, "/wise/_search")) == ["0", "1"]
    assert (await call(ml, "POST", "/wise/_count", {}))["count"] == 2
    assert sorted(await found(ml, near, "/docs,wise/_search")) == ["0", "1", "2"]


async def test_an_update_keeps_the_old_vector(ml: Session) -> None:
    await made(ml)
    await bulk(ml, *TEXTS)
    before = (await call(ml, "GET", "/docs/_source/0"))["embedding"]
    await call(ml, "POST", "/docs/_update/0", {"doc": {"text": "other words"}})
    assert await call(ml, "GET", "/docs/_source/0") == {"text": "other words", "embedding": before}


async def test_sparse_weights_find_documents_that_share_words(ml: Session) -> None:
    model_id = await made(ml, "sparse_encoding", SPARSE)
    await bulk(ml, *TEXTS)
    query = {"neural_sparse": {"weights": {"query_text": "wise iron", "model_id": model_id}}}
    assert await found(ml, query) == ["2", "0", "1"]
    assert await found(ml, {"neural_sparse": {"weights": {"query_text": "iron", "analyzer": "bert-uncased"}}}) == ["2"]


async def test_token_ids_go_into_a_field_of_sparse_vectors(ml: Session) -> None:
    model_id = await made(ml, "sparse_encoding", SPARSE)
    fields = {"weights": {"type": "sparse_vector", "method": {"name": "seismic"}}}
    await call(ml, "DELETE", "/docs")
    settings = {"default_pipeline": "p", "index.sparse": True}
    await call(ml, "PUT", "/docs", {"settings": settings, "mappings": {"properties": fields}})
    await bulk(ml, *TEXTS)
    assert all(token.isdecimal() for token in (await call(ml, "GET", "/docs/_source/0"))["weights"])
    assert await found(ml, {"neural_sparse": {"weights": {"query_text": "iron", "model_id": model_id}}}) == ["2"]


async def test_a_second_phase_changes_scores_and_not_which_hits_there_are(ml: Session) -> None:
    await made(ml, "sparse_encoding", SPARSE)
    await bulk(ml, *TEXTS)
    await call(ml, "PUT", "/_search/pipeline/s", {"request_processors": [{"neural_sparse_two_phase_processor": {}}]})
    tokens = {"iron": 2.0, "wise": 1.0, "ant": 0.1}
    query = {"neural_sparse": {"weights": {"query_tokens": tokens}}}
    whole = await call(ml, "POST", "/docs/_search", {"query": query})
    phased = await call(ml, "POST", "/docs/_search?search_pipeline=s", {"query": query})
    assert phased["hits"] == whole["hits"]
    only_small = {"neural_sparse": {"weights": {"query_tokens": {"nowhere": 2.0, "ant": 0.1}}}}
    assert await found(ml, only_small, "/docs/_search?search_pipeline=s") == []


async def test_the_sentences_that_answer_a_query_are_highlighted(ml: Session) -> None:
    model_id = await made(ml)
    highlighter = (await ml.models.ensure(HIGHLIGHTER)).model_id
    await bulk(ml, *TEXTS)
    wanted = {"fields": {"text": {"type": "semantic"}}, "options": {"model_id": highlighter}}
    query = {"neural": {"embedding": {"query_text": "the sluggard sleeps", "model_id": model_id, "k": 1}}}
    answer = await call(ml, "POST", "/docs/_search", {"query": query, "highlight": wanted})
    (hit,) = answer["hits"]["hits"]
    assert hit["highlight"] == {"text": ["the ant is wise. It works in summer. <em>The sluggard sleeps</em>"]}
    with pytest.raises(ApiError, match="the emulator has no highlights of type"):
        await call(ml, "POST", "/docs/_search", {"query": query, "highlight": {"fields": {"text": {}}}})


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("PUT", "/_ingest/pipeline/p", {"processors": [{"grok": {}}]}, "processor .grok."),
        ("PUT", "/_ingest/pipeline/p", {"processors": [{"set": {"field": "a", "value": 1}}]}, "processor .set."),
        (
            "PUT",
            "/_ingest/pipeline/p",
            {"processors": [{"text_embedding": {"if": "true"}}]},
            "condition of a processor",
        ),
        ("PUT", "/_search/pipeline/p", {"request_processors": [{"oversample": {}}]}, "search processor .oversample."),
        ("POST", "/_search", {"query": {"hybrid": {"queries": [{"match_all": {}}]}}, "sort": ["n"]}, ".sort."),
    ],
)
async def test_what_the_server_has_and_the_emulator_lacks_is_said(
    ml: Session, method: str, path: str, body: Any, words: str
) -> None:
    with pytest.raises(ApiError, match=f"the emulator has no {words}") as caught:
        await call(ml, method, path, body)
    assert caught.value.status == 501


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("PUT", "/_ingest/pipeline/p", {"processors": [{"text_embedding": {}}]}, "No processor type exists with name"),
        ("PUT", "/_search/pipeline/p", {"response_processors": [{"rerank": {}}]}, "Invalid processor type rerank"),
        ("POST", "/_search", {"query": {"neural": {"v": {"query_text": "x"}}}}, "unknown query .neural."),
        ("POST", "/_search", {"query": {"hybrid": {"queries": [{"match_all": {}}]}}}, "unknown query .hybrid."),
        ("POST", "/_search", {"query": {"bool": {"must": {"knn": {"v": {}}}}}}, "unknown query .knn."),
        ("PUT", "/more", {"mappings": {"properties": {"v": {"type": "semantic"}}}}, "No handler for type .semantic."),
        (
            "PUT",
            "/more",
            {"mappings": {"properties": {"v": {"type": "knn_vector"}}}},
            "No handler for type .knn_vector",
        ),
        ("PUT", "/more", {"settings": {"index.knn": True}}, "unknown setting .index.knn."),
        ("PUT", "/docs/_settings", {"index.knn": True}, "unknown setting .index.knn."),
        ("PUT", "/docs/_mapping", {"properties": {"v": {"type": "knn_vector"}}}, "^No handler for type .knn_vector"),
        (
            "POST",
            "/_aliases",
            {"actions": [{"add": {"index": "docs", "alias": "a", "filter": {"knn": {}}}}]},
            "failed to parse filter for alias",
        ),
    ],
)
async def test_a_node_without_the_plugins_knows_nothing_of_theirs(
    method: str, path: str, body: Any, words: str
) -> None:
    server = Emulator(Cluster(version="3.8.0", plugins=("opensearch-ml",)))
    async with server.serve() as url, Session(url, retries=0) as ml:
        await call(ml, "PUT", "/docs")
        with pytest.raises(ApiError, match=words) as caught:
            await call(ml, method, path, body)
        assert caught.value.status == 400
        plugins = (await ml.request("GET", "/_cat/plugins", query={"format": "json"})).json()
        assert [row["component"] for row in plugins] == ["opensearch-ml"]


async def test_a_semantic_field_needs_no_model_in_the_query(ml: Session) -> None:
    dense = (await ml.models.ensure(DENSE)).model_id
    config = ModelConfig(
        model_type="bert",
        embedding_dimension=384,
        framework_type="sentence_transformers",
        additional_config={"space_type": "cosinesimil"},
    )
    await ml.models.update(dense, model_config=config)
    field = {
        "type": "semantic",
        "model_id": dense,
        "chunking": [{"algorithm": "delimiter", "parameters": {"delimiter": ". "}}],
    }
    await call(ml, "PUT", "/docs", {"settings": {"index.knn": True}, "mappings": {"properties": {"text": field}}})
    await bulk(ml, *TEXTS)
    query = {"neural": {"text": {"query_text": "sluggard", "k": 2}}}
    (best, *_) = (await call(ml, "POST", "/docs/_search", {"query": query}))["hits"]["hits"]
    chunks = best["_source"]["text_semantic_info"]["chunks"]
    assert [chunk["text"] for chunk in chunks] == ["the ant is wise. ", "It works in summer. ", "The sluggard sleeps"]


async def test_names_with_dots_are_paths_but_within_lists(ml: Session) -> None:
    model_id = (await ml.models.ensure(DENSE)).model_id
    config = {"model_id": model_id, "field_map": {"a": {"b": "v.w"}, "t": "x.y"}}
    sources = ({"a": {"b": "one"}}, {"a": [{"b": "one"}]}, {"t": "one", "x": 3}, {"t": "one", "x": [{"z": 1}]})
    asked = {"pipeline": {"processors": [{"text_embedding": config}]}, "docs": [{"_source": one} for one in sources]}
    docs = (await call(ml, "POST", "/_ingest/pipeline/_simulate", asked))["docs"]
    assert docs[0]["doc"]["_source"]["a"]["v"].keys() == {"w"}
    assert docs[1]["doc"]["_source"]["a"][0].keys() == {"b", "v.w"}
    assert docs[2]["error"]["type"] == "class_cast_exception"
    assert docs[3]["doc"]["_source"] == sources[3]


async def test_the_document_of_an_upsert_that_a_pipeline_refuses_is_told_without_an_id(ml: Session) -> None:
    await made(ml)
    rows = (
        {"update": {"_id": "7"}},
        {"doc": {"text": "x"}, "upsert": {"text": 4}},
        {"index": {"_id": "8"}},
        {"text": 3},
    )
    body = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    items = (await ml.request("POST", "/docs/_bulk", body=body, headers=LINES)).json()["items"]
    assert sorted((item["index"]["_id"] or "", item["index"]["status"]) for item in items) == [("", 400), ("8", 400)]


async def sparse_semantic(ml: Session) -> None:
    """Make an index with a semantic field of a sparse model, and a document in it."""
    model_id = (await ml.models.ensure(SPARSE)).model_id
    properties = {"text": {"type": "semantic", "model_id": model_id}}
    await call(ml, "PUT", "/docs", {"mappings": {"properties": properties}})
    await bulk(ml, "silver")


@pytest.mark.parametrize("alone", [True, False])
async def test_an_update_alone_embeds_the_whole_document_anew(ml: Session, *, alone: bool) -> None:
    await sparse_semantic(ml)
    change = {"doc": {"text": "bread"}}
    if alone:
        await call(ml, "POST", "/docs/_update/0", change)
    else:
        body = b'{"update": {"_id": "0"}}\n' + orjson.dumps(change) + b"\n"
        await ml.request("POST", "/docs/_bulk", body=body, headers=LINES)
    kept = (await call(ml, "GET", "/docs/_source/0"))["text_semantic_info"]["embedding"]
    assert "bread" in kept
    assert ("silver" in kept) is not alone


async def test_an_update_alone_that_changes_nothing_does_nothing(ml: Session) -> None:
    await sparse_semantic(ml)
    assert (await call(ml, "POST", "/docs/_update/0", {"doc": {"text": "silver"}}))["result"] == "noop"


async def test_a_boost_counts_for_a_semantic_field_of_a_sparse_model(ml: Session) -> None:
    await sparse_semantic(ml)
    once, twice = [
        (await call(ml, "POST", "/docs/_search", {"query": {"neural": {"text": {"query_text": "silver", **more}}}}))
        for more in ({}, {"boost": 2})
    ]
    assert twice["hits"]["max_score"] == pytest.approx(2 * once["hits"]["max_score"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"chunking": "x"}, "chunking should either be a boolean or a list of maps for the semantic field at text"),
        ({"chunking": [{"algorithm": "foo"}]}, "algorithm. must be .fixed_token_length, delimiter, fixed_char_length"),
        ({"chunking": [{}]}, "algorithm. is required to configure the chunking strategy"),
        ({"chunking": [{"algorithm": "delimiter", "x": 1}]}, "chunking. does not support parameters"),
        ({"chunking": [{"algorithm": "delimiter", "parameters": 1}]}, "parameters in chunking should be a Map"),
        ({"chunking": [{"algorithm": "delimiter", "parameters": {"delimiter": ""}}]}, "should not be empty"),
        ({"chunking": ["x"]}, "text. must be either a List of Maps or a Boolean"),
        ({"dense_embedding_config": "x"}, "dense_embedding_config should be a Map"),
        ({"raw_field_type": "integer"}, "raw_field_type integer is not supported"),
        ({"model_id": ""}, "model_id should be a non-empty string"),
        ({"sparse_encoding_config": "x"}, "text. must be a Map"),
        ({"sparse_encoding_config": {"prune_type": "x"}}, "Invalid .prune_type."),
        ({"sparse_encoding_config": {"prune_ratio": 0.1}}, "prune_ratio should not be defined"),
        ({"semantic_info_field_name": "a.b"}, "should not contain"),
        ({"semantic_info_field_name": ""}, "cannot be an empty string"),
        ({"skip_existing_embedding": "x"}, "only .true. or .false. are allowed"),
    ],
)
async def test_options_of_a_semantic_field_are_checked(ml: Session, options: Any, words: str) -> None:
    model_id = (await ml.models.ensure(SPARSE)).model_id
    field = {"type": "semantic", "model_id": model_id, **options}
    with pytest.raises(ApiError, match=words) as caught:
        await call(ml, "PUT", "/docs", {"mappings": {"properties": {"text": field}}})
    assert caught.value.status == 400


async def test_fields_of_hits_are_reranked_as_the_server_writes_them(ml: Session) -> None:
    model_id = (await ml.models.ensure("huggingface/cross-encoders/ms-marco-MiniLM-L-6-v2")).model_id
    context = {"document_fields": ["t", "n.t", "n.u", "none"]}
    processors = [{"rerank": {"ml_opensearch": {"model_id": model_id}, "context": context}}]
    await call(ml, "PUT", "/_search/pipeline/p", {"response_processors": processors})
    await call(ml, "PUT", "/docs/_doc/1?refresh=true", {"t": "red ", "n": [{"t": True}, {"t": False, "u": {"z": "s"}}]})
    wanted = {"query_text": "red house"}
    body = {"query": {"match_all": {}}, "ext": {"rerank": {"query_context": wanted}}}
    answer = await call(ml, "POST", "/docs/_search?search_pipeline=p", body)
    path = f"/_plugins/_ml/_predict/text_similarity/{model_id}"
    asked = {**wanted, "text_docs": ["red true false{z=s}"]}
    (result,) = (await call(ml, "POST", path, asked))["inference_results"]
    assert answer["hits"]["max_score"] == pytest.approx(result["output"][0]["data"][0])
