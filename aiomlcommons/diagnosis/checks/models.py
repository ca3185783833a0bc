"""Models that are stuck, failed, disabled, or deployed in their records only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import DEPLOYED, DEPLOYING, PARTIALLY_DEPLOYED, Model, ModelState
from aiomlcommons.api.tasks import TaskInfo, TaskState, TaskType
from aiomlcommons.diagnosis.denials import why
from aiomlcommons.diagnosis.facts import MOST_MODELS, Facts
from aiomlcommons.diagnosis.findings import Checked, Finding, Severity
from aiomlcommons.diagnosis.remedies import deleting, deploying, typed
from aiomlcommons.errors import MLCommonsError, NotFound
from aiomlcommons.lifecycle.remedies import remedy_in
from aiomlcommons.trouble import hints

NAME = "models"
MOST_FINDINGS = 20
LONGEST = 240
_FAILED = {ModelState.DEPLOY_FAILED, ModelState.LOAD_FAILED}
REGISTERING = {ModelState.REGISTERING, ModelState.UPLOADING}
DEPLOYS = {TaskType.DEPLOY_MODEL, TaskType.LOAD_MODEL}
REGISTERS = {TaskType.REGISTER_MODEL, TaskType.UPLOAD_MODEL}


async def check(facts: Facts) -> Checked:
    """Compare the records of models with what the nodes hold and do."""
    models = await facts.models()
    unchecked: list[str] = []
    known = await _profile_is_known(facts, unchecked)
    findings: list[Finding] = []
    for model_id, model in models:
        findings += [finding async for finding in _findings(facts, model_id, model, known=known)]
    if len(models) == MOST_MODELS:
        unchecked.append(f"models beyond the first {MOST_MODELS:,}")
    if len(findings) > MOST_FINDINGS:
        unchecked.append(f"{len(findings) - MOST_FINDINGS} findings more are not shown: mend these first")
    deployed = sum(model.model_state in DEPLOYED for _, model in models)
    return Checked(
        NAME, f"{len(models)} known, {deployed} deployed" if models else "none", findings[:MOST_FINDINGS], unchecked
    )


async def _profile_is_known(facts: Facts, unchecked: list[str]) -> bool:
    try:
        await facts.profile()
    except MLCommonsError as error:
        unchecked.append(f"whether nodes have the models that are deployed in their records: {why(error)}")
        return False
    return True


async def _findings(facts: Facts, model_id: str, model: Model, *, known: bool) -> AsyncIterator[Finding]:
    name = f"{model.name or 'a model'} ({model_id})"
    if model.is_enabled is False:
        what = f"{name} is disabled: predictions are refused"
        python = f"await ml.models.update({model_id!r}, is_enabled=True)"
        words = ("call", "models", "update", model_id, "is_enabled=true")
        yield Finding(Severity.WARNING, what, "is_enabled is false", **typed(*words, python=python))
    match model.model_state:
        case state if state in PARTIALLY_DEPLOYED:
            nodes = f"on {model.current_worker_node_count} of {model.planning_worker_node_count} nodes"
            what = f"{name} is deployed only {nodes}"
            yield Finding(Severity.WARNING, what, await _why(facts, model_id), **deploying(model_id))
        case state if state in _FAILED:
            yield await _failed(facts, model_id, name, is_loaded=known and bool(await facts.nodes_with(model_id)))
        case state if state in REGISTERING and not await _is_registered_now(facts, model_id):
            what = f"{name} has been begun to register, and is not complete"
            advice = "if no upload is under way, the last one was broken off: delete the model, and register it again"
            yield Finding(Severity.WARNING, what, f"its state is {state}", advice=advice, **deleting(model_id))
        case state if known and state in DEPLOYING | DEPLOYED and await _is_only_in_record(facts, model_id, model):
            yield _lost(model_id, name, state)


def _lost(model_id: str, name: str, state: Any) -> Finding:
    if state in DEPLOYED:
        what = f"{name} is deployed in its record, but on no node: predictions fail"
        why = "no node has it in its profile, as after a restart"
    else:
        what = f"{name} is stuck: its record says {state}, and no node is deploying it"
        why = "no node has it, or a task for it, in its profile"
    return Finding(Severity.PROBLEM, what, why, **deploying(model_id))


async def _failed(facts: Facts, model_id: str, name: str, *, is_loaded: bool) -> Finding:
    why = await _why(facts, model_id)
    if is_loaded:
        what = f"{name} failed to deploy in its record, although nodes have it"
        return Finding(Severity.WARNING, what, why, **deploying(model_id))
    remedy = remedy_in(why)
    advice = "" if remedy is None else f"{remedy.why}: {remedy.setting} is changed to {remedy.value}"
    mends = deploying(model_id, change_settings=remedy is not None)
    return Finding(Severity.PROBLEM, f"{name} could not be deployed", why, advice=advice, **mends)


async def _why(facts: Facts, model_id: str) -> str:
    """Return the error of the newest deployment of a model, with its hint; empty if it is not known."""
    try:
        tasks = await facts.tasks()
    except MLCommonsError:
        return ""
    found = (t for _, t in tasks if t.model_id == model_id and t.task_type in DEPLOYS and t.state == TaskState.FAILED)
    return next((reason(task) for task in found), "")


def reason(task: TaskInfo) -> str:
    """Return why a task failed: the words of the server, the first line of each node, and a hint."""
    errors = list(task.node_errors.values()) or [hints.without_stack(task.error or "")]
    words = "; ".join(dict.fromkeys(error.strip() for error in errors))[:LONGEST]
    return words + hints.of_task(task.task_type, task.error or "")


async def _is_registered_now(facts: Facts, model_id: str) -> bool:
    """Return whether a node registers a model; a registration without an id yet may be this one."""
    try:
        nodes = (await facts.profile()).nodes or {}
    except MLCommonsError:
        return False
    tasks = [task for node in nodes.values() for task in (node.tasks or {}).values()]
    return any(task.task_type in REGISTERS and task.model_id in {model_id, None} for task in tasks)


async def _is_only_in_record(facts: Facts, model_id: str, model: Model) -> bool:
    """Return whether no node holds or deploys a model. What changed meanwhile is looked at once more."""
    if model.algorithm == FunctionName.REMOTE or await _is_on_nodes(facts, model_id):
        return False  # a remote model is deployed by its next prediction
    try:
        now = await facts.ml.models.get(model_id)
    except NotFound:
        return False
    if now.model_state != model.model_state:
        return False
    return not await _is_on_nodes(Facts(facts.ml), model_id)


async def _is_on_nodes(facts: Facts, model_id: str) -> bool:
    for node in ((await facts.profile()).nodes or {}).values():
        if any(task.model_id == model_id for task in (node.tasks or {}).values()):
            return True
        profile = (node.models or {}).get(model_id)
        if profile is not None and profile.model_state is not None:
            return True
    return False
