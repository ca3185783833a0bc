"""The async Python client for OpenSearch ML Commons."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from aiomlcommons.api import ENDPOINTS
    from aiomlcommons.api.models import ModelConfig
    from aiomlcommons.api.settings import MLSettings
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
    from aiomlcommons.models.declared import DeclaredModel, NotComplete
    from aiomlcommons.models.deploying import NotDeployed
    from aiomlcommons.models.ensure import EnsuredModel, NoSuchModel
    from aiomlcommons.models.package import BadPackage
    from aiomlcommons.models.progress import Phase, Progress
    from aiomlcommons.models.remedies import Prevented
    from aiomlcommons.models.sending import NotRegistered
    from aiomlcommons.models.spec import ExistingModel, FileModel, GroupSpec, PretrainedModel, RemoteModel, UrlModel
    from aiomlcommons.models.upload import FileChanged
    from aiomlcommons.secret import Secret
    from aiomlcommons.session import Session
    from aiomlcommons.task import Task
    from aiomlcommons.transport import Timeout, Transport

__all__ = [
    "ENDPOINTS",
    "NULL",
    "ApiError",
    "Backoff",
    "BadPackage",
    "BadRequest",
    "BasicAuth",
    "BatchFailed",
    "BearerAuth",
    "Conflict",
    "ConnectError",
    "DeclaredModel",
    "DecodeError",
    "EnsuredModel",
    "ExistingModel",
    "FeatureDisabled",
    "FileChanged",
    "FileModel",
    "Forbidden",
    "GroupSpec",
    "HttpRequest",
    "HttpResponse",
    "InvalidRequest",
    "MLCommonsError",
    "MLSettings",
    "ModelConfig",
    "ModelNotReady",
    "NoSuchModel",
    "NotComplete",
    "NotDeployed",
    "NotFound",
    "NotRegistered",
    "NotSupported",
    "Phase",
    "PretrainedModel",
    "Prevented",
    "Progress",
    "Redirected",
    "RemoteModel",
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
    "UrlModel",
]

# Searched when a name is first used, so that `aiomlcommons --help` need not wait for aiohttp and numpy.
_HOMES = (
    *("errors", "auth", "backoff", "http", "secret", "api", "endpoint", "transport", "task", "session"),
    *("api.models", "api.settings"),
    *(f"models.{name}" for name in ("spec", "progress", "ensure", "declared", "deploying", "sending", "remedies")),
    *("models.upload", "models.package"),
)


def __getattr__(name: str) -> Any:
    for home in _HOMES if name in __all__ else ():
        if (value := getattr(import_module(f"{__name__}.{home}"), name, None)) is not None:
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
