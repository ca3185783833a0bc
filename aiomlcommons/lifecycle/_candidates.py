"""Matching of registered models against a spec: which of them is the requested one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.api.model_records import Model
from aiomlcommons.lifecycle._lookup import find_model
from aiomlcommons.lifecycle._register_requests import NamedFile, New
from aiomlcommons.lifecycle.groups import find_groups, own_id
from aiomlcommons.lifecycle.spec import PretrainedModel, UrlModel
from aiomlcommons.lifecycle.upload import UNFINISHED

if TYPE_CHECKING:
    from aiomlcommons.client import Client


@attrs.frozen
class Candidates:
    """The registered models that match a spec, across all model groups of the group's name."""

    ml: Client
    spec: New

    @property
    def name(self) -> str:
        return self.spec.known.name if isinstance(self.spec, PretrainedModel) else self.spec.name

    @property
    def own_id(self) -> str:
        """The deterministic document id of this spec: clients that register the same model conflict on it."""
        return own_id("model", self.group or "", self.name, *_identity(self.spec))

    async def __aiter__(self) -> AsyncIterator[tuple[str, Model]]:
        """Yield id and record of each match, oldest first, so that all clients see the same order."""
        clauses: list[dict[str, Any]] = [{"term": {"name.keyword": self.name}}]
        if (group := self.group) is not None:
            # There may be two groups of one name: models that another client registered in the other one count too.
            clauses.append({"terms": {"model_group_id": await find_groups(self.ml, group)}})
        body = {"query": {"bool": {"filter": clauses}}, "sort": [{"created_time": "asc"}]}
        async for hit in self.ml.models.search(body):
            if hit.has_source and self.may_be(hit.source):
                yield hit.id, hit.source

    @property
    def group(self) -> str | None:
        """The name of the model's group."""
        group = self.spec.group
        return group if group is None or isinstance(group, str) else group.name

    def may_be(self, model: Model) -> bool:
        """Return whether a model of this name matches, or still may: its hash is recorded only after the download."""
        if isinstance(self.spec, UrlModel) and model.model_content_hash_value is None:
            return model.model_state in UNFINISHED
        return self.spec.same(model)

    async def find(self) -> tuple[str, Model] | None:
        """Return the match to use: a deployed one before others, then the oldest."""
        found = [(key, model) async for key, model in self]
        for key, _ in sorted(found, key=lambda one: not one[1].is_deployed):
            if model := await find_model(self.ml, key):
                return key, model
        return None

    async def older(self, model_id: str) -> list[str]:
        """Return the ids of the matches older than a model; of models registered concurrently the oldest is kept."""
        found = [key async for key, _ in self]
        return found[: found.index(model_id)] if model_id in found else found


def _identity(spec: New) -> tuple[str, ...]:
    """Return what distinguishes a model from others of its name."""
    match spec:
        case NamedFile():
            return "file", spec.file.sha256
        case UrlModel():
            return "url", spec.model_content_hash_value
        case PretrainedModel():
            return "pretrained", spec.register_version, spec.register_format
    return "remote", spec.connector_id or repr(spec.essence)
