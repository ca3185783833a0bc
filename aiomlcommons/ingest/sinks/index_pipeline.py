"""Documents for an ingest pipeline of an index: requests of ``_bulk`` without vectors, and what each document met."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from aiomlcommons.errors import ApiError
from aiomlcommons.http import JSON, HttpResponse
from aiomlcommons.ingest.sinks._index_actions import Actions as Actions
from aiomlcommons.ingest.sinks._index_actions import actions_alone
from aiomlcommons.ingest.sinks._index_bulk import failures
from aiomlcommons.ingest.sinks._index_delivery import NDJSON
from aiomlcommons.ingest.types import Refused, Row
from aiomlcommons.statuses import error_for

if TYPE_CHECKING:
    from aiomlcommons.client import Client


@attrs.frozen
class PipelineBulk:
    """Requests to the index at ``path``, whose documents go through a pipeline: the one in ``query``, or its own.

    ``before`` is awaited before each one. With ``auto`` the ids are random; with ``id_field`` the server makes them,
    and that field of each document holds its own.
    """

    ml: Client
    path: str
    query: Mapping[str, str]
    before: Callable[[], Awaitable[None]]
    auto: bool = False
    id_field: str | None = None

    def encoded(self, ids: Sequence[str], rows: Sequence[Row]) -> tuple[Actions, list[Refused]]:
        """Encode documents; return their actions, and those that are refused without asking the server."""
        if self.auto and self.id_field is None:
            # Made here, because an item that failed in the pipeline has none, and does not come in order.
            ids = [token_urlsafe(15) for _ in ids]
        return actions_alone(ids, rows, id_field=self.id_field)

    async def send(self, sent: Actions) -> dict[int, ApiError]:
        """Send one request; return the errors of the documents that were not accepted, by position.

        Documents that met the same have one error, which is made as if the whole request had failed with it. Raises
        what the request fails with, DecodeError.
        """
        await self.before()
        response = await self.ml.request("POST", f"{self.path}/_bulk", query=self.query, body=sent.body, headers=NDJSON)
        made: dict[tuple[int, bytes], ApiError] = {}
        return {
            position: _error(response, status, error, made)
            for position, (status, error) in failures(response, sent).items()
        }


def _error(response: HttpResponse, status: int, error: Any, made: dict[tuple[int, bytes], ApiError]) -> ApiError:
    """Return the error of a document."""
    body = orjson.dumps({"error": error or {}, "status": status})
    if (status, body) not in made:
        headers = {"content-type": JSON}
        made[status, body] = error_for(HttpResponse(status, body, headers, request=response.request))
    return made[status, body]
