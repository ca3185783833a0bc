"""What ``ensure`` returns: the id of a model, with the model."""

from __future__ import annotations

from typing import Any

from aiomlcommons.api.model_records import Model
from aiomlcommons.progress.event import Phase


class EnsuredModel(str):
    """The result of ``ensure``: the id of the model as text, so that it can be given wherever an id is taken.

    It equals the plain id, and is written as such in JSON, in URLs and in texts.

    Attributes:
        model: The model.
        did: The phases that this call of ``ensure`` went through.
    """

    __slots__ = ("did", "model")

    model: Model
    did: tuple[Phase, ...]

    def __new__(cls, *, model_id: str, model: Model, did: tuple[Phase, ...] = ()) -> EnsuredModel:
        made = super().__new__(cls, model_id)
        made.model, made.did = model, did
        return made

    @property
    def model_id(self) -> str:
        """The plain id."""
        return str(self)

    @property
    def registered(self) -> bool:
        """Whether this call registered the model."""
        return Phase.REGISTERED in self.did

    @property
    def deployed(self) -> bool:
        """Whether this call deployed the model."""
        return Phase.DEPLOYING in self.did

    def __repr__(self) -> str:
        return f"<EnsuredModel {self} {self.model.name!r} {self.model.model_state}>"

    def _repr_html_(self) -> str:
        """Return the table of the model, for notebooks."""
        return self.model._repr_html_()

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]:
        """Return what ``copy`` and ``pickle`` make an equal one of."""
        return (), {"model_id": str(self), "model": self.model, "did": self.did}
