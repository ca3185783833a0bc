"""Index insight: what a model has to say of an index."""

from __future__ import annotations

from enum import StrEnum

from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Record, record


class InsightStatus(StrEnum):
    """How far an insight is."""

    GENERATING = "GENERATING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@record
class Insight(Record):
    """What is known of an index. ``last_updated_time`` is in epoch milliseconds."""

    index_name: str | None = None
    content: str | None = None
    status: InsightStatus | str | None = None
    task_type: str | None = None
    last_updated_time: int | None = None
    tenant_id: str | None = None


@record
class InsightFound(Record):
    """An insight, in the envelope that the server puts it in."""

    index_insight: Insight | None = None


@record
class InsightConfig(Record):
    """Whether insights are made."""

    is_enable: bool
    tenant_id: str | None = None


@record
class Acknowledged(Record):
    """The server's acknowledgement."""

    acknowledged: bool


@endpoint("PUT /_plugins/_ml/index_insight_config/", since="3.3")
class PutIndexInsightConfig(Request[Acknowledged]):
    """Switch index insight on or off.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/index/
    """

    is_enable: bool
    tenant_id: str | None = None


@endpoint("GET /_plugins/_ml/index_insight_config/", since="3.3")
class GetIndexInsightConfig(Request[InsightConfig]):
    """Get whether index insight is enabled.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/index/
    """


@endpoint("GET /_plugins/_ml/insights/{index_id}/{insight_type}", since="3.3")
class GetIndexInsight(Request[InsightFound]):
    """Get an insight of an index; it is created if there is none.

    ``insight_type`` is STATISTICAL_DATA, FIELD_DESCRIPTION, LOG_RELATED_INDEX_CHECK or ALL, in any case.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/index/
    """

    index_id: str
    insight_type: str


class IndexInsight(Namespace):
    """``ml.index_insight``: what a model has to say of an index."""

    get = op(GetIndexInsight)
    get_config = op(GetIndexInsightConfig)
    put_config = op(PutIndexInsightConfig)
