"""Connector to a self-hosted embedding server over HTTP."""

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
from aiomlcommons.typed import typed

FUNCTIONS = {"openai": "openai.embedding", "list": "default.embedding"}


@typed(own="url answer input model api_key pre_process_function post_process_function")
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
    """Build a connector to an embedding model behind any HTTP server: ``{"input": [texts], "model": ...}`` to ``url``.

    Args:
        url: Where requests are sent.
        input: The key of the texts in the request body; None sends the bare list. Default: ``input``.
        answer: The shape of the response: ``openai`` for ``{"data": [{"embedding": [...]}]}``, ``list`` for
            ``[[...], ...]``. Default: ``openai``.
        model: The value of the key ``model`` of the request. Default: the key is omitted.
        api_key: Sent as a bearer token. Default: none.
        headers: Additional headers; the value of one that is a Secret is encrypted as ``api_key`` is.
        parameters: Additional keys of the request body.
        pre_process_function: A Painless script for other shapes of requests; it must set the parameter ``input``.
        post_process_function: A Painless script for other shapes of responses.
        options: Fields of ``CreateConnector``: see Options.

    Raises:
        InvalidRequest: A parameter is invalid; names it.

    https://docs.opensearch.org/latest/ml-commons-plugin/remote-models/blueprints/
    """
    if answer not in tuple(FUNCTIONS):
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
    # Without the query, where some servers take their key: the name is shown everywhere.
    title = f"embeddings at {url.partition('?')[0]}"
    return connector(title, action, credential=credential, parameters=values, options=options)


def _body(input: str | None, values: Mapping[str, Any]) -> str:
    texts = "${parameters.input}"
    if input is None and values:
        raise InvalidRequest(f"input=None sends only the list of texts, without {', '.join(values)}")
    if input is None:
        return texts
    if checked_text("input", input) in values:
        raise InvalidRequest(f"input: the key {input!r} cannot hold both the texts and a parameter")
    return json_object({input: texts, **places(values)})


def _headers(
    headers: Mapping[str, str | Secret], api_key: str | Secret | None
) -> tuple[dict[str, str], dict[str, Secret]]:
    """Return the headers, with placeholders for secret values, and the credential with these values."""
    shown: dict[str, str] = {}
    # Older servers fail on a connector without a credential, but not on an empty one.
    credential: dict[str, Secret] = {}
    for name, value in headers.items():
        if isinstance(value, Secret):
            key = "header_" + re.sub(r"\W", "_", name).lower()
            while key in credential:
                key += "_"  # X-A and X_A are different headers
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
