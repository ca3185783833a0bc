"""The async Python client for OpenSearch ML Commons."""

__version__ = "0.1.0"

from aiomlcommons.auth import BasicAuth, BearerAuth
from aiomlcommons.backoff import Backoff
from aiomlcommons.endpoint import ENDPOINTS, NULL, Request
from aiomlcommons.errors import (
    ApiError,
    BadRequest,
    BatchFailed,
    Conflict,
    ConnectError,
    DecodeError,
    Forbidden,
    InvalidRequest,
    MLCommonsError,
    ModelNotReady,
    NotFound,
    RequestTimeout,
    ServerError,
    SessionClosed,
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
    "Forbidden",
    "HttpRequest",
    "HttpResponse",
    "InvalidRequest",
    "MLCommonsError",
    "ModelNotReady",
    "NotFound",
    "Request",
    "RequestTimeout",
    "Secret",
    "ServerError",
    "Session",
    "SessionClosed",
    "Task",
    "TaskFailed",
    "TaskStalled",
    "Timeout",
    "TooManyRequests",
    "Transport",
    "Unauthorized",
]
