"""A web service in front of ML Commons: it embeds texts and searches an index, for each user as that user.

    OPENSEARCH_URL=https://host:9200 MODEL=MODEL_ID uvicorn --app-dir examples --factory web_service:service

One session serves all calls. Each has the credentials of whoever makes it, a deadline, and a place among so many at
once; it ends when its client goes away. docs/tutorials/web-service.md builds this file step by step, from an empty
folder, and docs/how-to/deploying.md says how to run it in earnest.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Self

import orjson
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aiomlcommons import BearerAuth, Session
from aiomlcommons.errors import (
    Forbidden,
    InvalidRequest,
    MLCommonsError,
    ModelNotReady,
    NoCredentials,
    RequestTimeout,
    Unauthorized,
)
from aiomlcommons.queries import knn

log = logging.getLogger("web_service")


# ---- one session -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """What the service is told when it starts: the id of a deployed model, an index with vectors of it, and limits."""

    model: str
    index: str = "docs"
    at_once: int = 100
    deadline: float = 10.0

    @classmethod
    def from_env(cls) -> Self:
        env = os.environ
        if "MODEL" not in env:
            raise ValueError("MODEL is not set: it is the id of a deployed model")
        return cls(
            model=env["MODEL"],
            index=env.get("INDEX", "docs"),
            at_once=int(env.get("AT_ONCE", "100")),
            deadline=float(env.get("DEADLINE", "10")),
        )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Open the session before the first request, and close it after the last one."""
    settings: Settings = app.state.settings
    # A connection for each of the calls at once, so that none waits for another one's, and some for health checks: a
    # service that has all hands full is not ill.
    async with Session.from_env(pool_size=settings.at_once + 10) as ml:
        yield {"ml": ml, "settings": settings}  # every request has them as request.state.ml and request.state.settings


api = APIRouter()


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """Return an error as JSON, in the form of RFC 9457."""
    body = orjson.dumps({"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more})
    return Response(body, status, headers, media_type="application/problem+json")


# ---- whether it is well ----------------------------------------------------------------------------------------------


@api.get("/health/live")
async def live() -> dict[str, str]:
    """Return that the process runs. A cluster that is down is no reason to restart it."""
    return {"status": "ok"}


@api.get("/health/ready")
async def ready(request: Request) -> Response:
    """Return whether the cluster responds to this process, so that it should get calls."""
    ml: Session = request.state.ml
    try:
        responds = await ml.options(timeout=2).ping()
    except (Unauthorized, NoCredentials):
        responds = True  # the credentials are those of each call
    if not responds:
        return problem(503, "the cluster does not respond", {"retry-after": "1"})
    return Response(orjson.dumps({"status": "ok"}), media_type="application/json")


# ---- whose call it is ------------------------------------------------------------------------------------------------


async def as_user(
    request: Request,
    basic: Annotated[HTTPBasicCredentials | None, Depends(HTTPBasic(auto_error=False))],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> Session:
    """Return the session as the user who asks: a view over the same connections, with that user's credentials."""
    ml: Session = request.state.ml
    try:
        if basic is not None:
            return ml.options(auth=(basic.username, basic.password))
        if bearer is not None:
            return ml.options(auth=BearerAuth(bearer.credentials))
    except ValueError:
        pass  # such as a token that no header can hold
    raise HTTPException(401, "name a user of the cluster, by HTTP basic or bearer authentication", CHALLENGE)


async def settings_of(request: Request) -> Settings:
    settings: Settings = request.state.settings
    return settings


CHALLENGE = {"www-authenticate": "Basic, Bearer"}
AsUser = Annotated[Session, Depends(as_user)]
OfService = Annotated[Settings, Depends(settings_of)]


# ---- what it does ----------------------------------------------------------------------------------------------------

Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class Texts(BaseModel):
    texts: Annotated[list[Text], Field(min_length=1, max_length=64)]  # one request to the model


class Vectors(BaseModel):
    vectors: list[list[float]]


class Question(BaseModel):
    text: Text
    size: Annotated[int, Field(ge=1, le=100)] = 5


class Hit(BaseModel):
    id: str
    score: float | None
    text: str


@api.post("/embed", response_model=Vectors)
async def embed(asked: Texts, ml: AsUser, settings: OfService) -> Response:
    vectors = await ml.embed_many(settings.model, asked.texts)
    # As it is: thousands of numbers would take pydantic longer than the whole call.
    body = orjson.dumps({"vectors": vectors}, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, media_type="application/json")


@api.post("/search")
async def search(asked: Question, ml: AsUser, settings: OfService) -> list[Hit]:
    vector = await ml.embed_one(settings.model, asked.text)
    nearest = knn("embedding", vector, k=asked.size)
    hits = await ml.search(settings.index, nearest, size=asked.size, source=["text"])
    return [Hit(id=hit.id, score=hit.score, text=hit.source["text"]) for hit in hits]


# ---- what it says when it cannot -------------------------------------------------------------------------------------


def verdict(error: MLCommonsError) -> tuple[int, str]:
    """Return status and words for an error of the cluster, whose own words and address stay in the log."""
    trouble = getattr(error, "trouble", None)
    is_users = trouble is None or trouble.party != "provider"  # else it is the connector's credential that is refused
    if isinstance(error, InvalidRequest):
        return 422, str(error)
    if trouble is not None and trouble.is_texts_fault:
        return 422, "the model refuses a text: it is too long, or its content is not allowed"
    if isinstance(error, Unauthorized) and is_users:
        return 401, "the cluster does not accept these credentials"
    if isinstance(error, Forbidden) and is_users:
        return 403, "this user lacks a permission in the cluster"
    if isinstance(error, RequestTimeout):
        return 504, "the cluster did not respond in time"
    if error.transient or isinstance(error, ModelNotReady):
        return 503, "the cluster is busy or starting; try again later"
    return 502, "the cluster cannot do this; who runs this service finds out why by the id"


async def cluster_failed(request: Request, error: MLCommonsError) -> Response:
    status, detail = verdict(error)
    log.warning("%s %s: %d: %s: %s", request.method, request.scope["path"], status, type(error).__name__, error)
    headers = dict(CHALLENGE) if status == 401 else {}
    if status == 503:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after or 0)))
    # The logs of the cluster have the same id.
    return problem(status, detail, headers, **({"id": error.opaque_id} if error.opaque_id else {}))


async def not_valid(_: Request, error: RequestValidationError) -> Response:
    found = [f"{'.'.join(map(str, one['loc'][1:])) or 'the body'}: {one['msg']}" for one in error.errors()]
    return problem(422, "; ".join(found))


async def refused(_: Request, error: AnyHTTPException) -> Response:
    return problem(error.status_code, error.detail, dict(error.headers or {}))


async def broken(_request: Request, _: Exception) -> Response:
    return problem(500, "a defect of this service, which is in its log")  # Starlette raises it once more, for the log


PROBLEMS: dict[int | type[Exception], Any] = {
    MLCommonsError: cluster_failed,
    RequestValidationError: not_valid,
    AnyHTTPException: refused,
    Exception: broken,
}


# ---- what it can bear ------------------------------------------------------------------------------------------------


class Guard:
    """What each call passes: so many at once, each with a deadline, and none for a client that has gone.

    Deadline and departure count until a response begins; one that is streamed looks after itself.
    """

    def __init__(self, app: ASGIApp, at_once: int, deadline: float) -> None:
        self.app, self.at_once, self.deadline, self.busy = app, at_once, deadline, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/health/"):
            await self.app(scope, receive, send)
        elif self.busy >= self.at_once:
            # At once, while the others go on as fast as before: whoever waited here would be late in any case.
            full = problem(503, f"{self.busy} calls are under way; try again later", {"retry-after": "1"})
            await full(scope, receive, send)
        else:
            self.busy += 1
            with ExitStack() as place:
                place.callback(self._leave)
                await self._answer(scope, receive, send, place)

    def _leave(self) -> None:
        self.busy -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send, place: ExitStack) -> None:
        begun = asyncio.Event()
        heard: asyncio.Queue[Message] = asyncio.Queue(1)

        async def say(message: Message) -> None:
            begun.set()
            if message["type"] == "http.response.body" and not message.get("more_body"):
                place.close()  # before its last bytes: whoever has them may call again at once
            await send(message)

        async def hear() -> None:
            """Pass on what the client sends, until it goes away."""
            kind = ""
            while kind != "http.disconnect":
                await heard.put(message := await receive())
                kind = message["type"]

        work = asyncio.ensure_future(self.app(scope, heard.get, say))
        gone = asyncio.create_task(hear())
        try:
            await asyncio.wait({work, gone}, timeout=self.deadline, return_when=asyncio.FIRST_COMPLETED)
            is_over = not work.done() and not begun.is_set()
            if not is_over:
                await work
        finally:
            # Whatever ends a call ends its request to the cluster, whose connection is free for the next one then.
            has_gone = gone.done()
            work.cancel()
            gone.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)
        if is_over and not has_gone:
            await problem(504, f"not done within {self.deadline:g} s")(scope, receive, send)


# ---- all of it -------------------------------------------------------------------------------------------------------


def service(settings: Settings | None = None) -> FastAPI:
    """Return the service, with settings of the environment unless others are given."""
    settings = settings or Settings.from_env()
    app = FastAPI(title="Texts to vectors", lifespan=lifespan, exception_handlers=PROBLEMS)
    app.state.settings = settings
    app.include_router(api)
    app.add_middleware(Guard, at_once=settings.at_once, deadline=settings.deadline)
    return app
