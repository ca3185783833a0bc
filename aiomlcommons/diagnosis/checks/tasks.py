"""Tasks whose records say that they run, although no node works on them."""

from __future__ import annotations

from aiomlcommons.api.tasks import TaskInfo, TaskState
from aiomlcommons.diagnosis.checks.models import DEPLOYS, REGISTERS
from aiomlcommons.diagnosis.facts import MOST_TASKS, Facts
from aiomlcommons.diagnosis.findings import Checked, Finding, Severity
from aiomlcommons.diagnosis.remedies import typed
from aiomlcommons.errors import NotFound

NAME = "tasks"
MOST_FINDINGS = 10
_UNDER_WAY = {TaskState.CREATED, TaskState.RUNNING}


async def check(facts: Facts) -> Checked:
    """Compare the records of tasks that register or deploy with what the nodes do."""
    tasks = await facts.tasks()
    running = [(key, task) for key, task in tasks if task.state in _UNDER_WAY and task.task_type in DEPLOYS | REGISTERS]
    lost = [(key, task) for key, task in running if await _is_lost(facts, key)]
    unchecked: list[str] = []
    if len(tasks) == MOST_TASKS:
        unchecked.append(f"tasks before the newest {MOST_TASKS}")
    if len(lost) > MOST_FINDINGS:
        unchecked.append(f"{len(lost) - MOST_FINDINGS} lost tasks more are not shown")
    seen = f"{len(running) - len(lost)} under way, {len(tasks)} known"
    return Checked(NAME, seen, [_finding(key, task) for key, task in lost[:MOST_FINDINGS]], unchecked)


async def _is_lost(facts: Facts, task_id: str) -> bool:
    """Return whether a task is on no node. One that ended meanwhile is not lost."""
    if await facts.is_at_work(task_id):
        return False
    try:
        now = await facts.ml.tasks.get(task_id)
    except NotFound:
        return False
    return now.state in _UNDER_WAY and not await Facts(facts.ml).is_at_work(task_id)


def _finding(task_id: str, task: TaskInfo) -> Finding:
    return Finding(
        Severity.WARNING,
        f"the task {task_id} ({task.task_type}) is {task.state} for ever: no node works on it",
        "the node that ran it was restarted, or is gone",
        advice="start again what it was for, and delete its record",
        **typed("call", "tasks", "delete", task_id, python=f"await ml.tasks.delete({task_id!r})"),
    )
