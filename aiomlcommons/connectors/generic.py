"""An embedding server of one's own, behind plain HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, Unpack

from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.connectors.build import (
    Options,
    bearer,
    builtin,
    checked_further,
    checked_secret,
    checked_text,
    checked_url,
    connector,
    json_object,
    places,
    predict,
)
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.net.secret import Secret

FUNCTIONS = {"openai": "openai.embedding", "list": "default.embedding"}


def http_embeddings(
    url: str,
    *,
    input: str | None = "input",
    answer: Literal["openai", "list"] = "openai",
    model: str | None = None,
    api_key: str | Secret | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    parameters: Mapping[str, Any] | None = None,
    pre_process_function: str | None = None,
    post_process_function: str | None = None,
    **options: Unpack[Options],
) -> CreateConnector:
    """An embedding model behind any HTTP server, which is sent ``{"input": [texts], "model": ...}`` at ``url``.

    ``input`` is the key of the texts in its request; None sends their list and nothing else. ``answer`` says where the
    vectors are: ``openai`` for ``{"data": [{"embedding": [...]}]}``, ``list`` for ``[[...], ...]``. For any other form
    ``pre_process_function`` (it must give the parameter ``input``) and ``post_process_function`` are Painless scripts.
    ``api_key`` goes as a bearer token; a header of ``headers`` whose value is a Secret is kept as safe as it.
    ``parameters`` are further keys of the request.
    Raises InvalidRequest, naming the parameter.

    https://docs.opensearch.org/latest/ml-commons-plugin/remote-models/blueprints/
    """
    if answer not in FUNCTIONS:
        raise InvalidRequest(f"answer must be 'openai' or 'list', not {answer!r}")
    shown, credential = _headers(headers or {}, api_key)
    values = checked_further(parameters, ("model", "input"))
    if model is not None:
        values["model"] = checked_text("model", model)
    functions = builtin(FUNCTIONS[answer])
    if pre_process_function is not None:
        functions["pre_process_function"] = checked_text("pre_process_function", pre_process_function)
    if post_process_function is not None:
        functions["post_process_function"] = checked_text("post_process_function", post_process_function)
    action = predict(checked_url("url", url), _body(input, values), shown, **functions)
    return connector(f"embeddings at {url}", action, credential=credential, parameters=values, options=options)


def _body(input: str | None, values: Mapping[str, Any]) -> str:
    texts = "${parameters.input}"
    if input is None and values:
        raise InvalidRequest(f"input=None sends the texts alone, so there is no place for {', '.join(values)}")
    if input is None:
        return texts
    if input in values:
        raise InvalidRequest(f"input: the key {input!r} cannot hold both the texts and a parameter")
    return json_object({checked_text("input", input): texts, **places(values)})


def _headers(
    headers: Mapping[str, str | Secret], api_key: str | Secret | None
) -> tuple[dict[str, str], dict[str, Secret]]:
    """The headers, each secret one as a place that the server fills from the credential."""
    shown: dict[str, str] = {}
    # Older servers stumble over a connector without a credential, but not over an empty one.
    credential: dict[str, Secret] = {}
    for name, value in headers.items():
        if isinstance(value, Secret):
            key = "header_" + re.sub(r"\W", "_", name).lower()
            while key in credential:
                key += "_"  # X-A and X_A are two headers
            credential[key] = checked_secret(f"headers[{name!r}]", value)
            shown[name] = f"${{credential.{key}}}"
        else:
            shown[name] = checked_text(f"headers[{name!r}]", value)
    if api_key is not None:
        if any(name.lower() == "authorization" for name in headers):
            raise InvalidRequest("api_key and the header Authorization exclude each other")
        credential["api_key"] = checked_secret("api_key", api_key)
        shown |= bearer("api_key")
    return shown, credential
