"""Whether the cluster can download models, as far as its failed tasks tell: only the cluster itself could try."""

from __future__ import annotations

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.tasks import TaskInfo, TaskState
from aiomlcommons.diagnosis.checks.models import LONGEST, REGISTERING, REGISTERS
from aiomlcommons.diagnosis.facts import Facts
from aiomlcommons.diagnosis.findings import Checked, Finding, Severity
from aiomlcommons.diagnosis.remedies import uploading
from aiomlcommons.trouble import hints
from aiomlcommons.wire.features import Feature

NAME = "downloads"


async def check(facts: Facts) -> Checked:
    """Look for the newest registration that failed to download, unless a local model was registered since."""
    facts.ml.flavor.need(Feature.LOCAL_MODELS, "downloads of models")
    registrations = [task for _, task in await facts.tasks() if task.task_type in REGISTERS]
    failed = next((task for task in registrations if _failed_to_fetch(task)), None)
    if failed is None:
        done = sum(task.state == TaskState.COMPLETED for task in registrations)
        return Checked(NAME, f"{done} registrations by download completed, none failed to reach its host")
    if (failed.create_time or 0) < await _last_registered(facts, registrations):
        return Checked(NAME, "one failed to reach its host, and a local model was registered since")
    return Checked(NAME, "the newest one failed", [_finding(failed)])


def _failed_to_fetch(task: TaskInfo) -> bool:
    return task.state == TaskState.FAILED and bool(_why(task))


def _why(task: TaskInfo) -> str:
    """Return which host the cluster did not reach, without the remedy; empty if it failed otherwise."""
    why = hints.fetching(hints.without_stack(task.error or "")).removeprefix("; ")
    return why.partition(": ")[0] if why.startswith("the cluster cannot") else ""


async def _last_registered(facts: Facts, registrations: list[TaskInfo]) -> int:
    """Return when a local model was last registered, in epoch milliseconds of the cluster."""
    times = [task.create_time for task in registrations if task.state == TaskState.COMPLETED]
    for _, model in await facts.models():
        # An upload has no task, and its record no time of registration.
        if model.algorithm != FunctionName.REMOTE and model.model_state not in REGISTERING:
            times.append(model.created_time)
    return max((time for time in times if time is not None), default=0)


def _finding(task: TaskInfo) -> Finding:
    return Finding(
        Severity.PROBLEM,
        _why(task),
        f"a registration of a model failed: {(task.error or '')[:LONGEST]}",
        advice="open its firewall or set its proxy; or download the file here, and upload it:",
        **uploading(),
    )
