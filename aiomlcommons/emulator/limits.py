"""How often a model may be asked: by all together, and by each user."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar

from aiomlcommons.api.model_records import Model, RateLimiter
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import THROTTLED_MODEL, THROTTLED_USER, status_error

CALLER: ContextVar[str | None] = ContextVar("CALLER", default=None)
"""Who asks. Nobody has a name where the emulator is served without a user."""

UNITS = {
    "NANOSECONDS": 1e-9,
    "MICROSECONDS": 1e-6,
    "MILLISECONDS": 0.001,
    "SECONDS": 1,
    "MINUTES": 60,
    "HOURS": 3600,
    "DAYS": 86_400,
}


def check(cluster: Cluster, model_id: str, model: Model) -> None:
    """Count a prediction. Raises Refused with 429 where one too many was asked of the model, or by this user."""
    if model.rate_limiter is not None and not _has_room(cluster, model_id, model.rate_limiter):
        raise status_error(429, THROTTLED_MODEL)
    controller, user = cluster.controllers.get(model_id), CALLER.get()
    limiter = ((controller and controller.user_rate_limiter) or {}).get(user or "")
    if limiter is not None and not _has_room(cluster, f"{model_id}/{user}", limiter):
        raise status_error(429, THROTTLED_USER)


def forget(cluster: Cluster, model_id: str) -> None:
    """Let the users of a model begin anew, for their limits are others now."""
    for key in [key for key in cluster.calls if key.startswith(f"{model_id}/")]:
        del cluster.calls[key]


def _has_room(cluster: Cluster, key: str, limiter: RateLimiter) -> bool:
    now, span = cluster.clock(), UNITS[limiter.unit]
    calls = cluster.calls.setdefault(key, deque())
    while calls and calls[0] <= now - span:
        calls.popleft()
    if len(calls) >= float(limiter.limit):
        return False
    calls.append(now)
    return True
