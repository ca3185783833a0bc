"""Connectors to OpenAI, Cohere and Google Gemini, which authenticate by an API key in a header."""

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
from aiomlcommons.typed import typed

OPENAI = "https://api.openai.com"
COHERE = "https://api.cohere.ai"
GEMINI = "https://generativelanguage.googleapis.com"
CohereEmbedding: TypeAlias = Literal["float", "int8", "uint8", "binary", "ubinary"]


@typed(own="model api_key endpoint")
def openai_embeddings(
    model: str,
    api_key: str | Secret,
    *,
    endpoint: str = OPENAI,
    parameters: Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> CreateConnector:
    """Build a connector to an OpenAI embedding model, or to any compatible server at another ``endpoint``.

    ``parameters`` are additional keys of the request, such as ``{"dimensions": 512}``; a prediction may override them.
    Raises InvalidRequest, naming the parameter.

    https://github.com/opensearch-project/ml-commons/blob/main/docs/remote_inference_blueprints/openai_connector_embedding_blueprint.md
    """
    values = {"model": checked_text("model", model), **checked_further(parameters, ("model", "input"))}
    body = json_object({"input": "${parameters.input}", **places(values)})
    url = f"{checked_endpoint(endpoint)}/v1/embeddings"
    action = predict(url, body, bearer("openAI_key"), **builtin("openai.embedding"))
    credential = {"openAI_key": checked_secret("api_key", api_key)}
    return connector(f"OpenAI {model}", action, credential=credential, parameters=values, options=options)


@typed(own="model api_key endpoint")
def openai_chat(
    model: str,
    api_key: str | Secret,
    *,
    endpoint: str = OPENAI,
    parameters: Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> CreateConnector:
    """Build a connector to an OpenAI chat model, or to any compatible server at another ``endpoint``.

    A prediction passes ``parameters={"messages": [{"role": ..., "content": ...}]}``. ``parameters`` are additional keys
    of the request, such as ``{"temperature": 0.2}``; a prediction may override them. Raises InvalidRequest, naming the
    parameter.

    https://github.com/opensearch-project/ml-commons/blob/main/docs/remote_inference_blueprints/open_ai_connector_chat_blueprint.md
    """
    values = {"model": checked_text("model", model), **checked_further(parameters, ("model", "messages"))}
    body = json_object({**places(values), "messages": "${parameters.messages}"})
    action = predict(f"{checked_endpoint(endpoint)}/v1/chat/completions", body, bearer("openAI_key"))
    credential = {"openAI_key": checked_secret("api_key", api_key)}
    return connector(f"OpenAI {model}", action, credential=credential, parameters=values, options=options)


CONVERSATION = (
    '[{"role":"system","content":"${parameters.system_prompt:-You are a helpful assistant.}"},'
    '${parameters._chat_history:-}{"role":"user","content":"${parameters.prompt}"}${parameters._interactions:-}]'
)


@typed(own="model api_key endpoint")
def openai_agent(
    model: str,
    api_key: str | Secret,
    *,
    endpoint: str = OPENAI,
    parameters: Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> CreateConnector:
    """Build a connector to an OpenAI chat model for agents, which put their history, tools and steps into its request.

    The agent needs ``llm=LLMSpec(model_id, parameters={"prompt": "${parameters.question}"})`` and
    ``parameters={"_llm_interface": "openai/v1/chat/completions"}``; ``system_prompt`` among the parameters of the LLM
    replaces the server's. A prediction, or an ``MLModelTool``, passes ``parameters={"prompt": "..."}``. ``parameters``
    are additional keys of the request, such as ``{"temperature": 0.2}``. Raises InvalidRequest, naming the parameter.

    https://docs.opensearch.org/latest/ml-commons-plugin/agents-tools/agents/conversational/
    """
    values = {"model": checked_text("model", model), **checked_further(parameters, ("model", "messages", "tools"))}
    body = json_object({**places(values), "messages": CONVERSATION + "${parameters.tool_configs:-}"})
    action = predict(f"{checked_endpoint(endpoint)}/v1/chat/completions", body, bearer("openAI_key"))
    credential = {"openAI_key": checked_secret("api_key", api_key)}
    return connector(f"OpenAI {model} for agents", action, credential=credential, parameters=values, options=options)


@typed(own="model api_key embedding_type input_type truncate endpoint")
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
    """Build a connector to a Cohere embedding model.

    Args:
        model: The model's name at Cohere.
        api_key: The API key.
        api: The version of Cohere's API. Default: ``v1``.
        embedding_type: The type of the vectors; ``v1`` supports ``float`` only. Default: ``float``.
        input_type: ``search_document``, ``search_query``, ``classification`` or ``clustering``, required by models
            since version 3; None omits it. A prediction may override it. Default: ``search_document``.
        truncate: Which end of a text that is too long is cut off. Default: ``END``.
        endpoint: The base URL. Default: that of Cohere.
        options: Fields of ``CreateConnector``: see Options.

    Raises:
        InvalidRequest: A parameter is invalid; names it.

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
    """Build a connector to a Cohere reranker, for ``ml.rerank``, which scores every document.

    A prediction by ``parameters`` must pass ``query``, ``documents`` and ``top_n``. Raises InvalidRequest, naming the
    parameter.

    https://docs.opensearch.org/latest/tutorials/reranking/reranking-cohere/
    """
    values = {"model": checked_text("model", model)}
    # The server's pre-process function sets top_n to the number of documents, so that each of them gets a score.
    parts = {"documents": "${parameters.documents}", "query": '"${parameters.query}"', **places(values)}
    body = json_object({**parts, "top_n": "${parameters.top_n}"})
    action = predict(f"{checked_endpoint(endpoint)}/v1/rerank", body, bearer("cohere_key"), **builtin("cohere.rerank"))
    credential = {"cohere_key": checked_secret("api_key", api_key)}
    return connector(f"Cohere {model}", action, credential=credential, parameters=values, options=options)


@typed(own="model api_key endpoint")
def gemini_generate_content(
    model: str,
    api_key: str | Secret,
    *,
    endpoint: str = GEMINI,
    parameters: Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> CreateConnector:
    """Build a connector to a Google Gemini model.

    A prediction passes ``parameters={"contents": [{"role": "user", "parts": [{"text": ...}]}]}``. ``parameters`` are
    additional keys of the request, such as ``{"generationConfig": {"temperature": 0.2}}``; a prediction may override
    them. Raises InvalidRequest, naming the parameter.

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
