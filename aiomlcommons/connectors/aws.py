"""Connectors to Amazon Bedrock and SageMaker, whose requests the cluster signs (``aws_sigv4``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, Unpack

from aiomlcommons.api.connectors import ConnectorAction, CreateConnector
from aiomlcommons.connectors.build import (
    SIGV4,
    Options,
    builtin,
    checked_endpoint,
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

BEDROCK = "https://bedrock-runtime.${parameters.region}.amazonaws.com"
SAGEMAKER = "https://runtime.sagemaker.${parameters.region}.amazonaws.com"
TITAN_V1 = "amazon.titan-embed-text-v1"
TITAN_V2 = "amazon.titan-embed-text-v2:0"
TYPED = {"content-type": "application/json"}
HASHED = {**TYPED, "x-amz-content-sha256": "required"}
CONVERSATION = '{"messages":[{"role":"user","content":[{"type":"text","text":"${parameters.inputs}"}]}]}'


class AwsOptions(Options, total=False):
    """Options, with the AWS credential: ``access_key`` with ``secret_key`` (and ``session_token``), or ``roleArn``."""

    access_key: str | Secret
    secret_key: str | Secret
    session_token: str | Secret
    roleArn: str | Secret


KEYS = ("access_key", "secret_key", "session_token")


@typed(own="region model endpoint")
def bedrock_titan_embeddings(
    region: str,
    model: str = TITAN_V2,
    *,
    dimensions: int | None = None,
    normalize: bool | None = None,
    embedding_type: Literal["float", "binary"] | None = None,
    endpoint: str = BEDROCK,
    **options: Unpack[AwsOptions],
) -> CreateConnector:
    """Build a connector to a Titan text embedding model on Amazon Bedrock.

    The model accepts one text per call, so the cluster calls it once for each text.

    Args:
        region: The AWS region, such as ``us-east-1``.
        model: The model's id at Bedrock. Default: Titan text embeddings, version 2.
        dimensions: The dimension of the vectors; version 2 only. Default: the model's, 1,024.
        normalize: Whether vectors are normalized; version 2 only. Default: the model's, yes.
        embedding_type: ``float`` or ``binary``; version 2 only. Default: the model's, ``float``.
        endpoint: The base URL. Default: that of Bedrock in the region.
        options: The credential, and fields of ``CreateConnector``: see AwsOptions.

    Raises:
        InvalidRequest: A parameter is invalid; names it.

    https://github.com/opensearch-project/ml-commons/blob/main/docs/remote_inference_blueprints/bedrock_connector_titan_embedding_blueprint.md
    """
    settings: dict[str, Any] = {"dimensions": dimensions, "normalize": normalize}
    if embedding_type is not None:
        settings["embeddingTypes"] = [embedding_type]
    given = {name: value for name, value in settings.items() if value is not None}
    if given and model == TITAN_V1:
        raise InvalidRequest(f"{', '.join(given)}: {TITAN_V1} does not support this; later models do")
    body = json_object({"inputText": '"${parameters.inputText}"', **places(given)})
    after = f"bedrock_v2.embedding.{embedding_type}" if embedding_type else None
    action = predict(_model_url(endpoint, "invoke"), body, HASHED, **builtin("bedrock.embedding", after))
    # Without a step size the server sends only the first text of a request.
    values = {"model": checked_text("model", model), **given, "input_docs_processed_step_size": 1}
    return _signed(f"Bedrock {model}", action, "bedrock", region, values, options)


def bedrock_converse(
    region: str, model: str, *, endpoint: str = BEDROCK, **options: Unpack[AwsOptions]
) -> CreateConnector:
    """Build a connector to a chat model on Amazon Bedrock, by its Converse API.

    A prediction passes ``parameters={"inputs": "..."}``, and returns the text of the reply.
    Raises InvalidRequest, naming the parameter.

    https://github.com/opensearch-project/ml-commons/blob/main/docs/remote_inference_blueprints/bedrock_connector_converse_blueprint.md
    """
    action = predict(_model_url(endpoint, "converse"), CONVERSATION, TYPED, supports_structured_output=True)
    values = {"model": checked_text("model", model), "response_filter": "$.output.message.content[0].text"}
    return _signed(f"Bedrock {model}", action, "bedrock", region, values, options)


def sagemaker_embeddings(
    region: str, endpoint_name: str, *, endpoint: str = SAGEMAKER, **options: Unpack[AwsOptions]
) -> CreateConnector:
    """Build a connector to an embedding model on a SageMaker endpoint: a list of texts in, a list of vectors out.

    ``endpoint_name`` is the name of the SageMaker endpoint. Raises InvalidRequest, naming the parameter.

    https://docs.opensearch.org/latest/ml-commons-plugin/remote-models/blueprints/
    """
    if not re.fullmatch(r"[A-Za-z0-9-]+", checked_text("endpoint_name", endpoint_name)):
        raise InvalidRequest(f"endpoint_name must have only letters, digits and hyphens, not {endpoint_name!r}")
    url = f"{checked_endpoint(endpoint)}/endpoints/{endpoint_name}/invocations"
    action = predict(url, "${parameters.input}", TYPED, **builtin("default.embedding"))
    return _signed(f"SageMaker {endpoint_name}", action, "sagemaker", region, {}, options)


def _model_url(endpoint: str, verb: str) -> str:
    return f"{checked_endpoint(endpoint)}/model/${{parameters.model}}/{verb}"


def _signed(
    title: str, action: ConnectorAction, service: str, region: str, values: Mapping[str, Any], options: AwsOptions
) -> CreateConnector:
    if not re.fullmatch(r"[a-z0-9-]+", checked_text("region", region)):
        raise InvalidRequest(f"region must be an AWS region such as us-east-1, not {region!r}")
    rest: Any = {key: value for key, value in options.items() if key not in {*KEYS, "roleArn"}}
    return connector(
        title,
        action,
        credential=_credential(options),
        parameters={"region": region, "service_name": service, **values},
        options=rest,
        protocol=SIGV4,
    )


def _credential(options: AwsOptions) -> dict[str, Secret]:
    given: Mapping[str, Any] = {key: options.get(key) for key in (*KEYS, "roleArn") if options.get(key) is not None}
    keys = [key for key in KEYS if key in given]
    if "roleArn" in given and keys:
        raise InvalidRequest(f"roleArn and {keys[0]} exclude each other")
    if not given:
        raise InvalidRequest("access_key and secret_key, or roleArn, must be given")
    if keys and (missing := [key for key in KEYS[:2] if key not in given]):
        raise InvalidRequest(f"{missing[0]} must be given with {keys[0]}")
    return {key: checked_secret(key, value) for key, value in given.items()}
