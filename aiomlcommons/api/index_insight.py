"""Index insight: LLM-generated descriptions of an index."""

from __future__ import annotations

from enum import StrEnum

from aiomlcommons.api.common import Acknowledged
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Record, record


class InsightStatus(StrEnum):
    """State of an insight."""

    GENERATING = "GENERATING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@record
class Insight(Record):
    """An insight of an index. ``last_updated_time`` is in epoch milliseconds."""

    index_name: str | None = None
    content: str | None = None
    status: InsightStatus | str | None = None
    task_type: str | None = None
    last_updated_time: int | None = None
    tenant_id: str | None = None


@record
class InsightFound(Record):
    """The response that holds an insight."""

    index_insight: Insight | None = None


@record
class InsightConfig(Record):
    """The configuration of index insight."""

    is_enable: bool
    tenant_id: str | None = None


@endpoint("PUT /_plugins/_ml/index_insight_config/", since="3.3")
class PutIndexInsightConfig(Request[Acknowledged]):
    """Enable or disable index insight.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/index/
    """

    is_enable: bool
    tenant_id: str | None = None


@endpoint("GET /_plugins/_ml/index_insight_config/", since="3.3")
class GetIndexInsightConfig(Request[InsightConfig]):
    """Get the configuration of index insight.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/index/
    """


@endpoint("GET /_plugins/_ml/insights/{index_id}/{insight_type}", since="3.3")
class GetIndexInsight(Request[InsightFound]):
    """Get an insight of an index; the server generates it if there is none.

    ``insight_type`` is STATISTICAL_DATA, FIELD_DESCRIPTION, LOG_RELATED_INDEX_CHECK or ALL, in any case.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/index/
    """

    index_id: str
    insight_type: str


class IndexInsight(Namespace):
    """``ml.index_insight``: LLM-generated descriptions of an index."""

    get = op(GetIndexInsight)
    get_config = op(GetIndexInsightConfig)
    put_config = op(PutIndexInsightConfig)
