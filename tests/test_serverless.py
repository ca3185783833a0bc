"""A collection of Amazon OpenSearch Serverless: what works there, and what is said of the rest, before it is sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from aiomlcommons import (
    BatchFailed,
    DecodeError,
    FileModel,
    Forbidden,
    InvalidRequest,
    ModelInputs,
    NotOpenSearch,
    NotSupported,
    PretrainedModel,
    RemoteModel,
    Session,
    Unavailable,
    UrlModel,
)
from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.emulator import AwsVerifier, Emulator
from aiomlcommons.ingest import IndexSink
from aiomlcommons.wire.flavors import SERVERLESS
from tests.support.aws_machine import HUSH, fixed
from tests.support.documents import guide, run
from tests.support.model_server import vector_of
from tests.support.serverless import NOW, Serverless, cohere, openai, plain, reranker, serverless, titan

pytestmark = pytest.mark.asyncio
# The last ones look like JSON, which the server would insert into a request as it is.
TEXTS = ["a", "b\n'\"", "${x}", '{"a": 1}', "[1]", "{a: 1}", '"q"', "17"]
ANSWERED = '{"question": "${parameters.question}", "context": "${parameters.context}"}'


@pytest_asyncio.fixture
async def there() -> AsyncGenerator[Serverless]:
    async with serverless() as served:
        yield served


async def test_a_session_connects_without_the_root_that_serverless_lacks(there: Serverless) -> None:
    ml = await Session.connect(there.url, flavor="aoss")
    assert await ml.version() is None
    await ml.close()


async def test_a_session_that_is_not_told_learns_the_kind_when_it_connects(there: Serverless) -> None:
    ml = await Session.connect(there.url)
    assert ml.flavor is SERVERLESS
    with pytest.raises(NotSupported, match="Amazon OpenSearch Serverless has no stats"):
        await ml.stats()
    await ml.close()


async def test_a_404_of_another_server_is_no_collection() -> None:
    emulator = Emulator()
    emulator.faults.fail(404, on=lambda _: True)
    async with emulator.serve() as url:
        with pytest.raises(NotOpenSearch, match="answers 404"):
            await Session.connect(url)


async def test_the_version_is_not_asked_for(there: Serverless) -> None:
    sent = there.requests()
    assert await there.ml.version() is None
    assert sent == []


@pytest.mark.parametrize("make", [openai, cohere, titan], ids=lambda make: make.__name__)
async def test_texts_are_embedded_by_the_parameters_of_each_provider(
    there: Serverless, make: Callable[[str], CreateConnector]
) -> None:
    model_id = await there.model(make(there.provider))
    sent = there.requests()
    array = await there.ml.embed_many(model_id, TEXTS)
    np.testing.assert_allclose(array, [vector_of(text) for text in TEXTS], rtol=1e-6)
    assert array.dtype == np.float32
    assert not any("/_predict/text_embedding" in request for request in sent)
    assert len(there.asked) == (len(TEXTS) if make is titan else 1)
    sent.clear()
    await there.ml.embed_one(model_id, "a")
    assert sent == [f"POST /_plugins/_ml/models/{model_id}/_predict"], "the connector is looked up once"


async def test_a_stream_of_rows_is_embedded(there: Serverless) -> None:
    model_id = await there.model(titan(there.provider))
    rows = [{"text": f"text {i}"} for i in range(30)]
    async with there.ml.embed(model_id, rows, text="text", batch=10) as embedded:
        found = [vector async for _, vector in embedded]
    np.testing.assert_allclose(found, [vector_of(row["text"]) for row in rows], rtol=1e-6)


async def test_the_side_of_an_asymmetric_model_is_told_in_the_words_of_cohere(there: Serverless) -> None:
    model_id = await there.model(cohere(there.provider))
    await there.ml.embed_one(model_id, "a", content_type="query")
    await there.ml.embed_one(model_id, "a", content_type="passage")
    await there.ml.embed_one(model_id, "a")
    sides = [body["input_type"] for body in there.bodies("/v1/embed")]
    assert sides == ["search_query", "search_document", "search_document"]


@pytest.mark.parametrize("path", ["/v1/embeddings", "/list", "/v1/embed", "/model/m/invoke"])
async def test_embeddings_are_read_from_what_the_provider_answers_if_the_connector_has_no_functions(
    there: Serverless, path: str
) -> None:
    body = {
        "/v1/embed": '{"texts": ${parameters.texts}}',
        "/model/m/invoke": '{"inputText": "${parameters.inputText}"}',
    }.get(path, '{"input": ${parameters.input}}')
    model_id = await there.model(plain(there.provider, path, body))
    array = await there.ml.embed_many(model_id, ["a", "b"])
    np.testing.assert_allclose(array, [vector_of("a"), vector_of("b")], rtol=1e-6)


async def test_documents_are_reranked(there: Serverless) -> None:
    for connector in (
        reranker(there.provider),
        plain(
            there.provider,
            "/v1/rerank",
            '{"query": "${parameters.query}", "documents": ${parameters.documents}}',
        ),
    ):
        model_id = await there.model(connector, connector.name)
        scores = await there.ml.rerank(model_id, "a b", ["c", "b a", "a x"])
        assert scores.tolist() == [0.0, 1.0, 0.5]


async def test_texts_are_encoded_sparsely(there: Serverless) -> None:
    model_id = await there.model(plain(there.provider, "/sparse", '{"texts": ${parameters.texts}}'))
    assert await there.ml.sparse(model_id, ["a", "b c"]) == [{"a": 1.5}, {"b": 1.5, "c": 1.5}]


async def test_a_question_is_answered_and_highlighted(there: Serverless) -> None:
    answering = await there.model(plain(there.provider, "/answer", ANSWERED), "answers")
    assert await there.ml.answer(answering, "what?", "That. This.") == "That"
    highlighting = await there.model(plain(there.provider, "/highlight", ANSWERED), "highlights")
    (found,) = await there.ml.highlight(highlighting, "what?", "[That]. This.")
    assert found.text == "[That"


async def test_a_connector_that_does_not_tell_is_an_error_with_the_remedy_which_helps(there: Serverless) -> None:
    body = '{"input": ${parameters.a}, "user": "${parameters.b}"}'
    model_id = await there.model(plain(there.provider, "/v1/embeddings", body))
    sent = there.requests()
    with pytest.raises(InvalidRequest, match=r"which parameter takes the texts; .* ml\.declare_inputs\("):
        await there.ml.embed_many(model_id, ["a"])
    assert not any("_predict" in request for request in sent)
    there.ml.declare_inputs(model_id, ModelInputs(texts="a"))
    with pytest.raises(Exception, match=r"placeholder|Invalid payload"):
        await there.ml.embed_many(model_id, ["a"])
    connector_id = (await there.ml.models.get(model_id)).connector_id or ""
    await there.ml.models.undeploy(model_id)
    await there.ml.connectors.update(connector_id, parameters={"b": "me"})
    assert (await there.ml.embed_many(model_id, ["a"])).shape == (1, 16)


async def test_a_connector_that_was_changed_is_looked_up_again(there: Serverless) -> None:
    made = plain(there.provider, "/v1/embeddings", '{"input": ${parameters.a}}')
    model_id = await there.model(made)
    await there.ml.embed_one(model_id, "a")
    connector_id = (await there.ml.models.get(model_id)).connector_id or ""
    await there.ml.models.undeploy(model_id)
    changed = plain(there.provider, "/v1/embeddings", '{"input": ${parameters.b}}')
    await there.ml.connectors.update(connector_id, actions=changed.actions)
    assert (await there.ml.embed_one(model_id, "a")).shape == (16,)


async def test_a_bad_embedding_of_one_text_has_its_position_in_the_list(there: Serverless) -> None:
    model_id = await there.model(plain(there.provider, "/model/m/invoke", '{"inputText": "${parameters.inputText}"}'))
    with pytest.raises(DecodeError, match=r"texts\[2\]") as caught:
        await there.ml.embed_many(model_id, ["a", "b", "please break"])
    assert caught.value.index == 2
    with pytest.raises(BatchFailed) as failed:
        async with there.ml.embed(model_id, ["a", "b", "c", "please break"], batch=2) as embedded:
            _ = [row async for row in embedded]
    assert failed.value.row == 3


async def test_a_session_that_is_not_told_embeds_too() -> None:
    async with serverless(flavor=None) as there, Session(there.url, flavor="aoss", backoff=NOW) as told:
        made = Serverless(there.emulator, there.url, told, there.provider)
        model_id = await made.model(openai(there.provider))
        assert (await there.ml.embed_many(model_id, ["a", "b"])).shape == (2, 16)
        assert there.ml.flavor is SERVERLESS


async def test_the_guide_runs_as_it_is_written(there: Serverless) -> None:
    (code,) = guide(" serverless", "clusters.md")
    code = code.replace("https://api.openai.com", there.provider)
    await run(code + "    assert report.written == 2", ml=there.ml, key="not a real key")
    assert len(there.emulator.cluster.own["proverbs"].documents) == 2


async def test_a_signed_session_knows_by_its_signatures_that_it_speaks_to_a_collection() -> None:
    gateway = AwsVerifier("eu-west-1", "aoss")
    gateway.allow("AKIAEXAMPLE", HUSH)
    auth = fixed("AKIAEXAMPLE", HUSH, service="aoss")
    async with serverless(flavor=None, aws=gateway, auth=auth) as there:
        assert there.ml.flavor is SERVERLESS
        model_id = await there.model(titan(there.provider))
        sink = IndexSink(there.ml, "docs", create=True)
        async with there.ml.ingest(["a", "b"], model=model_id, sink=sink) as job:
            assert (await job).written == 2
        ml = await Session.connect(there.url, auth=auth)
        await ml.close()
        with pytest.raises(Forbidden):
            await Session.connect(there.url, flavor="aoss")


async def test_ensure_finds_the_remote_model_that_it_made(there: Serverless) -> None:
    created = await there.ml.send(openai(there.provider))
    spec = RemoteModel(name="m", connector_id=created.connector_id)
    first, second = [await there.ml.models.ensure(spec, backoff=NOW) for _ in range(2)]
    assert (first.registered, first.deployed, second.did) == (True, True, second.did)
    assert (second.registered, second.deployed, second.model_id) == (False, False, first.model_id)
    assert await there.ml.models.remove(first.model_id)


@pytest.mark.parametrize(
    "spec",
    [
        "all-MiniLM-L6-v2",
        PretrainedModel(name="all-MiniLM-L6-v2"),
        UrlModel(name="m", url="https://host/m.zip", model_content_hash_value="0" * 64),
        FileModel(path="no such file.zip"),
    ],
    ids=lambda spec: type(spec).__name__,
)
async def test_a_local_model_is_refused_before_anything_is_made_for_it(there: Serverless, spec: Any) -> None:
    sent = there.requests()
    with pytest.raises(NotSupported, match=r"has no (local )?models.*RemoteModel with a connector"):
        await there.ml.models.ensure(spec, change_settings=True)
    # Looking for a registered model of this name.
    looked = [request for request in sent if "GET" in request or "_search" in request]
    assert sent == looked
    assert isinstance(spec, str) or sent == []


async def test_a_connector_within_the_model_tells_its_parameters_too(there: Serverless) -> None:
    spec = RemoteModel(name="m", connector=openai(there.provider))
    model_id = (await there.ml.models.ensure(spec, backoff=NOW)).model_id
    assert (await there.ml.embed_many(model_id, ["a", "b"])).shape == (2, 16)


async def test_ensure_and_a_job_wait_for_a_collection_that_wakes_up(there: Serverless) -> None:
    created = await there.ml.send(openai(there.provider))
    spec = RemoteModel(name="m", connector_id=created.connector_id)
    there.emulator.faults.cold_start(times=6)
    ensured = await there.ml.models.ensure(spec, backoff=NOW)
    there.emulator.faults.cold_start(times=6)
    sink = IndexSink(there.ml, "docs", create=True, backoff=NOW)
    async with there.ml.ingest(["a", "b"], model=ensured.model_id, sink=sink, backoff=NOW) as job:
        assert (await job).written == 2


async def test_a_collection_that_wakes_up_is_waited_for(there: Serverless) -> None:
    there.emulator.faults.cold_start(times=5)
    assert (await there.ml.models.search({})).hits.hits == []
    impatient = there.ml.options(wait=0, retries=1)
    there.emulator.faults.cold_start(times=5)
    with pytest.raises(Unavailable):
        await impatient.models.search({})
