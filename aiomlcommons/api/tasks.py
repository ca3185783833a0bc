"""Tasks: asynchronous jobs on the server."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

import orjson

from aiomlcommons.api.common import FunctionName, Hits, User, WriteResult
from aiomlcommons.api.search import searches
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Record, as_body, record


class TaskState(StrEnum):
    """State of a task."""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_ERROR = "COMPLETED_WITH_ERROR"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    UNREACHABLE = "UNREACHABLE"


class TaskType(StrEnum):
    """Type of a task. Servers before 2.7 have UPLOAD_MODEL and LOAD_MODEL for REGISTER_MODEL and DEPLOY_MODEL."""

    TRAINING = "TRAINING"
    PREDICTION = "PREDICTION"
    TRAINING_AND_PREDICTION = "TRAINING_AND_PREDICTION"
    EXECUTION = "EXECUTION"
    UPLOAD_MODEL = "UPLOAD_MODEL"
    LOAD_MODEL = "LOAD_MODEL"
    REGISTER_MODEL = "REGISTER_MODEL"
    DEPLOY_MODEL = "DEPLOY_MODEL"
    BATCH_INGEST = "BATCH_INGEST"
    BATCH_PREDICTION = "BATCH_PREDICTION"
    AGENT_EXECUTION = "AGENT_EXECUTION"


@record
class TaskStarted(Record):
    """A task that the server started; wait for it with ``ml.task(started)``."""

    task_id: str
    status: str
    task_type: TaskType | str | None = None
    model_id: str | None = None


@record
class TaskInfo(Record):
    """The record of a task. Times are epoch milliseconds; ``worker_node`` is one string on servers before 2.5."""

    _first: ClassVar = ("task_type", "state", "task_id", "model_id", "function_name", "create_time", "error")

    task_type: TaskType | str | None = None
    state: TaskState | str | None = None
    task_id: str | None = None
    model_id: str | None = None
    function_name: FunctionName | str | None = None
    input_type: str | None = None
    progress: float | None = None
    output_index: str | None = None
    worker_node: list[str] | str | None = None
    create_time: int | None = None
    last_update_time: int | None = None
    error: str | None = None
    user: User | None = None
    is_async: bool | None = None
    remote_job: Mapping[str, Any] | None = None
    response: Mapping[str, Any] | None = None
    tenant_id: str | None = None

    @property
    def worker_nodes(self) -> list[str]:
        """``worker_node`` as a list, for every server version."""
        nodes = self.worker_node or []
        return nodes.split(",") if isinstance(nodes, str) else nodes

    @property
    def node_errors(self) -> dict[str, str]:
        """The error of each node, parsed from the JSON inside ``error``; empty where that is plain text."""
        try:
            parsed = orjson.loads(self.error or "")
        except ValueError:
            return {}
        return {node: str(why) for node, why in parsed.items()} if isinstance(parsed, dict) else {}


@endpoint("GET /_plugins/_ml/tasks/{task_id}", since="1.3")
class GetTask(Request[TaskInfo]):
    """Get a task.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/tasks-apis/get-task/
    """

    task_id: str


@endpoint("DELETE /_plugins/_ml/tasks/{task_id}", since="1.3")
class DeleteTask(Request[WriteResult]):
    """Delete a task's record. Does not stop the task.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/tasks-apis/delete-task/
    """

    task_id: str


@endpoint("POST /_plugins/_ml/tasks/_search", since="1.3", also=["GET /_plugins/_ml/tasks/_search"], repeatable=True)
class SearchTasks(Request[Hits[TaskInfo]]):
    """Search the tasks with a query DSL body; without one, the newest versions of all match.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/tasks-apis/search-task/
    """

    body: Mapping[str, Any] = as_body(factory=dict)


@record
class Cancelled(Record):
    """The response to cancelling a job."""

    status: str


@endpoint(
    "POST /_plugins/_ml/tasks/{task_id}/_cancel", since="2.18", was=["POST /_plugins/_ml/tasks/{task_id}/_cancel_batch"]
)
class CancelTask(Request[Cancelled]):
    """Cancel a remote batch prediction.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/batch-predict/
    """

    task_id: str


class Tasks(Namespace):
    """``ml.tasks``: asynchronous jobs on the server; ``await ml.task(id)`` waits for one."""

    get = op(GetTask)
    delete = op(DeleteTask)
    search = searches(SearchTasks)
    cancel = op(CancelTask)
