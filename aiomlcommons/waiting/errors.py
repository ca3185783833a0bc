"""Every error of a task: it failed, or nothing is heard of it any more."""

from __future__ import annotations

import re
from typing import Any

from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.trouble import hints
from aiomlcommons.trouble.said import heard
from aiomlcommons.trouble.table import Trouble, trouble_of


class TaskFailed(MLCommonsError):
    """A task ended without success: ``.info`` is the task, ``.node_errors`` its error for each node."""

    def __init__(self, task_id: str, info: TaskInfo) -> None:
        self.task_id, self.info, self.node_errors = task_id, info, info.node_errors
        self.trouble: Trouble = trouble_of(heard(0, info.error))
        why = "; ".join(dict.fromkeys(self.node_errors.values())) or info.error or _why(info)
        means = hints.of_task(info.task_type, why)
        super().__init__(f"{info.task_type or 'task'} {task_id} ended {info.state}: {hints.without_stack(why)}{means}")

    def __reduce__(self) -> Any:
        return type(self), (self.task_id, self.info)


class TaskStalled(MLCommonsError):
    """A task that has not changed for longer than the caller allows; the server may have forgotten it."""

    def __init__(self, task_id: str, info: TaskInfo, seconds: float) -> None:
        self.task_id, self.info, self.seconds = task_id, info, seconds
        super().__init__(
            f"{info.task_type or 'task'} {task_id} is still {info.state} and has not changed for {seconds:.0f} s; "
            "the server may have forgotten it (a node left, or it was restarted): start the job again"
        )

    def __reduce__(self) -> Any:
        return type(self), (self.task_id, self.info, self.seconds)


def _why(info: TaskInfo) -> str:
    """The words of an agent's task, which keeps them among its results, or of a remote job's provider."""
    found = (value for key, value in (info.response or {}).items() if "error" in key.lower())
    if words := next((value for value in found if isinstance(value, str)), ""):
        return words
    said = {key: value for key, value in (info.remote_job or {}).items() if value and _TELLS_WHY.search(key)}
    return f"its provider says {said}" if said else "the server gave no reason"


# FailureReason of SageMaker, errors of OpenAI, message of Bedrock.
_TELLS_WHY = re.compile("error|reason|message", re.IGNORECASE)
