"""The session itself, its helpers and its pipeline: every call has its answer's type."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Unpack, assert_type

import numpy as np
import numpy.typing as npt

from aiomlcommons import (
    NULL,
    BasicAuth,
    BearerAuth,
    Hedge,
    HttpRequest,
    HttpResponse,
    NodeState,
    NotFound,
    Ranked,
    Secret,
    Session,
    SessionOptions,
    Task,
    Timeout,
    TooManyRequests,
)
from aiomlcommons.api.common import Hits
from aiomlcommons.api.model_records import Model, NodeUndeployed
from aiomlcommons.api.models import DeployModel, GetModel, SearchModels, UndeployModel
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.api.tasks import TaskInfo, TaskStarted
from aiomlcommons.inference.embed import Embedded
from aiomlcommons.inference.predictions import Highlight
from aiomlcommons.lifecycle.methods import ModelLife
from aiomlcommons.wire.version import Version


async def life() -> None:
    assert_type(await Session.connect("https://h", auth=("u", "p"), timeout=5), Session)
    assert_type(Session.from_env(), Session)
    async with Session("https://h", auth=BasicAuth("u", Secret("p")), timeout=Timeout(read=1)) as ml:
        assert_type(ml, Session)
    Session("https://h", auth=BearerAuth(lambda: "token"), timeout=None, client_key_password=Secret("p"))
    Session("https://h", ssl_context=ssl.create_default_context(), proxy="http://p:3128", tenant_id="acme")
    Session(["https://a", "https://b"], discover=60, hedge=Hedge(after=0.2, cap=0.1))
    Session("https://h", discover=True, hedge=0.2)
    Session("https://h", fingerprint="ab" * 32, client_cert=Path("me.pem"), trust_env=True)


async def passed_on(**options: Unpack[SessionOptions]) -> None:
    Session("https://h", **options)
    assert_type(await Session.connect("https://h", **options), Session)
    assert_type(Session.from_env({}, **options), Session)


async def function(request: HttpRequest, timeout: Timeout) -> HttpResponse:
    return HttpResponse(200, b"{}", {}, request)


async def calls(ml: Session) -> None:
    assert_type(ml.options(timeout=5, retries=0, headers={}, opaque_id="x"), Session)
    assert_type(await ml.options(retries=0).models.get("m"), Model)
    assert_type(ml.options(hedge=1), Session)
    assert_type(await ml.ping(), bool)
    assert_type(ml.nodes, tuple[NodeState, ...])
    assert_type(ml.models, ModelLife)
    assert_type(await ml.send(GetModel("m")), Model)
    assert_type(await ml.send(SearchModels()), Hits[Model])
    assert_type(await ml.send(UndeployModel("m")), dict[str, NodeUndeployed])
    assert_type(await ml.raw(GetModel("m"), accept="application/cbor"), HttpResponse)
    assert_type(await ml.request("GET", "/_cat/nodes", query={"format": "json"}, body={"a": 1}), HttpResponse)
    assert_type(await ml.version(), Version | None)
    # Editors show a call as what its request takes and its answer is.
    get: Callable[[str], Coroutine[Any, Any, Model]] = ml.models.get
    assert_type(await get("m"), Model)
    Session(transport=function)


async def waiting(ml: Session) -> None:
    started = await ml.models.deploy("m")
    assert_type(started, TaskStarted)
    assert_type(ml.task(started), Task)
    assert_type(await ml.task(started), TaskInfo)
    assert_type(await ml.task("id", stall_timeout=5), TaskInfo)
    async for info in ml.task("id"):
        assert_type(info, TaskInfo)


async def inference(ml: Session) -> None:
    assert_type(await ml.embed_one("m", "text", content_type="query"), npt.NDArray[Any])
    assert_type(await ml.embed_many("m", ["text"]), npt.NDArray[Any])
    assert_type(await ml.embed_many("m", (text for text in ["text"]), batch=None, concurrency=2), npt.NDArray[Any])
    assert_type(await ml.rerank("m", "query", ["text"]), npt.NDArray[Any])
    assert_type(await ml.rerank("m", "query", ["text"], top_n=3), list[Ranked])
    for index, score in await ml.rerank("m", "query", ["text"], top_n=3):
        assert_type(index, int)
        assert_type(score, float)
    assert_type(await ml.sparse("m", ("text",), sparse_embedding_format="TOKEN_ID"), list[dict[str, float]])
    assert_type(await ml.highlight("m", "question", "context"), list[Highlight])
    assert_type(await ml.answer("m", "question", "context"), str)
    vectors: np.ndarray[Any, Any] = await ml.embed_many("m", ["text"])
    assert vectors.size


async def streaming(ml: Session, rows: AsyncIterator[Mapping[str, str]]) -> None:
    async with ml.embed("m", ["a", "b"], ordered=False) as embedded:
        assert_type(embedded, Embedded[str])
        async for row, vector in embedded:
            assert_type(row, str)
            assert_type(vector, npt.NDArray[Any])
    async with ml.embed("m", rows, text=lambda row: row["title"]) as titled:
        async for batch in titled.batches():
            assert_type(batch.rows, list[Mapping[str, str]])


async def settings(ml: Session) -> None:
    wanted = MLSettings(only_run_on_ml_node=False, max_ml_task_per_node=NULL)
    assert_type(await ml.settings.apply(wanted, transient=True), MLSettings)
    assert_type(await ml.settings.allow_first_model(), MLSettings)
    assert_type(await ml.settings.read(defaults=False), MLSettings)


async def errors(ml: Session) -> None:
    try:
        await ml.models.get("m")
    except TooManyRequests as error:
        assert_type(error.retry_after, float | None)
    except NotFound as error:
        assert_type(error.request, HttpRequest)
        assert_type(error.status, int)


async def what_the_type_checkers_refuse(ml: Session) -> None:
    await ml.embed_one("m", 5)  # type: ignore[arg-type]
    await ml.embed_many("m", [1])  # type: ignore[list-item]
    await ml.embed_many("m", ["a"], content_type="nope")  # type: ignore[arg-type]
    await ml.sparse("m", ["a"], sparse_embedding_format="nope")  # type: ignore[arg-type]
    await ml.task(5)  # type: ignore[arg-type]
    await ml.send("nope")  # type: ignore[arg-type]
    await ml.send(GetModel())  # type: ignore[call-arg]
    await ml.send(DeployModel("m", ["n"]))  # type: ignore[call-arg]
    await ml.settings.apply({"only_run_on_ml_node": False})  # type: ignore[arg-type]
    ml.options(retries="3")  # type: ignore[arg-type]
    ml.options(nope=1)  # type: ignore[call-arg]
    ml.nope()  # type: ignore[attr-defined]
    MLSettings(only_run_on_ml_node="yes")  # type: ignore[arg-type]
    MLSettings(nope=True)  # type: ignore[call-arg]
    GetModel("m").model_id = "other"  # type: ignore[misc]
    Session(auth="admin:password")  # type: ignore[arg-type]
    Session(transport=5)  # type: ignore[arg-type]
    Session(fingerprint=b"ab")  # type: ignore[arg-type]
    Session(discover="yes")  # type: ignore[arg-type]
    Session(hedge="soon")  # type: ignore[arg-type]
    Session(tiemout=5)  # type: ignore[call-arg]
    await Session.connect(tiemout=5)  # type: ignore[call-arg]
    await Session.connect(timeout="5")  # type: ignore[arg-type]
    Session.from_env(tiemout=5)  # type: ignore[call-arg]
    Session.from_env(retries=None)  # type: ignore[arg-type]
    await ml.embed("m", ["a"])  # type: ignore[misc]
    await ml.rerank("m", "query", ["text"], top_n="3")  # type: ignore[call-overload]
    async for _ in ml.embed("m", ["a"]):  # type: ignore[attr-defined]
        pass
    with ml:  # type: ignore[attr-defined]
        pass
    wrong: TaskStarted = await ml.models.get("m")  # type: ignore[assignment]
    assert wrong
