"""Classify failures of registering and deploying: fixed by a cluster setting, by looking again, or by a retry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from aiomlcommons.api.settings import PREFIX, MLSettings
from aiomlcommons.errors import ApiError, FeatureDisabled, MLCommonsError, NotFound
from aiomlcommons.trouble.hints import BREAKERS
from aiomlcommons.trouble.kinds import Kind
from aiomlcommons.waiting.errors import TaskFailed, TaskStalled


@attrs.frozen
class Remedy:
    """A cluster setting that unblocks an operation, and the text of the server's error that it belongs to."""

    words: str
    why: str
    setting: str
    value: Any

    @property
    def settings(self) -> MLSettings:
        """The settings to pass to ``ml.settings.apply``."""
        return MLSettings.from_wire({PREFIX + self.setting: self.value})

    def __str__(self) -> str:
        value = str(self.value).lower() if isinstance(self.value, bool) else self.value
        ensure = "or ensure it with change_settings=True (`aiomlcommons models ensure --change-settings`)"
        return f"{self.why}; set {PREFIX}{self.setting} to {value}, {ensure}"


def _breaker(words: str, setting: str, value: Any) -> Remedy:
    return Remedy(words, BREAKERS[words], setting, value)


REMEDIES = (
    Remedy(
        "no eligible node found",
        "no node may run models: the cluster has no ML node, or none of the requested nodes is one",
        "only_run_on_ml_node",
        False,
    ),
    _breaker("Native Memory Circuit Breaker is open", "native_memory_threshold", 100),
    _breaker("Memory Circuit Breaker is open", "jvm_heap_memory_threshold", 100),
    _breaker("Disk Circuit Breaker is open", "disk_free_space_threshold", "-1"),
    Remedy(
        "Exceed max local model per node limit",
        "the nodes hold as many models as they may; undeploy one",
        "max_model_on_node",
        1000,
    ),
    Remedy(
        "Don't allow custom deployment plan",
        "the cluster does not allow choosing nodes",
        "allow_custom_deployment_plan",
        True,
    ),
)


def remedy_for(error: MLCommonsError) -> Remedy | None:
    """Return the setting that would allow the failed operation, or None."""
    if isinstance(error, FeatureDisabled) and error.setting.startswith(PREFIX):
        key = error.setting.removeprefix(PREFIX)
        return Remedy(error.reason, "the cluster does not allow it", key, True)
    return next((found for words in _words(error) if (found := remedy_in(words)) is not None), None)


def remedy_in(words: str) -> Remedy | None:
    """Return the setting that would allow what a server's message refuses, or None."""
    return next((remedy for remedy in REMEDIES if remedy.words in words), None)


def is_retryable(error: TaskFailed) -> bool:
    """Return whether a failed task may succeed if started again, and no setting blocks it."""
    return error.trouble.passes and remedy_for(error) is None


def should_look_again(error: MLCommonsError) -> bool:
    """Return whether to search and register again: the failed registration, or a concurrent one, may have succeeded."""
    if isinstance(error, ApiError | TaskFailed) and error.trouble.kind is Kind.RACE:
        return True
    if isinstance(error, NotFound):
        # On the register request itself it means that something it refers to is missing, such as its connector.
        return error.request.method != "POST"
    if isinstance(error, TaskFailed):
        return is_retryable(error)
    return error.transient or isinstance(error, TaskStalled)


def _words(error: MLCommonsError) -> Iterable[str]:
    if isinstance(error, TaskFailed):
        return [error.info.error or "", *error.node_errors.values()]
    return [error.reason, error.details] if isinstance(error, ApiError) else []
