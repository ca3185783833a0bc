"""Removing and withdrawing models, and for how long a cluster that is away is waited for."""

from __future__ import annotations

import pytest

from aiomlcommons import Backoff, HttpRequest, HttpResponse, ServerError, Session, Timeout
from aiomlcommons.lifecycle.removal import withdraw

NOW = Backoff(first=0)
FOREVER = 50


class DeletesNothing:
    """A cluster that has every model, and answers each deletion with 503."""

    def __init__(self) -> None:
        self.deletions = 0

    async def __call__(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        if request.method != "DELETE":
            return HttpResponse(
                200, b'{"name": "m", "model_state": "REGISTERED"}', {"content-type": "application/json"}
            )
        self.deletions += 1
        assert self.deletions < FOREVER, "it is waited for longer than the caller allows"
        return HttpResponse(503, b'{"error": {"type": "x", "reason": "unavailable"}, "status": 503}')


@pytest.mark.asyncio
async def test_a_withdrawal_waits_as_long_as_the_caller_does() -> None:
    cluster = DeletesNothing()
    async with Session("http://node", transport=cluster, retries=2, wait=0, backoff=NOW) as ml:
        with pytest.raises(ServerError):
            await withdraw(ml, "model", None, NOW)
    assert cluster.deletions == 3


@pytest.mark.asyncio
async def test_a_removal_waits_as_long_as_it_is_told() -> None:
    cluster = DeletesNothing()
    async with Session("http://node", transport=cluster, retries=2, backoff=NOW) as ml:
        with pytest.raises(ServerError):
            await ml.models.remove("model", backoff=NOW, wait=0)
    assert cluster.deletions == 3
