"""Connectors: the cluster's connections to externally hosted models."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

import attrs

from aiomlcommons.api import checks
from aiomlcommons.api.common import Access, AccessMode, Hits, User, WriteResult
from aiomlcommons.api.search import searches
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.net.secret import Secret
from aiomlcommons.record import Record, as_body, in_query, masked, mixin, record

ACTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class ActionType(StrEnum):
    """Type of a connector's action. Case-insensitive in requests, upper case in responses."""

    PREDICT = "PREDICT"
    EXECUTE = "EXECUTE"
    BATCH_PREDICT = "BATCH_PREDICT"
    CANCEL_BATCH_PREDICT = "CANCEL_BATCH_PREDICT"
    BATCH_PREDICT_STATUS = "BATCH_PREDICT_STATUS"


@record
class ConnectorAction(Record):
    """A call that a connector can make. The server substitutes ``${parameters.x}`` and ``${credential.x}``."""

    action_type: ActionType | str
    method: str
    url: str
    headers: Mapping[str, str] | None = None
    request_body: str | None = None
    pre_process_function: str | None = None
    post_process_function: str | None = None
    name: str | None = None
    supports_structured_output: bool | None = None


@record
class ClientConfig(Record):
    """The server's HTTP client. ``connection_timeout`` and ``read_timeout`` are seconds (milliseconds in 2.13)."""

    max_connection: int | None = None
    connection_timeout: int | None = None
    read_timeout: int | None = None
    retry_backoff_millis: int | None = None
    retry_timeout_seconds: int | None = None
    max_retry_times: int | None = None
    retry_backoff_policy: str | None = None
    skip_ssl_verification: bool | None = None
    mutual_tls_enabled: bool | None = None
    keystore_type: str | None = None


class ConnectorProtocol(StrEnum):
    """Protocol of a connector."""

    HTTP = "http"
    AWS_SIGV4 = "aws_sigv4"
    MCP_SSE = "mcp_sse"
    MCP_STREAMABLE_HTTP = "mcp_streamable_http"


@record
class AnyConnector(Record):
    """The fields common to all protocols. Responses omit the credential; times are epoch milliseconds."""

    _first: ClassVar = ("name", "protocol", "version", "description", "created_time")

    name: str | None = None
    version: str | None = None
    description: str | None = None
    protocol: ConnectorProtocol | str | None = None
    parameters: Mapping[str, str] | None = None
    credential: Mapping[str, str] | None = masked(default=None)
    backend_roles: list[str] | None = None
    owner: User | None = None
    access: AccessMode | str | None = None
    created_time: int | None = None
    last_updated_time: int | None = None
    client_config: ClientConfig | None = None
    tenant_id: str | None = None


@record
class McpConnector(AnyConnector):
    """A connector to an MCP server, by ``mcp_sse`` or ``mcp_streamable_http``."""

    url: str = attrs.field(kw_only=True)
    headers: Mapping[str, str] | None = masked(default=None)


@record
class HttpConnector(AnyConnector):
    """A connector to a model's own API, by ``http`` or ``aws_sigv4``."""

    actions: list[ConnectorAction] | None = None
    provisioned_by: str | None = None


# McpConnector alone has a URL, which is required: that tells them apart.
Connector: TypeAlias = McpConnector | HttpConnector


@record
class ConnectorCreated(Record):
    """The id of a new connector."""

    connector_id: str


@mixin
class ConnectorSpec:
    """The fields that creating and updating a connector have in common."""

    description: str | None = None
    url: str | None = None
    parameters: Mapping[str, Any] | None = None
    credential: Mapping[str, str | Secret] | None = masked(default=None)
    actions: Sequence[ConnectorAction] | None = None
    backend_roles: Sequence[str] | None = None
    add_all_backend_roles: bool | None = None
    access_mode: Access | None = None
    client_config: ClientConfig | None = None
    headers: Mapping[str, str | Secret] | None = masked(default=None)
    tenant_id: str | None = None


SPEC_SINCE = {"2.13": ("client_config",), "2.19": ("tenant_id",), "3.0": ("url", "headers")}


@endpoint(
    "POST /_plugins/_ml/connectors/_create",
    since="2.9",
    newer={**SPEC_SINCE, "3.7": ("provisioned_by",), "3.9": ("connector_id",)},
)
class CreateConnector(ConnectorSpec, Request[ConnectorCreated]):
    """Create a connector. The server encrypts ``credential``; no ``repr`` shows it.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/connector-apis/create-connector/
    """

    name: str
    _: KW_ONLY
    version: str | int
    protocol: str
    dry_run: bool | None = None
    connector_id: str | None = None
    provisioned_by: str | None = None

    def problems(self) -> Iterator[str]:
        yield from checks.own_id(self, "connector_id")
        if self.protocol.startswith("mcp_") and not self.url:
            yield f"url is required where protocol is {self.protocol!r}"
        for action in self.actions or ():
            if action.name is not None and not ACTION_NAME.fullmatch(action.name):
                yield f"actions: name may hold 1 to 64 letters, digits, '_' and '-', not {action.name!r}"


@endpoint("GET /_plugins/_ml/connectors/{connector_id}", since="2.9")
class GetConnector(Request[Connector]):
    """Get a connector, without its credential.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/connector-apis/get-connector/
    """

    connector_id: str
    _: KW_ONLY
    return_content: bool | None = in_query(default=None)


@endpoint("PUT /_plugins/_ml/connectors/{connector_id}", since="2.11", needs_body=True, newer=SPEC_SINCE)
class UpdateConnector(ConnectorSpec, Request[WriteResult]):
    """Update a connector that no deployed model uses.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/connector-apis/update-connector/
    """

    connector_id: str
    _: KW_ONLY
    name: str | None = None
    version: str | int | None = None
    protocol: str | None = None


@endpoint("DELETE /_plugins/_ml/connectors/{connector_id}", since="2.9")
class DeleteConnector(Request[WriteResult]):
    """Delete a connector; raises Conflict while a model uses it.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/connector-apis/delete-connector/
    """

    connector_id: str


@endpoint(
    "POST /_plugins/_ml/connectors/_search",
    since="2.9",
    also=["GET /_plugins/_ml/connectors/_search"],
    repeatable=True,
)
class SearchConnectors(Request[Hits[Connector]]):
    """Search the connectors with a query DSL body.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/connector-apis/search-connector/
    """

    body: Mapping[str, Any] = as_body(factory=dict)


class Connectors(Namespace):
    """``ml.connectors``: the cluster's connections to externally hosted models."""

    create = op(CreateConnector)
    get = op(GetConnector)
    update = op(UpdateConnector)
    delete = op(DeleteConnector)
    search = searches(SearchConnectors)
