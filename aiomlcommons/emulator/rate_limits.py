"""Rate limits of a model, for all users together and for each user: a sliding window log."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar

from aiomlcommons.api.model_records import Model, RateLimiter
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import THROTTLED_MODEL, THROTTLED_USER, status_error

CALLER: ContextVar[str | None] = ContextVar("CALLER", default=None)
"""The user of the current request; None where the emulator is served without authentication."""

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
    """Count a prediction; raise Refused with 429 where the limit of the model or of this user is exceeded."""
    if model.rate_limiter is not None and not _has_room(cluster, model_id, model.rate_limiter):
        raise status_error(429, THROTTLED_MODEL)
    controller, user = cluster.controllers.get(model_id), CALLER.get()
    limiter = ((controller and controller.user_rate_limiter) or {}).get(user or "")
    if limiter is not None and not _has_room(cluster, f"{model_id}/{user}", limiter):
        raise status_error(429, THROTTLED_USER)


def forget(cluster: Cluster, model_id: str) -> None:
    """Reset the counts of a model's users, whose limits have changed."""
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
