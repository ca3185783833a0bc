"""The mapping from HTTP responses to exception classes: by the server's words first, then by the status."""

from __future__ import annotations

from collections.abc import Mapping

from aiomlcommons.errors import (
    ApiError,
    BadRequest,
    Conflict,
    FeatureDisabled,
    Forbidden,
    ModelNotReady,
    NotFound,
    QuotaExceeded,
    Redirected,
    ServerError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    trouble_in,
)
from aiomlcommons.http import HttpResponse, is_success
from aiomlcommons.trouble import hints
from aiomlcommons.trouble.error_body import body_of, describe, disabled_setting
from aiomlcommons.trouble.kinds import Kind, Party, Trouble

# ML Commons 2.4 sends these types with status 500, so the type takes precedence over the status.
_BY_TYPE: Mapping[str, type[ApiError]] = {"m_l_resource_not_found_exception": NotFound}
_BY_HUNDRED: Mapping[int, type[ApiError]] = {3: Redirected, 5: ServerError}
_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
}


def raise_for_status(response: HttpResponse) -> None:
    """Raise the matching ApiError if the status is 300 or above."""
    if not is_success(response.status):
        raise error_for(response)


def error_for(response: HttpResponse) -> ApiError:
    """Return the ApiError of the class that matches a response of 300 or above."""
    kind, reason, details = describe(body_of(response))
    if disabled_setting(f"{reason} {details}"):
        return FeatureDisabled(response)
    if hints.amazon(reason):
        return Forbidden(response)  # whatever the status, which is 401: the credentials are accepted
    fallback = _BY_HUNDRED.get(response.status // 100, ApiError)
    by_status = _BY_TYPE.get(kind) or _BY_STATUS.get(response.status, fallback)
    return (_by_trouble(trouble_in(response), response.status) or by_status)(response)


def _by_trouble(trouble: Trouble, status: int) -> type[ApiError] | None:
    match trouble.kind:
        case Kind.NOT_READY:
            return ModelNotReady
        case Kind.THROTTLED:
            return TooManyRequests
        case Kind.QUOTA:
            return QuotaExceeded
        case Kind.CREDENTIAL if status != 403:
            return Unauthorized
        case Kind.MISSING:
            return NotFound
        case Kind.PASSES if trouble.party is Party.CLUSTER and status != 429:
            return Unavailable
    return None
