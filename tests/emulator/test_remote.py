"""Remote models: the emulator really calls the endpoint of the connector."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiomlcommons import ApiError, BadRequest, Conflict, Secret, ServerError, Session, connectors
from aiomlcommons.api.connectors import ClientConfig, ConnectorAction
from aiomlcommons.api.model_records import DeploySetting
from aiomlcommons.api.predict import Predict
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.api.tensors import MapTensor
from aiomlcommons.http import CBOR
from tests.support import model_server
from tests.support.emulated_models import ALLOWED, NOW, seen
from tests.support.recording_server import reply
from tests.support.recording_server import serve as serve_answers

pytestmark = pytest.mark.asyncio


def _action(url: str, body: str, function: str | None) -> ConnectorAction:
    return ConnectorAction(
        action_type="predict",
        method="POST",
        url=url,
        headers={"Authorization": "Bearer ${credential.key}"},
        request_body=body,
        pre_process_function=f"connector.pre_process.{function}" if function else None,
        post_process_function=f"connector.post_process.{function}" if function else None,
    )


INPUT = '{ "input": ${parameters.input}, "model": "${parameters.model}" }'


async def _remote(ml: Session, action: ConnectorAction, **more: Any) -> str:
    """Return the id of a remote model, which its first prediction deploys."""
    connector = await ml.connectors.create(
        "c",
        version=1,
        protocol="http",
        parameters={"model": "m"},
        credential={"key": Secret("s3cret")},
        actions=[action],
        client_config=ClientConfig(read_timeout=1),
    )
    started = await ml.models.register("r", function_name="remote", connector_id=connector.connector_id, **more)
    assert started.model_id
    return started.model_id


async def _openai(ml: Session, url: str) -> str:
    return await _remote(ml, _action(f"{url}/v1/embeddings", INPUT, "openai.embedding"))


@pytest.mark.parametrize(("path", "function"), [("v1", "openai"), ("plain", "default")])
async def test_embeddings_come_from_the_remote_model(ml: Session, model_url: str, path: str, function: str) -> None:
    model_id = await _remote(ml, _action(f"{model_url}/{path}/embeddings", INPUT, f"{function}.embedding"))
    got = await ml.embed_many(model_id, ["a", "b"])
    expected = np.array([model_server.vector_of(text) for text in ("a", "b")], np.float32)
    np.testing.assert_array_equal(got, expected)


async def test_a_remote_answer_is_one_result_with_many_outputs_of_doubles(ml: Session, model_url: str) -> None:
    model_id = await _openai(ml, model_url)
    got = await ml.raw(Predict("text_embedding", model_id, text_docs=["a", "b"]), accept=CBOR)
    (result,) = got.json()["inference_results"]
    assert (len(result["output"]), result["status_code"]) == (2, 200)
    assert got.body.count(b"\xfb") >= 2 * model_server.DIMENSION


RERANKERS = [
    ("v1", "cohere", '{ "query": "${parameters.query}", "documents": ${parameters.documents} }'),
    ("plain", "default", '{ "query_text": "${parameters.query_text}", "text_docs": ${parameters.text_docs} }'),
]


@pytest.mark.parametrize(("path", "function", "body"), RERANKERS)
async def test_a_remote_reranker_keeps_the_order_of_the_texts(
    ml: Session, model_url: str, path: str, function: str, body: str
) -> None:
    model_id = await _remote(ml, _action(f"{model_url}/{path}/rerank", body, f"{function}.rerank"))
    scores = await ml.rerank(model_id, 'dog "food"', ["cats", 'dog "food"', "dog"])
    assert scores.tolist() == [0.0, 1.0, 0.5]


async def test_without_post_processing_the_answer_is_a_map_of_doubles(ml: Session, model_url: str) -> None:
    body = '{ "model": "${parameters.model}", "messages": ${parameters.messages} }'
    model_id = await _remote(ml, _action(f"{model_url}/v1/chat/completions", body, None))
    messages = [{"role": "user", "content": "What is six times seven?"}]
    got = await ml.models.predict(model_id, parameters={"messages": messages})
    (tensor,) = got.tensors
    assert isinstance(tensor, MapTensor)
    answer = tensor.dataAsMap
    assert answer["choices"][0]["message"]["content"] == "The answer is 42."
    assert isinstance(answer["choices"][0]["index"], float)


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("please fail", 400, 'Error from remote service: {"error": {"message": "bad input"'),
        ("please break", 500, 'Error from remote service: {"error": {"message": "boom"}}'),
        ("please garble", 500, "Fail to execute PREDICT in aws connector"),
        ("please drop", 500, "Error communicating with remote model: The connection was closed"),
        ("please wait", 500, "Error communicating with remote model: Read timed out"),
    ],
)
async def test_trouble_of_the_remote_model_is_told_in_the_servers_words(
    ml: Session, model_url: str, text: str, status: int, words: str
) -> None:
    model_id = await _openai(ml, model_url)
    with pytest.raises(ApiError) as caught:
        await ml.embed_one(model_id, text)
    assert caught.value.status == status
    assert caught.value.reason.startswith(words)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/throttles/400", 400, "Error from remote service: The request was denied due to remote server throttling"),
        ("/throttles/429", 429, "Error from remote service: The request was denied due to remote server throttling"),
        ("/says/401?words=no", 401, "Error from remote service: no"),
        ("/says/503", 503, "Remote service returned error status 503 with empty body"),
        ("/says/200", 502, "Remote service returned empty response body"),
        ('/says/200?words={"data":[{"embedding":[]}]}', 400, "The embedding should be a non-empty List"),
        ('/says/200?words={"data":[{"embedding":null}]}', 400, "The embedding should be a non-empty List"),
    ],
)
async def test_a_provider_is_told_apart_from_the_cluster_by_its_words(
    ml: Session, model_url: str, path: str, status: int, words: str
) -> None:
    model_id = await _remote(ml, _action(f"{model_url}{path}", INPUT, "openai.embedding"))
    with pytest.raises(ApiError) as caught:
        await ml.embed_one(model_id, "a")
    assert caught.value.status == status
    assert caught.value.reason.startswith(words)


async def test_a_server_that_is_not_there_refuses_the_connection(ml: Session, model_url: str) -> None:
    model_id = await _openai(ml, "http://127.0.0.1:1")
    with pytest.raises(ServerError, match=r"Connection refused: 127\.0\.0\.1/127\.0\.0\.1:1"):
        await ml.embed_one(model_id, "a")


async def test_the_credential_goes_to_the_remote_model_and_to_nobody_else(ml: Session) -> None:
    await ml.settings.apply(ALLOWED)
    async with serve_answers(reply({"data": [{"embedding": [1.0]}]})) as server:
        model_id = await _openai(ml, server.url)
        await ml.embed_one(model_id, 'with "quotes"')
        assert server.heard[0].headers["authorization"] == "Bearer s3cret"
        assert server.heard[0].json() == {"input": ['with "quotes"'], "model": "m"}
    model = await ml.models.get(model_id)
    for path in (f"connectors/{model.connector_id}", "connectors/_search", f"models/{model_id}"):
        assert b"s3cret" not in (await ml.request("GET", f"/_plugins/_ml/{path}")).body


async def test_a_place_without_a_value_is_an_invalid_payload(ml: Session, model_url: str) -> None:
    model_id = await _openai(ml, model_url)
    with pytest.raises(BadRequest, match=r'Invalid payload: \{ "input": \$\{parameters.input\}, "model": "m" \}'):
        await ml.models.predict(model_id, parameters={})
    with pytest.raises(BadRequest, match="Invalid payload"):
        await ml.models.predict(model_id, text_docs=["a"])  # this route does not take text_docs


async def test_settings_guard_the_way_out(ml: Session, model_url: str) -> None:
    model_id = await _openai(ml, model_url)
    with pytest.raises(BadRequest, match="not matching the trusted connector endpoint regex"):
        await _openai(ml, "http://example.org")
    await ml.settings.apply(MLSettings(connector_private_ip_enabled=False))
    with pytest.raises(
        BadRequest, match=r"Remote inference host name has private ip address: .*private_ip_enabled=True"
    ):
        await ml.embed_one(model_id, "a")
    await ml.settings.apply(MLSettings(remote_inference_enabled=False))
    with pytest.raises(ApiError, match="Remote Inference is currently disabled"):
        await ml.embed_one(model_id, "a")
    with pytest.raises(ApiError, match="Remote Inference is currently disabled"):
        await _openai(ml, model_url)


async def test_a_remote_model_needs_no_ml_node(ml: Session, model_url: str) -> None:
    await ml.settings.apply(MLSettings(only_run_on_ml_node=True))
    model_id = await _openai(ml, model_url)
    started = await ml.models.deploy(model_id)
    assert (started.status, (await ml.task(started, backoff=NOW)).state) == ("COMPLETED", "COMPLETED")
    await ml.embed_one(model_id, "a")


async def test_a_remote_model_is_deployed_by_its_first_prediction_unless_told_not_to(
    ml: Session, model_url: str
) -> None:
    model_id = await _openai(ml, model_url)
    assert not (await ml.models.get(model_id)).is_deployed
    await ml.embed_one(model_id, "a")
    await seen(ml, model_id)
    shy = await _remote(
        ml,
        _action(f"{model_url}/v1/embeddings", INPUT, "openai.embedding"),
        deploy_setting=DeploySetting(is_auto_deploy_enabled=False),
    )
    with pytest.raises(BadRequest, match="Model not ready yet"):
        await ml.embed_one(shy, "a")


async def test_a_connector_in_use_is_neither_changed_nor_deleted(ml: Session, model_url: str) -> None:
    model_id = await _openai(ml, model_url)
    connector_id = (await ml.models.get(model_id)).connector_id
    assert connector_id
    await ml.connectors.update(connector_id, description="new", parameters={"model": "other"}, version=2)
    connector = await ml.connectors.get(connector_id)
    assert (connector.description, connector.parameters, connector.version) == ("new", {"model": "other"}, "2")
    with pytest.raises(Conflict, match=model_id):
        await ml.connectors.delete(connector_id)
    await ml.models.deploy(model_id)
    await seen(ml, model_id)
    with pytest.raises(BadRequest, match="undeploy the models first"):
        await ml.connectors.update(connector_id, description="newer")
    await ml.models.undeploy(model_id)
    await ml.models.delete(model_id)
    await ml.connectors.delete(connector_id)
    assert len(await ml.connectors.search()) == 0


async def test_a_connector_that_takes_few_texts_is_called_for_each_of_them(ml: Session, model_url: str) -> None:
    await ml.settings.apply(ALLOWED)
    action = _action(f"{model_url}/v1/embeddings", INPUT, "openai.embedding")
    model_id = await _remote(ml, action)
    limited = {"input_docs_processed_step_size": 2}
    raw = await ml.raw(Predict("text_embedding", model_id, text_docs=["a", "b", "c"], parameters=limited))
    # Recorded from a 3.8: a result of each call, in the order of the texts.
    assert [len(result["output"]) for result in raw.json()["inference_results"]] == [2, 1]
    found = [one["data"] for result in raw.json()["inference_results"] for one in result["output"]]
    assert np.allclose(found, [model_server.vector_of(text) for text in "abc"])


async def test_a_host_that_is_not_trusted_is_trusted_as_the_error_says(ml: Session) -> None:
    gemini = connectors.gemini_generate_content("m", "k")
    with pytest.raises(BadRequest, match=r"trusted connector endpoint regex; .*`await ml\.settings\.trust\("):
        await ml.send(gemini)
    await ml.settings.trust("https://generativelanguage.googleapis.com")
    assert (await ml.send(gemini)).connector_id
