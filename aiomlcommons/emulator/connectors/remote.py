"""Remote models: the emulator really calls what the connector names."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp
import orjson
from yarl import URL

from aiomlcommons.api.connectors import ActionType, Connector, ConnectorAction, HttpConnector
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.predict import MLInput
from aiomlcommons.emulator import errors
from aiomlcommons.emulator.cluster import Cluster
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

BROKE_OFF = "SSE failure with network error"
AWS_ERROR = "x-amzn-ErrorType"
OF_A_JOB = {
    ActionType.BATCH_PREDICT_STATUS: ("get the batch job details in the connector", "GET", "/${parameters.id}"),
    ActionType.CANCEL_BATCH_PREDICT: ("cancel the batch job in the connector", "POST", "/${parameters.id}/cancel"),
}
"""What is done with a job after its begin: what is missing without, and what is known of OpenAI and Cohere."""
CLOSED = (
    "The connection was closed during the request. The request will usually succeed on a retry, but if it does not: "
    "consider disabling any proxies you have configured, enabling debug logging, or performing a TCP dump to identify "
    "the root cause. If this is a streaming operation, validate that data is being read or written in a timely manner."
)


async def predict(cluster: Cluster, model_id: str, model: Model, asked: MLInput, *, texts: bool) -> dict[str, Any]:
    """What the remote model answers, as one result with all its outputs. ``texts`` are pre-processed if there are any.

    Raises Refused with the remote model's own status, or 500 where no answer came.
    """
    given = asked.parameters or {}
    if texts and asked.text_docs is not None:
        action = _action(_connector(cluster, model), ActionType.PREDICT)
        given = {**given, **before(action.pre_process_function, asked)}
    return await ask(cluster, model_id, model, ActionType.PREDICT, given)


def check_allowed(cluster: Cluster) -> None:
    """Refuse where the settings allow no remote models."""
    if not cluster.settings.flag("remote_inference.enabled"):
        raise illegal(errors.NO_REMOTE)


def private_host(cluster: Cluster, model: Model, kind: ActionType) -> str | None:
    """The host of an action of a kind, if it has a private address."""
    connector = _connector(cluster, model)
    host = URL(fill(_action(connector, kind).url, {"parameters": connector.parameters or {}})).host or ""
    return host if is_private(host) else None


async def ask(
    cluster: Cluster, model_id: str, model: Model, kind: ActionType, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Do what a connector has an action of a kind for, with parameters; raises as ``predict`` does."""
    connector = _connector(cluster, model)
    action = _action(connector, kind)
    values = _values(cluster, model_id, model, connector, given)
    check_endpoints(cluster, [action], values["parameters"])
    status, answer = await _call(cluster, connector, action, values)
    return {"output": after(action.post_process_function, answer), "status_code": status}


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
    # The server makes up its own action for a job that has begun unless there is one with a body, even to GET.
    if kind in OF_A_JOB and (kind not in found or found[kind].request_body is None):
        return _made_up(kind, found[ActionType.BATCH_PREDICT])
    if kind not in found:
        raise illegal(f"no {kind} action found")
    return found[kind]


def _made_up(kind: ActionType, begins: ConnectorAction) -> ConnectorAction:
    words, method, ending = OF_A_JOB[kind]
    if not re.search("openai|cohere", begins.url):
        raise refused(500, "unsupported_operation_exception", f"Please configure the action type to {words}")
    return ConnectorAction(action_type=kind, method=method, url=begins.url + ending, headers=begins.headers)


async def stream(cluster: Cluster, model_id: str, model: Model, given: Mapping[str, Any]) -> AsyncGenerator[str]:
    """What a remote model writes when it is asked for a stream, event by event.

    Raises ProviderFailed with the remote model's own status, or 500 where no stream came or one broke off, and Refused
    where it cannot be asked.
    """
    connector = _connector(cluster, model)
    action = _action(connector, ActionType.PREDICT)
    values = _values(cluster, model_id, model, connector, given)
    check_endpoints(cluster, [action], values["parameters"])
    asked = _asked(cluster, connector, action, values)
    asked["data"] = orjson.dumps({**orjson.loads(asked["data"] or b"{}"), "stream": True})
    frames = Frames()
    try:
        async with cluster.client.request(action.method, **asked) as got:
            if got.status >= 400:
                raise ProviderFailed(got.status, _refusal(got.status, await got.text(), throttled=False).body)
            if got.content_type != "text/event-stream":
                raise _broke_off()
            async for piece in got.content.iter_any():
                for data in frames.feed(piece):
                    yield data.decode()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _broke_off() from error


def _broke_off() -> ProviderFailed:
    return ProviderFailed(500, refused(500, "m_l_exception", BROKE_OFF).body)


def _asked(
    cluster: Cluster, connector: Connector, action: ConnectorAction, values: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What a client needs to ask the provider."""
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
    asked = _asked(cluster, connector, action, values)
    try:
        async with cluster.client.request(action.method, **asked) as got:
            text = await got.text()
            throttled = got.headers.get(AWS_ERROR, "").startswith("ThrottlingException")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise status_error(500, f"Error communicating with remote model: {_words(error)}") from error
    if got.status >= 400:
        raise _refusal(got.status, text, throttled=throttled)
    if not text.strip() and action.action_type.upper() != ActionType.CANCEL_BATCH_PREDICT.upper():
        raise status_error(502, "Remote service returned empty response body")
    return got.status, _read(text)


def _refusal(status: int, text: str, *, throttled: bool) -> Refused:
    """The provider's own status, also where a service of Amazon says 400 and in a header that it throttles."""
    if throttled:
        return refused(status, "remote_connector_throttling_exception", errors.THROTTLED_PROVIDER)
    if not text.strip():
        return status_error(status, f"Remote service returned error status {status} with empty body")
    return status_error(status, f"Error from remote service: {text}")


def _check_payload(cluster: Cluster, body: str) -> None:
    waiting = open_places(body)
    # 3.4 was seen to show the payload, and 3.8 to name what it lacks.
    if waiting and not cluster.is_before("3.8"):
        raise illegal(f"Some parameter placeholder not filled in payload: {', '.join(waiting)}")
    if waiting or not is_json(body):
        raise illegal(f"Invalid payload: {body}")


def _read(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _words(error: Exception) -> str:
    """An error of the network, in the server's words."""
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
