"""OpenAI, Cohere and Google Gemini: providers that take a key in a header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, Unpack

from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.connectors.build import (
    Options,
    bearer,
    builtin,
    checked_endpoint,
    checked_further,
    checked_secret,
    checked_text,
    connector,
    json_object,
    places,
    predict,
)
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.net.secret import Secret

OPENAI = "https://api.openai.com"
COHERE = "https://api.cohere.ai"
GEMINI = "https://generativelanguage.googleapis.com"
CohereEmbedding: TypeAlias = Literal["float", "int8", "uint8", "binary", "ubinary"]


def openai_embeddings(
    model: str,
    api_key: str | Secret,
    *,
    endpoint: str = OPENAI,
    parameters: Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> CreateConnector:
    """An OpenAI embedding model, or one of any server that speaks this API at another ``endpoint``.

    ``parameters`` are further keys of its request, such as ``{"dimensions": 512}``; a prediction may give others.
    Raises InvalidRequest, naming the parameter.

    https://github.com/opensearch-project/ml-commons/blob/main/docs/remote_inference_blueprints/openai_connector_embedding_blueprint.md
    """
    values = {"model": checked_text("model", model), **checked_further(parameters, ("model", "input"))}
    body = json_object({"input": "${parameters.input}", **places(values)})
    url = f"{checked_endpoint(endpoint)}/v1/embeddings"
    action = predict(url, body, bearer("openAI_key"), **builtin("openai.embedding"))
    credential = {"openAI_key": checked_secret("api_key", api_key)}
    return connector(f"OpenAI {model}", action, credential=credential, parameters=values, options=options)


def openai_chat(
    model: str,
    api_key: str | Secret,
    *,
    endpoint: str = OPENAI,
    parameters: Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> CreateConnector:
    """An OpenAI chat model: a prediction gives it ``parameters={"messages": [{"role": ..., "content": ...}]}``.

    ``endpoint`` may be any server that speaks this API. ``parameters`` are further keys of its request, such as
    ``{"temperature": 0.2}``; a prediction may give others. Raises InvalidRequest, naming the parameter.

    https://github.com/opensearch-project/ml-commons/blob/main/docs/remote_inference_blueprints/open_ai_connector_chat_blueprint.md
    """
    values = {"model": checked_text("model", model), **checked_further(parameters, ("model", "messages"))}
    body = json_object({**places(values), "messages": "${parameters.messages}"})
    action = predict(f"{checked_endpoint(endpoint)}/v1/chat/completions", body, bearer("openAI_key"))
    credential = {"openAI_key": checked_secret("api_key", api_key)}
    return connector(f"OpenAI {model}", action, credential=credential, parameters=values, options=options)


def cohere_embeddings(
    model: str,
    api_key: str | Secret,
    *,
    api: Literal["v1", "v2"] = "v1",
    embedding_type: CohereEmbedding = "float",
    input_type: str | None = "search_document",
    truncate: str = "END",
    endpoint: str = COHERE,
    **options: Unpack[Options],
) -> CreateConnector:
    """A Cohere embedding model, by version 1 or 2 of Cohere's API.

    ``embedding_type`` is what ``api="v2"`` gives; v1 gives floats alone. ``input_type`` is what models since version 3
    want (None leaves it out for older ones): ``search_document``, ``search_query``, ``classification`` or
    ``clustering``; a prediction may give another. Raises InvalidRequest, naming the parameter.

    https://github.com/opensearch-project/ml-commons/blob/main/docs/remote_inference_blueprints/standard_blueprints/cohere_connector_text_embedding_standard_blueprint.md
    """
    if api == "v1" and embedding_type != "float":
        raise InvalidRequest(f"embedding_type {embedding_type!r} needs api='v2'")
    values = {"truncate": checked_text("truncate", truncate), "model": checked_text("model", model)}
    if input_type is not None:
        values["input_type"] = checked_text("input_type", input_type)
    parts = {"texts": "${parameters.texts}", **places(values)}
    after = "cohere.embedding"
    if api == "v2":
        parts["embedding_types"] = f'["{embedding_type}"]'
        after = f"cohere_v2.embedding.{embedding_type}"
    headers = {**bearer("cohere_key"), "Request-Source": "unspecified:opensearch"}
    url = f"{checked_endpoint(endpoint)}/{api}/embed"
    action = predict(url, json_object(parts), headers, **builtin("cohere.embedding", after))
    credential = {"cohere_key": checked_secret("api_key", api_key)}
    return connector(f"Cohere {model}", action, credential=credential, parameters=values, options=options)


def cohere_rerank(
    model: str, api_key: str | Secret, *, endpoint: str = COHERE, **options: Unpack[Options]
) -> CreateConnector:
    """A Cohere reranker, for ``ml.rerank``, which scores every document.

    A prediction by ``parameters`` has to give ``query``, ``documents`` and ``top_n``. Raises InvalidRequest, naming the
    parameter.

    https://docs.opensearch.org/latest/tutorials/reranking/reranking-cohere/
    """
    values = {"model": checked_text("model", model)}
    # The server's function before the call counts the documents as top_n, so that each of them gets a score.
    parts = {"documents": "${parameters.documents}", "query": '"${parameters.query}"', **places(values)}
    body = json_object({**parts, "top_n": "${parameters.top_n}"})
    action = predict(f"{checked_endpoint(endpoint)}/v1/rerank", body, bearer("cohere_key"), **builtin("cohere.rerank"))
    credential = {"cohere_key": checked_secret("api_key", api_key)}
    return connector(f"Cohere {model}", action, credential=credential, parameters=values, options=options)


def gemini_generate_content(
    model: str,
    api_key: str | Secret,
    *,
    endpoint: str = GEMINI,
    parameters: Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> CreateConnector:
    """A Google Gemini model: a prediction gives it ``{"contents": [{"role": "user", "parts": [{"text": ...}]}]}``.

    ``parameters`` are further keys of its request, such as ``{"generationConfig": {"temperature": 0.2}}``; a prediction
    may give others. Raises InvalidRequest, naming the parameter.

    https://github.com/opensearch-project/ml-commons/blob/main/docs/remote_inference_blueprints/google_gemini_connector_chat_blueprint.md
    """
    checked_text("model", model)
    further = checked_further(parameters, ("model", "contents"))
    body = json_object({"contents": "${parameters.contents}", **places(further)})
    url = f"{checked_endpoint(endpoint)}/v1beta/models/${{parameters.model}}:generateContent"
    headers = {"Content-Type": "application/json", "x-goog-api-key": "${credential.gemini_key}"}
    action = predict(url, body, headers, supports_structured_output=True)
    credential = {"gemini_key": checked_secret("api_key", api_key)}
    values = {"model": model, **further}
    return connector(f"Gemini {model}", action, credential=credential, parameters=values, options=options)
