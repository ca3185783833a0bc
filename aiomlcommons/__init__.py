"""The async Python client for OpenSearch ML Commons."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from aiomlcommons.api import ENDPOINTS
    from aiomlcommons.auth import BasicAuth, BearerAuth
    from aiomlcommons.backoff import Backoff
    from aiomlcommons.endpoint import NULL, Request
    from aiomlcommons.errors import (
        ApiError,
        BadRequest,
        BatchFailed,
        Conflict,
        ConnectError,
        DecodeError,
        FeatureDisabled,
        Forbidden,
        InvalidRequest,
        MLCommonsError,
        ModelNotReady,
        NotFound,
        NotSupported,
        Redirected,
        RequestTimeout,
        ServerError,
        SessionClosed,
        StreamCut,
        StreamFailed,
        TaskFailed,
        TaskStalled,
        TooManyRequests,
        Unauthorized,
    )
    from aiomlcommons.http import HttpRequest, HttpResponse
    from aiomlcommons.secret import Secret
    from aiomlcommons.session import Session
    from aiomlcommons.task import Task
    from aiomlcommons.transport import Timeout, Transport

__all__ = [
    "ENDPOINTS",
    "NULL",
    "ApiError",
    "Backoff",
    "BadRequest",
    "BasicAuth",
    "BatchFailed",
    "BearerAuth",
    "Conflict",
    "ConnectError",
    "DecodeError",
    "FeatureDisabled",
    "Forbidden",
    "HttpRequest",
    "HttpResponse",
    "InvalidRequest",
    "MLCommonsError",
    "ModelNotReady",
    "NotFound",
    "NotSupported",
    "Redirected",
    "Request",
    "RequestTimeout",
    "Secret",
    "ServerError",
    "Session",
    "SessionClosed",
    "StreamCut",
    "StreamFailed",
    "Task",
    "TaskFailed",
    "TaskStalled",
    "Timeout",
    "TooManyRequests",
    "Transport",
    "Unauthorized",
]

# Searched when a name is first used, so that `aiomlcommons --help` need not wait for aiohttp and numpy.
_HOMES = ("errors", "auth", "backoff", "http", "secret", "api", "endpoint", "transport", "task", "session")


def __getattr__(name: str) -> Any:
    for home in _HOMES if name in __all__ else ():
        if (value := getattr(import_module(f"{__name__}.{home}"), name, None)) is not None:
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
