"""Predictions of remote models by ``parameters``, for servers without the algorithm route."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.connectors import ActionType, GetConnector, HttpConnector
from aiomlcommons.api.models import GetModel
from aiomlcommons.api.predict import PredictByModel
from aiomlcommons.endpoint import Sends
from aiomlcommons.errors import ApiError, BadRequest, InvalidRequest
from aiomlcommons.http import JSON, HttpResponse
from aiomlcommons.inference.inputs import SIDES, KnownInputs, ModelInputs, inputs_of
from aiomlcommons.inference.many import in_batches

T = TypeVar("T")
# Requests at once for the texts of one call, to a model that takes only some of them in a request.
CONCURRENCY = 8
# What the server says if the connector was changed since its names were looked up (3.8, and before).
UNFILLED = ("placeholder not filled in payload", "Invalid payload")


@attrs.frozen
class ByParameters:
    """A remote model that is asked by the parameters of its connector; ``known`` caches their names by model."""

    session: Sends
    known: KnownInputs
    model_id: str

    async def ask(self, given: Mapping[str, Any], *, accept: str = JSON) -> HttpResponse:
        """Send one prediction, with values by role."""
        was_found = self.model_id in self.known.found and self.model_id not in self.known.declared
        try:
            return await self._send(given, accept)
        except BadRequest as error:
            if not was_found or not any(words in error.reason for words in UNFILLED):
                raise
        self.known.found.pop(self.model_id, None)
        return await self._send(given, accept)

    async def each(
        self,
        texts: Sequence[str],
        given: Mapping[str, Any],
        decode: Callable[[HttpResponse, int], T],
        *,
        accept: str = JSON,
    ) -> list[T]:
        """Send texts in as many predictions as the model needs; return what ``decode`` makes of each response."""

        async def ask(some: Sequence[str]) -> T:
            return decode(await self.ask({**given, "texts": some}, accept=accept), len(some))

        size = (await self.inputs()).size
        return await in_batches(ask, texts, batch=size, concurrency=CONCURRENCY, noted=False)

    async def inputs(self) -> ModelInputs:
        """Return the names of the model's parameters, looked up once. Raises InvalidRequest, ApiError."""
        if (known := self.known.get(self.model_id)) is not None:
            return known
        found = self.known.found[self.model_id] = await self._looked_up()
        return found

    async def _looked_up(self) -> ModelInputs:
        model = await self.session.send(GetModel(self.model_id))
        connector = model.connector
        if connector is None and model.connector_id:
            try:
                connector = await self.session.send(GetConnector(model.connector_id))
            except ApiError as error:
                error.add_note(self._remedy())
                raise
        actions = (connector.actions or ()) if isinstance(connector, HttpConnector) else ()
        action = next((one for one in actions if one.action_type.upper() == ActionType.PREDICT.upper()), None)
        if action is None:
            kind = model.algorithm or FunctionName.REMOTE
            raise InvalidRequest(f"model {self.model_id} ({kind}) has no connector that predicts, so it takes no texts")
        return inputs_of(action, (connector.parameters if connector else None) or {})

    async def _send(self, given: Mapping[str, Any], accept: str) -> HttpResponse:
        inputs = await self.inputs()
        side = {"side": SIDES[given["side"]]} if given.get("side") else {}
        further = given.get("further") or {}
        roles = {key: value for key, value in given.items() if key not in {"side", "further"}}
        try:
            parameters = inputs.parameters({**roles, **side})
        except LookupError as error:
            words = f"it cannot be told from its connector which parameter takes the {error.args[0]}"
            raise InvalidRequest(f"model {self.model_id}: {words}; {self._remedy()}") from None
        request = PredictByModel(self.model_id, parameters={**further, **parameters})
        return await self.session.raw(request, accept=accept)

    def _remedy(self) -> str:
        return f"name its parameters with ml.declare_inputs({self.model_id!r}, ModelInputs(texts=...))"
