"""The async Python client for OpenSearch ML Commons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.__about__ import __version__ as __version__
from aiomlcommons.lazy import lazily

if TYPE_CHECKING:
    from aiomlcommons.api import ENDPOINTS
    from aiomlcommons.api.model_configs import ModelConfig
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
        TooManyRequests,
        Unauthorized,
        Unavailable,
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
    from aiomlcommons.trouble import Trouble
    from aiomlcommons.waiting.errors import TaskFailed, TaskStalled

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
    "Trouble",
    "Unauthorized",
    "Unavailable",
    "UrlModel",
]

if not TYPE_CHECKING:
    # `aiomlcommons --help` need not wait for aiohttp and numpy.
    __getattr__, __dir__ = lazily(
        __name__,
        __all__,
        (
            *(
                "errors",
                "auth",
                "backoff",
                "http",
                "secret",
                "api",
                "endpoint",
                "transport",
                "task",
                "session",
                "trouble",
                "waiting.errors",
            ),
            *("api.model_configs", "api.settings"),
            *(f"models.{name}" for name in ("spec", "progress", "ensure", "declared", "deploying", "sending")),
            *("models.remedies", "models.upload", "models.package"),
        ),
    )
