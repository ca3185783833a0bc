"""Model groups: versions of a model with shared access control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any, ClassVar

from aiomlcommons.api import checks
from aiomlcommons.api.common import Access, AccessMode, Hits, User, WriteResult
from aiomlcommons.api.search import searches
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Record, as_body, mixin, record


@record
class ModelGroup(Record):
    """A model group. Times are epoch milliseconds; ``latest_version`` is the number of models registered in it."""

    _first: ClassVar = ("name", "access", "latest_version", "description", "created_time")

    name: str | None = None
    latest_version: int | None = None
    description: str | None = None
    backend_roles: list[str] | None = None
    owner: User | None = None
    access: AccessMode | str | None = None
    model_group_id: str | None = None
    created_time: int | None = None
    last_updated_time: int | None = None
    tenant_id: str | None = None


@record
class ModelGroupRegistered(Record):
    """The id of a new model group."""

    model_group_id: str
    status: str


@record
class ModelGroupUpdated(Record):
    """The response to an update: ``Updated``."""

    status: str


@mixin
class ModelGroupSpec:
    """The fields that registering and updating a group have in common."""

    description: str | None = None
    access_mode: Access | None = None
    backend_roles: Sequence[str] | None = None
    add_all_backend_roles: bool | None = None
    tenant_id: str | None = None


@endpoint(
    "POST /_plugins/_ml/model_groups/_register",
    since="2.8",
    newer={"2.9": ("access_mode",), "2.19": ("tenant_id",), "3.9": ("model_group_id",)},
)
class RegisterModelGroup(ModelGroupSpec, Request[ModelGroupRegistered]):
    """Register a model group. Its name must be unique in the cluster.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-group-apis/register-model-group/
    """

    name: str
    _: KW_ONLY
    model_group_id: str | None = None

    def problems(self) -> Iterator[str]:
        yield from checks.own_id(self, "model_group_id")


@endpoint("GET /_plugins/_ml/model_groups/{model_group_id}", since="2.12")
class GetModelGroup(Request[ModelGroup]):
    """Get a model group.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-group-apis/get-model-group/
    """

    model_group_id: str


@endpoint(
    "PUT /_plugins/_ml/model_groups/{model_group_id}",
    since="2.9",
    was=["PUT /_plugins/_ml/model_groups/{model_group_id}/_update"],
    needs_body=True,
    newer={"2.19": ("tenant_id",)},
)
class UpdateModelGroup(ModelGroupSpec, Request[ModelGroupUpdated]):
    """Update a model group's name, description or access.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-group-apis/update-model-group/
    """

    model_group_id: str
    _: KW_ONLY
    name: str | None = None


@endpoint("DELETE /_plugins/_ml/model_groups/{model_group_id}", since="2.8")
class DeleteModelGroup(Request[WriteResult]):
    """Delete an empty model group. A missing one is not an error: ``result`` is ``not_found``.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-group-apis/delete-model-group/
    """

    model_group_id: str


@endpoint(
    "POST /_plugins/_ml/model_groups/_search",
    since="2.8",
    also=["GET /_plugins/_ml/model_groups/_search"],
    repeatable=True,
)
class SearchModelGroups(Request[Hits[ModelGroup]]):
    """Search the model groups with a query DSL body.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-group-apis/search-model-group/
    """

    body: Mapping[str, Any] = as_body(factory=dict)


class ModelGroups(Namespace):
    """``ml.model_groups``: versions of a model with shared access control."""

    register = op(RegisterModelGroup)
    get = op(GetModelGroup)
    update = op(UpdateModelGroup)
    delete = op(DeleteModelGroup)
    search = searches(SearchModelGroups)
