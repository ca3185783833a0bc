"""Pings: which nodes respond, asked all at once, within a short time and without retries."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import attrs

from aiomlcommons.errors import ApiError, MLCommonsError, NoCredentials, Redirected, Unauthorized
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.net.attempts import NODE_FAILS, Attempts
from aiomlcommons.net.nodes import SILENT, Node
from aiomlcommons.net.transport import Timeout
from aiomlcommons.trouble.kinds import Kind

PATIENCE = 5.0
"""Seconds that a node has to respond."""
GRACE = SILENT
"""Seconds that it has once another one has responded: a hanging node must not make the probe of a live cluster fail."""


async def ping(attempts: Attempts, request: HttpRequest, nodes: Sequence[Node]) -> list[Node]:
    """Send a request to nodes at once, and return those that respond; their states in the pool are updated.

    Any response of a node that can work is one: the user may lack the permission, and Serverless has no ``GET /``.
    Raises Unauthorized if every node that responds refuses the credentials.
    """
    brief = attrs.evolve(attempts, options=attrs.evolve(attempts.options, timeout=_at_most(attempts.options.timeout)))
    outcomes: dict[Node, HttpResponse | Exception] = {}

    async with anyio.create_task_group() as group:

        async def ask(node: Node) -> None:
            try:
                outcomes[node] = await brief.once(request, node)
            except Exception as error:
                outcomes[node] = error
            if _is_response(outcomes[node]):
                group.cancel_scope.deadline = min(group.cancel_scope.deadline, anyio.current_time() + GRACE)

        for node in nodes:
            group.start_soon(ask, node)
    live = [node for node in nodes if node in outcomes and _is_response(outcomes[node])]
    refusals = [error for error in outcomes.values() if isinstance(error, Exception) and _is_defect(error)]
    if refusals and not live:
        raise refusals[0]
    return live


def _is_response(outcome: HttpResponse | Exception) -> bool:
    if isinstance(outcome, HttpResponse):
        return True
    return isinstance(outcome, ApiError) and not (
        outcome.status in NODE_FAILS or isinstance(outcome, Redirected) or _is_defect(outcome)
    )


def _is_defect(error: Exception) -> bool:
    """Return whether an error is one to raise: credentials that are refused or missing, or an Auth that fails."""
    if isinstance(error, ApiError):
        return isinstance(error, Unauthorized) or error.trouble.kind is Kind.CREDENTIAL
    return isinstance(error, NoCredentials) or not isinstance(error, MLCommonsError)


def _at_most(timeout: Timeout) -> Timeout:
    """Return limits of at most ``PATIENCE`` seconds."""
    connect, read, total = (min(limit or PATIENCE, PATIENCE) for limit in attrs.astuple(timeout))
    return Timeout(connect, read, total)
