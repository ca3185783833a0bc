"""The part of an index sink that serves jobs whose server embeds: what the index is like, and what sends documents."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from aiomlcommons.client import at_own_pace
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.indices.mapping import given_settings
from aiomlcommons.indices.vector_field import Field, VectorField
from aiomlcommons.ingest.sinks._index_replicas import ReplicasOff
from aiomlcommons.ingest.sinks._index_target import Target
from aiomlcommons.ingest.sinks.index_pipeline import PipelineBulk

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# The settings of an index that send documents through pipelines: through the first if a request names none.
FIRST, FINAL = "default_pipeline", "final_pipeline"


def check_pipeline(name: str | None) -> None:
    """Raise InvalidRequest for an empty name, which the server takes for none."""
    if name is not None and not name.strip():
        raise InvalidRequest("pipeline= (--pipeline) must be the name of an ingest pipeline, not empty")


class ServedIndex:
    """A mixin of IndexSink; ``_served`` are the fields that the server fills, None unless it embeds."""

    pipeline: str | None
    ids: Literal["auto"] | None
    replicas: ReplicasOff
    _ml: Client
    _create: bool | Mapping[str, Any]
    _asked: dict[str, Any]
    _target: Target
    _taken: int
    _served: Mapping[str, Field] | None = None

    @property
    def session(self) -> Client:
        """The session whose cluster holds the index."""
        return self._ml

    @property
    @abstractmethod
    def kept_in(self) -> str | None:
        """The field that keeps the id of a document, if the server takes no ids; else None."""
        ...

    @abstractmethod
    def _target_of(self, uuid: str | None) -> Target:
        """Return the target; ``uuid`` is that of the index that an earlier run wrote to."""
        ...

    async def layout(self) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
        """Return mappings and settings of the index, or those with which it is to be created. Raises ApiError.

        The settings are None if the user has no permission to read them.
        """
        # A job has set the stall timeout since the sink was made.
        if (found := await self._target_of(None).layout()) is not None:
            return found
        body = self._create if isinstance(self._create, Mapping) else {}
        return body.get("mappings") or {}, given_settings(body)

    def vectors(self, *, sparse: bool, dimension: int | None = None, suits: tuple[str, ...] = ()) -> VectorField:
        """Return a field for vectors, as the sink was asked to make it."""
        asked = {"method": self._asked["method"]} if sparse else self._asked
        return VectorField(dimension=dimension, sparse=sparse, suits=suits, **asked)

    def served(self, fields: Mapping[str, Field]) -> PipelineBulk:
        """Leave the embedding to the server, which fills these fields; return what sends it documents."""
        self._served = fields
        # A job repeats and spaces its requests by itself.
        ml, path, auto = at_own_pace(self._ml), self._target.path, self.ids is not None
        return PipelineBulk(ml, path, self._query, self._before_sending, auto=auto, id_field=self.kept_in)

    def accepted(self, documents: int) -> None:
        """Count documents that the index accepted, which were not given to ``write``."""
        self._taken += documents

    @property
    def _query(self) -> Mapping[str, str]:
        return {} if self.pipeline is None else {"pipeline": self.pipeline}

    @property
    def _watched(self) -> tuple[str, ...]:
        """The settings of the index that send documents through pipelines, if these embed."""
        if self._served is None:
            return ()
        return (FINAL,) if self.pipeline is not None else (FIRST, FINAL)

    async def _before_sending(self) -> None:
        await self.replicas.switch_off(self._target.ml)
