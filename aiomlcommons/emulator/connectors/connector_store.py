"""Handlers that create, get, update, delete and search connectors."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from yarl import URL

from aiomlcommons.api.common import FunctionName, Hits, WriteResult
from aiomlcommons.api.connectors import (
    ClientConfig,
    Connector,
    ConnectorAction,
    ConnectorCreated,
    CreateConnector,
    DeleteConnector,
    GetConnector,
    HttpConnector,
    McpConnector,
    SearchConnectors,
    UpdateConnector,
)
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.connectors.templates import fill
from aiomlcommons.emulator.errors import illegal, missing, status_error
from aiomlcommons.emulator.querying import records
from aiomlcommons.emulator.registry import handles
from aiomlcommons.wire import convert

CLIENT_DEFAULTS = ClientConfig(
    max_connection=30,
    connection_timeout=30,
    read_timeout=30,
    retry_backoff_millis=200,
    retry_timeout_seconds=30,
    max_retry_times=0,
    retry_backoff_policy="constant",
)
CLIENT_SWITCHES = {"skip_ssl_verification": "3.5", "mutual_tls_enabled": "3.9"}
"""Switches that a connector lists as false, by the version that introduced them."""


@handles(CreateConnector)
async def create(cluster: Cluster, request: CreateConnector) -> ConnectorCreated:
    """Create a connector; its credential is stored apart and never returned."""
    check_endpoints(cluster, request.actions or (), request.parameters)
    connector_id, now = cluster.new_id(), cluster.now()
    connector = alter(as_connector(cluster, request), created_time=now, last_updated_time=now)
    cluster.connectors.put(connector_id, connector)
    cluster.credentials[connector_id] = convert.unstructure(request.credential) or {}
    return ConnectorCreated(connector_id=connector_id)


@handles(GetConnector)
async def get(cluster: Cluster, request: GetConnector) -> Connector:
    """Return a connector without its credential."""
    return check_exists(cluster, request.connector_id)


@handles(UpdateConnector)
async def update(cluster: Cluster, request: UpdateConnector) -> WriteResult:
    """Change the fields that are given; refuse while a deployed model uses the connector."""
    key = request.connector_id
    connector = check_exists(cluster, key)
    if used := [model_id for model_id in users(cluster, key) if _is_deployed(cluster, model_id)]:
        reason = (
            f"{len(used)} models are still using this connector, please undeploy the models first: [{', '.join(used)}]"
        )
        raise status_error(400, reason)
    check_endpoints(cluster, request.actions or (), request.parameters)
    fields = {
        "name": request.name,
        "description": request.description,
        "version": None if request.version is None else str(request.version),
        "protocol": request.protocol,
        "parameters": as_text(request.parameters),
        "actions": _actions(request.actions),
        "client_config": _client(cluster, request.client_config),
        "url": request.url,
        "headers": request.headers,
    }
    if request.credential is not None:
        cluster.credentials[key] = convert.unstructure(request.credential)
    given = {name: value for name, value in fields.items() if value is not None}
    cluster.connectors.put(key, alter(connector, last_updated_time=cluster.now(), **given))
    return cluster.connectors.updated(key)


@handles(DeleteConnector)
async def delete(cluster: Cluster, request: DeleteConnector) -> WriteResult:
    """Delete a connector; refuse if a model uses it."""
    used = users(cluster, request.connector_id)
    if used:
        reason = "models are still using this connector, please delete or update the models first"
        raise status_error(409, f"{len(used)} {reason}: [{', '.join(used)}]")
    cluster.credentials.pop(request.connector_id, None)
    return cluster.connectors.delete(request.connector_id)


@handles(SearchConnectors)
async def find_all(cluster: Cluster, request: SearchConnectors) -> Hits[Connector]:
    """Search connectors."""
    return records.search(cluster.connectors, request.body, cluster.node_id)


def check_exists(cluster: Cluster, connector_id: str, reason: str | None = None) -> Connector:
    """Return a connector; raise Refused where there is none."""
    connector = cluster.connectors.get(connector_id)
    if connector is None:
        raise missing(reason or f"Failed to find connector with the provided connector id: {connector_id}")
    return connector


def users(cluster: Cluster, connector_id: str) -> list[str]:
    """Return the ids of the models that use a connector."""
    return [d.id for d in cluster.models.documents.values() if d.source.connector_id == connector_id]


def _is_deployed(cluster: Cluster, model_id: str) -> bool:
    model = cluster.models.get(model_id)
    return model is not None and model.algorithm == FunctionName.REMOTE and model.is_deployed


def check_endpoints(
    cluster: Cluster, actions: Iterable[ConnectorAction], parameters: Mapping[str, Any] | None = None
) -> None:
    """Raise Refused where the URL of an action does not match the trusted endpoints of the settings."""
    trusted = [re.compile(pattern) for pattern in cluster.settings.value("trusted_connector_endpoints_regex")]
    for action in actions:
        url = fill(action.url, {"parameters": parameters or {}})
        if not any(pattern.fullmatch(url) for pattern in trusted):
            raise illegal("Connector URL is not matching the trusted connector endpoint regex")


def check_host(cluster: Cluster, url: str) -> None:
    """Raise Refused for a private address where the settings do not allow it."""
    host = URL(url).host or ""
    if not cluster.settings.flag("connector.private_ip_enabled") and is_private(host):
        raise illegal(f"Remote inference host name has private ip address: {host}")


def is_private(host: str) -> bool:
    """Return whether a host is ``localhost`` or a private IP address."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"


def as_connector(cluster: Cluster, request: CreateConnector) -> Connector:
    """Return a connector as it is stored, without times: parameters are strings, action types upper case."""
    common: dict[str, Any] = {
        "name": request.name,
        "version": str(request.version),
        "description": request.description,
        "protocol": request.protocol,
        "parameters": as_text(request.parameters),
        "client_config": _client(cluster, request.client_config),
    }
    if request.url is not None:
        return McpConnector(**common, url=request.url, headers=convert.unstructure(request.headers))
    return HttpConnector(**common, actions=_actions(request.actions))


def as_text(parameters: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return parameters as strings: values of other types become JSON."""
    if parameters is None:
        return None
    return {name: v if isinstance(v, str) else orjson.dumps(v).decode() for name, v in parameters.items()}


def _actions(actions: Iterable[ConnectorAction] | None) -> list[ConnectorAction] | None:
    return [alter(a, action_type=a.action_type.upper()) for a in actions] if actions is not None else None


def _client(cluster: Cluster, config: ClientConfig | None) -> ClientConfig | None:
    if config is None:
        return None
    newer = {name: False for name, version in CLIENT_SWITCHES.items() if not cluster.is_before(version)}
    return alter(CLIENT_DEFAULTS, **{**newer, **convert.unstructure(config)})
