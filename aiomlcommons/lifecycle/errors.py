"""Every error of the life of models, beside those of the calls and tasks that it is made of."""

from __future__ import annotations

from typing import Any

from aiomlcommons.api.model_records import Model
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.lifecycle.remedies import Remedy


class NotRegistered(MLCommonsError):
    """The cluster ended the registration of a model without one; the message says why."""


class NotDeployed(MLCommonsError):
    """The model is not on every node that it should be on; ``.model`` is how it was last seen."""

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
    """No model of that id or name, and no pretrained one either."""


class NotComplete(MLCommonsError, TimeoutError):
    """What was waited for did not come in as many attempts, or as much time, as the caller gave."""


class BadPackage(MLCommonsError):
    """A model's files that a cluster could make no model of: it names the file, what is wrong, and what to do."""


class FileChanged(MLCommonsError):
    """The model's file was changed or cut short while it was uploaded; the model was not made ready."""


class BlockedBySetting(MLCommonsError):
    """The cluster will not register or deploy the model as it is set; ``.remedy`` is the setting that would let it.

    The server's own error is ``__cause__``.
    """

    def __init__(self, name: str, remedy: Remedy) -> None:
        super().__init__(f"{name}: {remedy}")
        self.name, self.remedy = name, remedy

    def __reduce__(self) -> Any:
        return type(self), (self.name, self.remedy)
