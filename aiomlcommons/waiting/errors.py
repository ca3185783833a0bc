"""The errors of a task: it failed, or it stalled."""

from __future__ import annotations

import re
from typing import Any

from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.trouble import hints
from aiomlcommons.trouble.kinds import Trouble
from aiomlcommons.trouble.parsed_error import parse_error
from aiomlcommons.trouble.table import trouble_of


class TaskFailed(MLCommonsError):
    """A task failed, was cancelled or expired: ``.info`` is the task, ``.node_errors`` its error by node."""

    def __init__(self, task_id: str, info: TaskInfo) -> None:
        self.task_id, self.info, self.node_errors = task_id, info, info.node_errors
        self.trouble: Trouble = trouble_of(parse_error(0, info.error))
        why = "; ".join(dict.fromkeys(self.node_errors.values())) or info.error or _why(info)
        hint = hints.of_task(info.task_type, why)
        super().__init__(f"{info.task_type or 'task'} {task_id} ended {info.state}: {hints.without_stack(why)}{hint}")

    def __reduce__(self) -> Any:
        return type(self), (self.task_id, self.info)


class TaskStalled(MLCommonsError):
    """A task has not changed for the stall timeout, or no node works on it any more."""

    def __init__(self, task_id: str, info: TaskInfo, seconds: float) -> None:
        self.task_id, self.info, self.seconds = task_id, info, seconds
        super().__init__(
            f"{info.task_type or 'task'} {task_id} is still {info.state} and has not changed for {seconds:.0f} s; "
            "the server may have forgotten it (a node left, or it was restarted): start the job again"
        )

    def __reduce__(self) -> Any:
        return type(self), (self.task_id, self.info, self.seconds)


def _why(info: TaskInfo) -> str:
    """Return the error text of an agent's task, which is among its results, or that of a remote job's provider."""
    found = (value for key, value in (info.response or {}).items() if "error" in key.lower())
    if text := next((value for value in found if isinstance(value, str)), ""):
        return text
    fields = {key: value for key, value in (info.remote_job or {}).items() if value and _REASON.search(key)}
    return f"its provider says {fields}" if fields else "the server gave no reason"


# FailureReason of SageMaker, errors of OpenAI, message of Bedrock.
_REASON = re.compile("error|reason|message", re.IGNORECASE)
