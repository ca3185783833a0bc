"""Remote models: the emulator really calls what the connector names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from aiomlcommons.api.connectors import Connector, ConnectorAction, HttpConnector
from aiomlcommons.api.models import Model
from aiomlcommons.api.predict import MLInput
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.connectors import CLIENT_DEFAULTS, check_endpoints, check_exists, check_host
from aiomlcommons.emulator.errors import illegal, status_error
from aiomlcommons.emulator.processing import after, before
from aiomlcommons.emulator.templates import fill, is_json, open_places
from aiomlcommons.http import JSON
from aiomlcommons.version import Version

# 3.4 was seen to show the payload, and 3.8 to name what it lacks.
NAMES_PLACES = Version.parse("3.8.0")
CLOSED = (
    "The connection was closed during the request. The request will usually succeed on a retry, but if it does not: "
    "consider disabling any proxies you have configured, enabling debug logging, or performing a TCP dump to identify "
    "the root cause. If this is a streaming operation, validate that data is being read or written in a timely manner."
)


async def predict(cluster: Cluster, model_id: str, model: Model, asked: MLInput, *, texts: bool) -> dict[str, Any]:
    """What the remote model answers, as one result with all its outputs. ``texts`` are pre-processed if there are any.

    Raises Refused with the remote model's own status, or 500 where no answer came.
    """
    connector = model.connector or check_exists(cluster, model.connector_id or "")
    action = _action(connector)
    parameters = {**(connector.parameters or {}), **(asked.parameters or {})}
    if texts and asked.text_docs is not None:
        parameters |= before(action.pre_process_function, asked)
    values = {"parameters": parameters, "credential": cluster.credentials.get(model.connector_id or model_id, {})}
    check_endpoints(cluster, [action], parameters)
    status, answer = await _call(cluster, connector, action, values)
    return {"output": after(action.post_process_function, answer), "status_code": status}


def _action(connector: Connector) -> ConnectorAction:
    for action in connector.actions or () if isinstance(connector, HttpConnector) else ():
        if action.action_type == "PREDICT":
            return action
    raise illegal("no PREDICT action found")


async def _call(
    cluster: Cluster, connector: Connector, action: ConnectorAction, values: Mapping[str, Mapping[str, Any]]
) -> tuple[int, Any]:
    as_is = str(values["parameters"].get("no_escape_params", "")).split(",")
    body = fill(action.request_body or "", values, in_json=True, as_is=as_is)
    if action.request_body:
        _check_payload(cluster, body)
    url = fill(action.url, values)
    check_host(cluster, url)
    headers = {name: fill(value, values) for name, value in (action.headers or {}).items()}
    config = connector.client_config or CLIENT_DEFAULTS
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=config.connection_timeout, sock_read=config.read_timeout)
    try:
        async with cluster.client.request(
            action.method, url, data=body or None, headers={"content-type": JSON, **headers}, timeout=timeout
        ) as got:
            text = await got.text()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise status_error(500, f"Error communicating with remote model: {_words(error)}") from error
    if got.status >= 400:
        raise status_error(got.status, f"Error from remote service: {text}")
    return got.status, _read(text)


def _check_payload(cluster: Cluster, body: str) -> None:
    waiting = open_places(body)
    if waiting and Version.parse(cluster.version) >= NAMES_PLACES:
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
