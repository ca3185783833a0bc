"""Request options: those of a session, and those of its views, which override them for some calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aiomlcommons.decoding.bounded import LARGEST_RESPONSE
from aiomlcommons.net.auth import Auth, as_auth
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.net.hedge import Hedge, as_hedge
from aiomlcommons.net.transport import Timeout, as_timeout

TENANT = "x-tenant-id"
"""The header that names the tenant, where ``plugins.ml_commons.multi_tenancy_enabled`` is set."""


def _lower(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def with_tenant(headers: Mapping[str, str] | None, tenant_id: str | None) -> Mapping[str, str] | None:
    """Return headers with that of a tenant. Raises ValueError if they name one already."""
    if tenant_id is None:
        return headers
    if TENANT in _lower(headers):
        raise ValueError(f"tenant_id and an {TENANT} header are both given: give one of them")
    return {**(headers or {}), TENANT: tenant_id}


@attrs.frozen(kw_only=True)
class Options:
    """Request options; ``session.options(...)`` overrides them for some calls. ``Session`` documents the fields.

    The credential that is given nearest to the call counts: an ``authorization`` header of one request before the
    ``auth`` or the header of a view, and these before the session's. Raises ValueError for both at once.
    """

    auth: Auth | None = attrs.field(default=None, converter=as_auth)
    timeout: Timeout = Timeout()
    retries: int = 3
    wait: float = 0.0
    backoff: Backoff = Backoff()
    headers: Mapping[str, str] = attrs.field(
        factory=dict, converter=_lower, repr=lambda headers: f"<{', '.join(headers)}>"
    )
    opaque_id: str | None = None
    hedge: Hedge | None = attrs.field(default=None, converter=as_hedge)
    max_response_bytes: int = LARGEST_RESPONSE
    paced: bool = True
    """False for bulk jobs, which repeat and space their requests by themselves: no circuit or hedge is for them."""

    def __attrs_post_init__(self) -> None:
        if self.auth is not None and "authorization" in self.headers:
            raise ValueError("auth and an authorization header are both given: give one of them")

    def changed(
        self,
        *,
        auth: Auth | tuple[str, str] | None,
        headers: Mapping[str, str] | None,
        timeout: Timeout | float | None,
        **others: Any,
    ) -> Options:
        """Return a copy with the options that are not None; headers are merged."""
        changes = {name: value for name, value in others.items() if value is not None}
        if timeout is not None:
            changes["timeout"] = as_timeout(timeout)
        nearer = Options(auth=auth, headers=headers)
        merged = {**self.headers, **nearer.headers}
        if nearer.auth is not None:
            merged.pop("authorization", None)
            changes["auth"] = nearer.auth
        elif "authorization" in nearer.headers:
            changes["auth"] = None
        return attrs.evolve(self, headers=merged, **changes)
