"""Which parameters of a connector take texts, and what is sent by them."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons.api.connectors import ConnectorAction, CreateConnector
from aiomlcommons.connectors import (
    bedrock_titan_embeddings,
    cohere_embeddings,
    cohere_rerank,
    http_embeddings,
    openai_embeddings,
    sagemaker_embeddings,
)
from aiomlcommons.inference.inputs import ModelInputs, inputs_of

AWS: dict[str, Any] = {"access_key": "k", "secret_key": "s"}


def _inputs(connector: CreateConnector) -> ModelInputs:
    (action,) = list(connector.actions or ())
    return inputs_of(action, connector.parameters or {})


def _of(body: str, **parameters: Any) -> ModelInputs:
    return inputs_of(ConnectorAction("predict", method="POST", url="https://x", request_body=body), parameters)


@pytest.mark.parametrize(
    ("connector", "inputs"),
    [
        (openai_embeddings("m", "k", parameters={"dimensions": 8}), ModelInputs(texts="input")),
        (cohere_embeddings("m", "k"), ModelInputs(texts="texts", side="input_type")),
        (cohere_embeddings("m", "k", input_type=None, api="v2"), ModelInputs(texts="texts")),
        (bedrock_titan_embeddings("us-east-1", **AWS), ModelInputs(texts="inputText", single=True, most=1)),
        (sagemaker_embeddings("us-east-1", "e", **AWS), ModelInputs(texts="input")),
        (http_embeddings("https://x", input="passages", parameters={"lang": "en"}), ModelInputs(texts="input")),
        (http_embeddings("https://x", input=None), ModelInputs(texts="input")),
        (cohere_rerank("m", "k"), ModelInputs(texts="documents", query="query", count="top_n")),
    ],
    ids=lambda value: value.name if isinstance(value, CreateConnector) else "",
)
def test_the_connectors_of_this_package_tell_what_takes_the_texts(
    connector: CreateConnector, inputs: ModelInputs
) -> None:
    assert _inputs(connector) == inputs


def test_the_only_parameter_that_nothing_sets_takes_the_texts_whatever_its_name() -> None:
    assert _of('{"q": ${parameters.questions_}, "m": "${parameters.model}"}', model="m").texts == "questions_"
    assert _of('{"q": ${parameters.a}, "n": ${parameters.b:-3}}').texts == "a"
    assert _of('{"q": ${parameters.a}, "n": ${parameters.b}}').texts is None


def test_a_parameter_within_quotes_takes_one_text() -> None:
    assert _of('{"prompt": "say \\"passage: ${parameters.input}\\""}').single
    assert _of('{"input": ["${parameters.input}"]}').single
    assert not _of('{"a": "b", "input": ${parameters.input}}').single


def test_the_steps_of_a_connector_are_the_most_texts_in_a_request() -> None:
    assert _of("${parameters.input}", input_docs_processed_step_size="96").size == 96
    assert _of("${parameters.input}").size is None


def test_bedrocks_reranker_is_asked_as_it_wants() -> None:
    body = (
        '{"queries": ${parameters.queries}, "sources": ${parameters.sources}, '
        '"n": ${parameters.numberOfResults}, "model": "${parameters.model}"}'
    )
    found = _of(body, model="m").parameters({"query": "q", "texts": ["a"]})
    assert found == {
        "queries": [{"type": "TEXT", "textQuery": {"text": "q"}}],
        "sources": [
            {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": "a"}}},
        ],
        "numberOfResults": 1,
    }


def test_a_text_that_looks_like_json_is_escaped_because_the_server_would_not() -> None:
    found = ModelInputs(texts="t", single=True).parameters({"texts": ['{"a": 1}']})
    assert found == {"t": '{\\"a\\": 1}', "no_escape_params": "t"}
    assert ModelInputs(texts="t", single=True).parameters({"texts": ["a\nb"]}) == {"t": "a\nb"}
    assert ModelInputs(texts="t").parameters({"texts": ['{"a": 1}']}) == {"t": ['{"a": 1}']}


def test_what_the_model_has_no_parameter_for_is_named() -> None:
    with pytest.raises(LookupError, match="query"):
        ModelInputs(texts="t").parameters({"texts": ["a"], "query": "q"})


def test_a_limit_below_one_text_is_refused() -> None:
    with pytest.raises(ValueError, match="most"):
        ModelInputs(texts="t", most=0)
