"""The errors of the model lifecycle, in addition to those of its calls and tasks."""

from __future__ import annotations

from typing import Any

from aiomlcommons.api.model_records import Model
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.lifecycle.remedies import Remedy


class NotRegistered(MLCommonsError):
    """A registration ended without a model, or with another one than specified; the message says why."""


class NotDeployed(MLCommonsError):
    """The model is not deployed on every node that should have it; ``.model`` is its last known record."""

    def __init__(self, model_id: str, model: Model) -> None:
        has, wants = model.current_worker_node_count or 0, model.planning_worker_node_count or 0
        remedy = (
            "accept that with allow_partial=True, or see the errors of the other nodes in its deploy task"
            if has
            else "see its deploy task and the server's log"
        )
        super().__init__(f"model {model_id} is {model.model_state}, on {has} of {wants} nodes; {remedy}")
        self.model_id, self.model = model_id, model

    def __reduce__(self) -> Any:
        return type(self), (self.model_id, self.model)


class NoSuchModel(MLCommonsError):
    """No registered model has this id or name, and no pretrained one has this name."""


class NotComplete(MLCommonsError, TimeoutError):
    """A polled condition did not hold within the attempts or the time that the caller allowed."""


class BadPackage(MLCommonsError):
    """Model files that a cluster cannot use; the message names the file, the defect and the remedy."""


class NotDownloaded(MLCommonsError):
    """The files of a model could not be downloaded from Hugging Face; the message says why, and what to do."""


class FileChanged(MLCommonsError):
    """The model's file was modified or truncated during the upload; the model's registration was not completed."""


class BlockedBySetting(MLCommonsError):
    """A cluster setting blocks registering or deploying the model; ``.remedy`` is the setting that would allow it.

    The server's error is ``__cause__``. ``.advice`` is what the provider of the server says of changing the setting.
    """

    def __init__(self, name: str, remedy: Remedy, advice: str = "") -> None:
        super().__init__(f"{name}: {remedy}" + (advice and f"; {advice}"))
        self.name, self.remedy, self.advice = name, remedy, advice

    def __reduce__(self) -> Any:
        return type(self), (self.name, self.remedy, self.advice)
