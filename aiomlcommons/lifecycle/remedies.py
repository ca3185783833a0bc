"""What keeps a model from being registered or deployed, and what helps: a setting, another look, another try."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from aiomlcommons.api.settings import PREFIX, MLSettings
from aiomlcommons.errors import ApiError, FeatureDisabled, MLCommonsError, NotFound
from aiomlcommons.trouble.hints import BREAKERS
from aiomlcommons.trouble.table import Kind
from aiomlcommons.waiting.errors import TaskFailed, TaskStalled


@attrs.frozen
class Remedy:
    """Words of the server that name a trouble, and the setting that ends it."""

    words: str
    why: str
    setting: str
    value: Any

    @property
    def settings(self) -> MLSettings:
        """The change, for ``ml.settings.apply``."""
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
        "no node may run models: the cluster has no ML node, or none of those asked for",
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
    Remedy("Don't allow custom deployment plan", "nobody may choose nodes", "allow_custom_deployment_plan", True),
)


def remedy_for(error: MLCommonsError) -> Remedy | None:
    """The setting that would have let it, where there is one."""
    if isinstance(error, FeatureDisabled) and error.setting.startswith(PREFIX):
        key = error.setting.removeprefix(PREFIX)
        return Remedy(error.reason, "the cluster does not allow it", key, True)
    return next((remedy for remedy in REMEDIES for words in _words(error) if remedy.words in words), None)


def may_pass(error: TaskFailed) -> bool:
    """Whether a task that failed may succeed when it is begun again, and no setting is in its way."""
    return error.trouble.passes and remedy_for(error) is None


def is_worth_a_look(error: MLCommonsError) -> bool:
    """Whether a registration that failed may have succeeded, or somebody else's may have, or the next one may."""
    if isinstance(error, ApiError | TaskFailed) and error.trouble.kind is Kind.RACE:
        return True
    if isinstance(error, NotFound):
        # Of the registration itself it would say that something is missing, such as its connector.
        return error.request.method != "POST"
    if isinstance(error, TaskFailed):
        return may_pass(error)
    return error.transient or isinstance(error, TaskStalled)


def _words(error: MLCommonsError) -> Iterable[str]:
    if isinstance(error, TaskFailed):
        return [error.info.error or "", *error.node_errors.values()]
    return [error.reason, error.details] if isinstance(error, ApiError) else []
