"""Configurations stored in the cluster, and the batch ingestion of 2.17 to 2.19."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api.tasks import TaskStarted
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.net.secret import Secret
from aiomlcommons.record import Record, masked, record


@record
class Config(Record):
    """A configuration, such as that of OpenSearch Assistant. Times are epoch milliseconds."""

    type: str | None = None
    configuration: Mapping[str, Any] | None = None
    create_time: int | None = None
    last_update_time: int | None = None
    tenant_id: str | None = None


@endpoint("GET /_plugins/_ml/config/{config_id}", since="2.12")
class GetConfig(Request[Config]):
    """Get a configuration.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/index/
    """

    config_id: str


@endpoint("POST /_plugins/_ml/_batch_ingestion", since="2.17", until="3.0", newer={"2.18": ("connector_id",)})
class IngestBatch(Request[TaskStarted]):
    """Ingest the result files of an offline batch prediction. Servers from 3.0 on do not have this route.

    https://docs.opensearch.org/2.19/ml-commons-plugin/api/async-batch-ingest/
    """

    index_name: str
    _: KW_ONLY
    field_map: Mapping[str, Any]
    data_source: Mapping[str, Any]
    ingest_fields: Sequence[str] | None = None
    credential: Mapping[str, str | Secret] | None = masked(default=None)
    connector_id: str | None = None


class Configs(Namespace):
    """``ml.config``: configurations stored in the cluster."""

    get = op(GetConfig)
