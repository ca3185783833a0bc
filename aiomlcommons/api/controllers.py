"""Controllers: a model's rate limits, by user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY

from aiomlcommons.api.common import WriteResult
from aiomlcommons.api.model_records import RateLimiter
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Record, in_query, record


@record
class Controller(Record):
    """The rate limit of each user, by name."""

    model_id: str
    user_rate_limiter: Mapping[str, RateLimiter] | None = None


@record
class ControllerCreated(Record):
    """The response to creating a controller."""

    model_id: str
    status: str


@endpoint("POST /_plugins/_ml/controllers/{model_id}", since="2.12")
class CreateController(Request[ControllerCreated]):
    """Set the rate limits of a model, by user.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/controller-apis/create-controller/
    """

    model_id: str
    user_rate_limiter: Mapping[str, RateLimiter]


@endpoint("GET /_plugins/_ml/controllers/{model_id}", since="2.12")
class GetController(Request[Controller]):
    """Get a model's controller.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/controller-apis/get-controller/
    """

    model_id: str
    _: KW_ONLY
    return_content: bool | None = in_query(default=None)


@endpoint("PUT /_plugins/_ml/controllers/{model_id}", since="2.12")
class UpdateController(Request[WriteResult]):
    """Update the rate limits of some users.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/controller-apis/update-controller/
    """

    model_id: str
    user_rate_limiter: Mapping[str, RateLimiter]


@endpoint("DELETE /_plugins/_ml/controllers/{model_id}", since="2.12")
class DeleteController(Request[WriteResult]):
    """Remove the rate limits of a model.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/controller-apis/delete-controller/
    """

    model_id: str


class Controllers(Namespace):
    """``ml.controllers``: a model's rate limits, by user."""

    create = op(CreateController)
    get = op(GetController)
    update = op(UpdateController)
    delete = op(DeleteController)
