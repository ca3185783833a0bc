"""Remote models: the emulator really calls the endpoint of the connector."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import aiohttp
import orjson
from yarl import URL

from aiomlcommons.api.connectors import ActionType, Connector, ConnectorAction, HttpConnector
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.predict import MLInput
from aiomlcommons.decoding.bounded import TooMuch
from aiomlcommons.emulator import errors
from aiomlcommons.emulator.bounded import text_of
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.connectors.connector_store import (
    CLIENT_DEFAULTS,
    check_endpoints,
    check_exists,
    check_host,
    is_private,
)
from aiomlcommons.emulator.connectors.processing import after, before
from aiomlcommons.emulator.connectors.templates import fill, is_json, open_places
from aiomlcommons.emulator.errors import ProviderFailed, Refused, illegal, refused, status_error
from aiomlcommons.http import JSON
from aiomlcommons.stream import Frames

INTERRUPTED = "SSE failure with network error"
STEP_SIZE = "input_docs_processed_step_size"
AWS_ERROR = "x-amzn-ErrorType"
OF_A_JOB = {
    ActionType.BATCH_PREDICT_STATUS: ("get the batch job details in the connector", "GET", "/${parameters.id}"),
    ActionType.CANCEL_BATCH_PREDICT: ("cancel the batch job in the connector", "POST", "/${parameters.id}/cancel"),
}
"""Actions on a running batch job: the name in the error without one, and the default method and URL suffix."""
CLOSED = (
    "The connection was closed during the request. The request will usually succeed on a retry, but if it does not: "
    "consider disabling any proxies you have configured, enabling debug logging, or performing a TCP dump to identify "
    "the root cause. If this is a streaming operation, validate that data is being read or written in a timely manner."
)


async def predict(
    cluster: Cluster, model_id: str, model: Model, ml_input: MLInput, *, texts: bool
) -> list[dict[str, Any]]:
    """Return the prediction of a remote model as one result with all outputs. With ``texts``, texts are pre-processed.

    A connector that says how many texts a call may have is called several times, and there is a result of each call.
    Raises Refused with the status of the remote model, or 500 where it did not respond.
    """
    given = ml_input.parameters or {}
    if not texts or ml_input.text_docs is None:
        return [await ask(cluster, model_id, model, ActionType.PREDICT, given)]
    action = _action(connector := _connector(cluster, model), ActionType.PREDICT)
    size = int({**(connector.parameters or {}), **given}.get(STEP_SIZE) or len(ml_input.text_docs) or 1)
    return [
        await ask(cluster, model_id, model, ActionType.PREDICT, {**given, **before(action.pre_process_function, one)})
        for one in _in_steps(ml_input, ml_input.text_docs, size)
    ]


def _in_steps(ml_input: MLInput, texts: Sequence[str], size: int) -> list[MLInput]:
    if size >= len(texts):
        return [ml_input]
    return [alter(ml_input, text_docs=texts[start : start + size]) for start in range(0, len(texts), size)]


def check_allowed(cluster: Cluster) -> None:
    """Raise Refused where remote inference is disabled."""
    if not cluster.settings.flag("remote_inference.enabled"):
        raise illegal(errors.NO_REMOTE)


def private_host(cluster: Cluster, model: Model, kind: ActionType) -> str | None:
    """Return the host of an action if its address is private, else None."""
    connector = _connector(cluster, model)
    host = URL(fill(_action(connector, kind).url, {"parameters": connector.parameters or {}})).host or ""
    return host if is_private(host) else None


async def ask(
    cluster: Cluster, model_id: str, model: Model, kind: ActionType, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Call the action of a kind of the model's connector; raise as ``predict`` does."""
    connector = _connector(cluster, model)
    action = _action(connector, kind)
    values = _values(cluster, model_id, model, connector, given)
    check_endpoints(cluster, [action], values["parameters"])
    status, answer = await _call(cluster, connector, action, values)
    output = after(action.post_process_function, answer)
    return {**({"output": output} if output else {}), "status_code": status}


def _values(
    cluster: Cluster, model_id: str, model: Model, connector: Connector, given: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    credential = cluster.credentials.get(model.connector_id or model_id, {})
    return {"parameters": {**(connector.parameters or {}), **given}, "credential": credential}


def _connector(cluster: Cluster, model: Model) -> Connector:
    return model.connector or check_exists(cluster, model.connector_id or "")


def _action(connector: Connector, kind: ActionType) -> ConnectorAction:
    actions = connector.actions or () if isinstance(connector, HttpConnector) else ()
    found = {action.action_type: action for action in reversed(actions)}
    # The server uses its default action for a running job unless there is one with a body, even for GET.
    if kind in OF_A_JOB and (kind not in found or found[kind].request_body is None):
        return _default_action(kind, found[ActionType.BATCH_PREDICT])
    if kind not in found:
        raise illegal(f"no {kind} action found")
    return found[kind]


def _default_action(kind: ActionType, start: ConnectorAction) -> ConnectorAction:
    what, method, ending = OF_A_JOB[kind]
    if not re.search("openai|cohere", start.url):
        raise refused(500, "unsupported_operation_exception", f"Please configure the action type to {what}")
    return ConnectorAction(action_type=kind, method=method, url=start.url + ending, headers=start.headers)


async def stream(cluster: Cluster, model_id: str, model: Model, given: Mapping[str, Any]) -> AsyncGenerator[str]:
    """Call a remote model in streaming mode and yield the data of each event.

    Raises ProviderFailed with the status of the remote model, or 500 where there was no stream or it was interrupted,
    and Refused where the model cannot be called.
    """
    connector = _connector(cluster, model)
    action = _action(connector, ActionType.PREDICT)
    values = _values(cluster, model_id, model, connector, given)
    check_endpoints(cluster, [action], values["parameters"])
    request = _http_request(cluster, connector, action, values)
    request["data"] = orjson.dumps({**orjson.loads(request["data"] or b"{}"), "stream": True})
    frames = Frames()
    try:
        async with cluster.client.request(action.method, **request) as response:
            if response.status >= 400:
                error = _refusal(response.status, await text_of(response), throttled=False)
                raise ProviderFailed(response.status, error.body)
            if response.content_type != "text/event-stream":
                raise _interrupted()
            async for piece in response.content.iter_any():
                for data in frames.feed(piece):
                    yield data.decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError, OSError, TooMuch) as cause:
        raise _interrupted() from cause


def _interrupted() -> ProviderFailed:
    return ProviderFailed(500, refused(500, "m_l_exception", INTERRUPTED).body)


def _http_request(
    cluster: Cluster, connector: Connector, action: ConnectorAction, values: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the arguments of the HTTP request to the provider."""
    as_is = str(values["parameters"].get("no_escape_params", "")).split(",")
    body = fill(action.request_body or "", values, in_json=True, as_is=as_is)
    if action.request_body:
        _check_payload(cluster, body)
    url = fill(action.url, values)
    check_host(cluster, url)
    headers = {name: fill(value, values) for name, value in (action.headers or {}).items()}
    config = connector.client_config or CLIENT_DEFAULTS
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=config.connection_timeout, sock_read=config.read_timeout)
    data = None if action.method == "GET" else body or None
    return {"url": url, "data": data, "headers": {"content-type": JSON, **headers}, "timeout": timeout}


async def _call(
    cluster: Cluster, connector: Connector, action: ConnectorAction, values: Mapping[str, Mapping[str, Any]]
) -> tuple[int, Any]:
    request = _http_request(cluster, connector, action, values)
    try:
        async with cluster.client.request(action.method, **request) as response:
            text = await text_of(response)
            throttled = response.headers.get(AWS_ERROR, "").startswith("ThrottlingException")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise status_error(500, f"Error communicating with remote model: {_reason(error)}") from error
    if response.status >= 400:
        raise _refusal(response.status, text, throttled=throttled)
    if not text.strip() and action.action_type.upper() != ActionType.CANCEL_BATCH_PREDICT.upper():
        raise status_error(502, "Remote service returned empty response body")
    return response.status, _read(text)


def _refusal(status: int, text: str, *, throttled: bool) -> Refused:
    """Return the provider's own status, also for a throttled request to AWS, which is 400 with a header."""
    if throttled:
        return refused(status, "remote_connector_throttling_exception", errors.THROTTLED_PROVIDER)
    if not text.strip():
        return status_error(status, f"Remote service returned error status {status} with empty body")
    return status_error(status, f"Error from remote service: {text}")


def _check_payload(cluster: Cluster, body: str) -> None:
    unfilled = open_places(body)
    # Recorded: 3.4 quotes the payload, 3.8 names the missing parameters.
    if unfilled and not cluster.is_before("3.8"):
        raise illegal(f"Some parameter placeholder not filled in payload: {', '.join(unfilled)}")
    if unfilled or not is_json(body):
        raise illegal(f"Invalid payload: {body}")


def _read(text: str) -> Any:
    try:
        return json.loads(text)  # which knows NaN, as the server's parser does
    except (ValueError, RecursionError):
        return text


def _reason(error: Exception) -> str:
    """Return a network error with the text that the server has for it."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return "Connect timed out"
        case asyncio.TimeoutError():
            return "Read timed out"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ConnectionRefusedError):
            address = "127.0.0.1" if error.host == "localhost" else error.host
            return f"Connection refused: {error.host}/{address}:{error.port}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | ConnectionResetError():
            return CLOSED
    return str(error)
