"""Polling of tasks, against recorded responses of real servers."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import attrs
import orjson
import pytest

from aiomlcommons import ApiError, Backoff, NotFound, ServerError, Session, SessionClosed, TaskFailed, TaskStalled
from aiomlcommons.api.tasks import TaskInfo, TaskStarted, TaskState
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.net.transport import Timeout
from tests.wire.recordings import HERE, exchanges

pytestmark = pytest.mark.asyncio

NO_WAIT = Backoff(first=0)
TODAY = {row.case: row.response for row in exchanges([HERE / "ml-commons-3.4.0.jsonl"])}
FAULTS = {row.case: row.response for row in exchanges([HERE / "ml-commons-3.4.0-faults.jsonl"])}
OLD = {row.case: row.response for row in exchanges([HERE / "ml-commons-2.4.1.jsonl"])}


@attrs.define
class Script:
    """A cluster that returns scripted responses in order, and fails the test if there is none left."""

    answers: list[HttpResponse]
    asked: list[HttpRequest] = attrs.field(factory=list)

    async def __call__(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        self.asked.append(request)
        return self.answers.pop(0)

    @property
    def paths(self) -> list[str]:
        return [request.path.removeprefix("/_plugins/_ml/tasks/") for request in self.asked]


def task(state: str, **fields: Any) -> HttpResponse:
    """A task as a server reports it."""
    return as_json({"task_type": "DEPLOY_MODEL", "model_id": "m", "state": state, **fields})


def as_json(body: Any) -> HttpResponse:
    return HttpResponse(200, orjson.dumps(body), {"content-type": "application/json"})


def hits(**tasks: Mapping[str, Any] | None) -> HttpResponse:
    """The response to a sorted search of tasks: sort keys in place of scores. None is a hit without a source."""
    hit = {"_index": ".plugins-ml-task", "_version": 1, "_seq_no": 1, "_primary_term": 1, "_score": None}
    found = [
        {**hit, "_id": name, "sort": [0], **({"_source": source} if source else {})} for name, source in tasks.items()
    ]
    return as_json({**OLD["tasks.search"].json(), "hits": {"max_score": None, "hits": found}})


@asynccontextmanager
async def cluster(*answers: HttpResponse) -> AsyncIterator[tuple[Session, Script]]:
    script = Script(list(answers))
    async with Session("http://cluster", transport=script) as ml:
        yield ml, script


# ---- the end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["COMPLETED", "COMPLETED_WITH_ERROR"])
async def test_awaiting_a_task_gives_its_end(state: str) -> None:
    async with cluster(task("CREATED"), task("RUNNING"), task(state)) as (ml, script):
        info = await ml.task("t", backoff=NO_WAIT)
    assert (info.state, info.model_id) == (TaskState(state), "m")
    assert script.paths == ["t", "t", "t"]


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "EXPIRED"])
async def test_an_end_without_success_is_an_error(state: str) -> None:
    async with cluster(task("RUNNING"), task(state)) as (ml, _):
        with pytest.raises(TaskFailed, match=f"DEPLOY_MODEL t ended {state}: the server gave no reason") as caught:
            await ml.task("t", backoff=NO_WAIT)
    assert caught.value.info.state == state


@pytest.mark.parametrize("state", ["CREATED", "RUNNING", "CANCELLING", "UNREACHABLE", "A_STATE_OF_TOMORROW"])
async def test_a_state_that_is_no_end_is_waited_out(state: str) -> None:
    async with cluster(task(state), task("COMPLETED")) as (ml, _):
        assert (await ml.task("t", backoff=NO_WAIT)).state == "COMPLETED"


async def test_a_task_is_named_by_the_answer_that_started_it() -> None:
    async with cluster(FAULTS["deploy_race.first"], FAULTS["deploy_race.first.task_completed"]) as (ml, script):
        started = await ml.models.deploy("TN9g_KEB-Y5IeSrTV6nA")
        info = await ml.task(started, backoff=NO_WAIT)
    assert isinstance(started, TaskStarted)
    assert info.worker_nodes == ["7CSdVeJvSs-FKZBrnzeivA"]
    assert script.paths[1] == "Td9g_KEB-Y5IeSrTaqno"


async def test_a_task_may_be_awaited_again() -> None:
    async with cluster(task("COMPLETED"), task("COMPLETED")) as (ml, script):
        job = ml.task("t")
        assert await job == await job
    assert script.paths == ["t", "t"]


async def test_a_missing_task_is_not_found() -> None:
    async with cluster(TODAY["tasks.get_missing"], OLD["tasks.get_missing"]) as (ml, _):
        for words in ("Failed to find task", "Fail to find task"):
            with pytest.raises(NotFound, match=words):
                await ml.task("nope")


async def test_a_session_that_is_not_open_cannot_wait() -> None:
    with pytest.raises(SessionClosed):
        await Session("http://cluster").task("t")


# ---- the changes ---------------------------------------------------------------------------------------------------


async def test_each_change_is_given_once() -> None:
    running = task("RUNNING", progress=0.5)
    script = [task("CREATED"), task("CREATED"), task("RUNNING"), running, running, task("COMPLETED")]
    async with cluster(*script) as (ml, _):
        seen = [(info.state, info.progress) async for info in ml.task("t", backoff=NO_WAIT)]
    assert seen == [("CREATED", None), ("RUNNING", None), ("RUNNING", 0.5), ("COMPLETED", None)]


async def test_the_changes_of_a_failing_task_end_with_the_failure() -> None:
    async with cluster(task("RUNNING"), task("FAILED", error="why")) as (ml, _):
        seen = [(info.state, info.error) async for info in ml.task("t", backoff=NO_WAIT)]
    assert seen == [("RUNNING", None), ("FAILED", "why")]


async def test_leaving_the_changes_early_stops_the_asking() -> None:
    async with cluster(task("CREATED"), task("RUNNING")) as (ml, script):
        async for info in ml.task("t", backoff=NO_WAIT):
            if info.state == "RUNNING":
                break
    assert script.paths == ["t", "t"]


# ---- servers of 2.4 ------------------------------------------------------------------------------------------------


async def test_an_old_upload_is_followed() -> None:
    created, done = OLD["models.upload_by_url.task_created"], OLD["models.upload_by_url.task_completed"]
    async with cluster(created, done) as (ml, _):
        info = await ml.task("0Lhq_KEBPrDHxKub-fJG", backoff=NO_WAIT)
    assert (info.task_type, info.model_id) == ("UPLOAD_MODEL", "0bhq_KEBPrDHxKub-vII")
    assert info.worker_node == "ziYZxLB2QNizN2gIo7FdAw"
    assert info.worker_nodes == ["ziYZxLB2QNizN2gIo7FdAw"]


async def test_an_old_load_is_followed() -> None:
    states = [OLD[f"models.load.task_{state}"] for state in ("created", "running", "completed")]
    async with cluster(*states) as (ml, _):
        seen = [(info.task_type, info.state) async for info in ml.task("t", backoff=NO_WAIT)]
    assert seen == [("LOAD_MODEL", "CREATED"), ("LOAD_MODEL", "RUNNING"), ("LOAD_MODEL", "COMPLETED")]


@pytest.mark.parametrize(
    ("given", "nodes"), [(None, []), ("a", ["a"]), ("a,b", ["a", "b"]), (["a", "b"], ["a", "b"]), ([], [])]
)
async def test_worker_nodes_are_a_list_whichever_form_the_server_gave(given: Any, nodes: list[str]) -> None:
    assert TaskInfo(worker_node=given).worker_nodes == nodes


# ---- failures ------------------------------------------------------------------------------------------------------


async def test_the_error_of_each_node_is_parsed() -> None:
    async with cluster(TODAY["deploy.partial.task_failed"]) as (ml, _):
        with pytest.raises(TaskFailed, match=r"DEPLOY_MODEL t ended FAILED: Failed to deploy model$") as caught:
            await ml.task("t")
    assert caught.value.node_errors == {"SwGNLyd4SIK4QQQoEschGA": "Failed to deploy model"}


async def test_an_error_in_plain_text_is_told_as_it_is() -> None:
    async with cluster(TODAY["models.register_pretrained.task_failed"]) as (ml, _):
        with pytest.raises(TaskFailed, match=r"REGISTER_MODEL t ended FAILED: artifacts\.opensearch\.org") as caught:
            await ml.task("t")
    assert caught.value.node_errors == {}


@pytest.mark.parametrize("error", [None, "", "[1]", '"text"', "{"])
async def test_what_is_no_object_of_nodes_has_no_node_errors(error: str | None) -> None:
    assert TaskInfo(error=error).node_errors == {}


async def test_a_task_of_no_type_fails_in_words_too() -> None:
    async with cluster(as_json({"state": "FAILED"})) as (ml, _):
        with pytest.raises(TaskFailed, match="task t ended FAILED: the server gave no reason"):
            await ml.task("t")


async def test_the_same_error_of_many_nodes_is_told_once() -> None:
    errors = orjson.dumps({"a": "no memory", "b": "no memory", "c": "no disk"}).decode()
    async with cluster(task("FAILED", error=errors)) as (ml, _):
        with pytest.raises(TaskFailed, match=r"ended FAILED: no memory; no disk$"):
            await ml.task("t")


async def test_a_partly_done_task_is_returned_with_its_errors() -> None:
    async with cluster(task("COMPLETED_WITH_ERROR", error='{"b": "no memory"}')) as (ml, _):
        assert (await ml.task("t")).node_errors == {"b": "no memory"}


@pytest.mark.parametrize(
    "make", [lambda info: TaskFailed("t", info), lambda info: TaskStalled("t", info, 5)], ids=["failed", "stalled"]
)
async def test_a_task_error_can_be_pickled(make: Callable[[TaskInfo], Exception]) -> None:
    error = make(TaskInfo(state="FAILED", error="why"))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


# ---- remote jobs ---------------------------------------------------------------------------------------------------


def offline(state: str, status: str = "in_progress", **fields: Any) -> HttpResponse:
    """A batch prediction as a server reports it."""
    job = {"id": "batch_1", "status": status}
    return as_json(
        {"task_type": "BATCH_PREDICTION", "function_name": "REMOTE", "remote_job": job, "state": state, **fields}
    )


def trouble(status: int, reason: str) -> HttpResponse:
    """The server's response if a provider fails."""
    error = {"type": "status_exception", "reason": reason}
    return attrs.evolve(as_json({"error": {"root_cause": [error], **error}, "status": status}), status=status)


BOOM = trouble(500, 'Error from remote service: {"error": {"message": "boom"}}')
BUSY = trouble(429, "Error from remote service: slow down")


async def test_a_remote_job_may_go_on_for_hours_without_a_change() -> None:
    script = [offline("RUNNING"), *(offline("RUNNING", last_update_time=n) for n in range(5)), offline("COMPLETED")]
    async with cluster(*script) as (ml, _):
        seen = [info.state async for info in ml.task("t", backoff=NO_WAIT, stall_timeout=0)]
    assert seen == ["RUNNING", "COMPLETED"]


async def test_what_the_provider_says_of_a_remote_job_is_a_change() -> None:
    script = [offline("RUNNING", "validating"), offline("RUNNING"), offline("CANCELLING", "cancelling")]
    async with cluster(*script, offline("CANCELLED", "cancelled")) as (ml, _):
        jobs = [info.remote_job or {} async for info in ml.task("t", backoff=NO_WAIT)]
    assert [job["status"] for job in jobs] == ["validating", "in_progress", "cancelling", "cancelled"]


async def test_trouble_of_the_provider_is_waited_out() -> None:
    script = [offline("RUNNING"), BOOM, BOOM, BUSY, offline("RUNNING"), BOOM, offline("COMPLETED")]
    async with cluster(*script) as (ml, _):
        info = await ml.options(retries=0).task("t", backoff=NO_WAIT)
    assert info.state == "COMPLETED"


async def test_a_provider_that_stays_away_ends_the_wait_with_its_words() -> None:
    async with cluster(offline("RUNNING"), BOOM) as (ml, script):
        with pytest.raises(ServerError, match="boom"):
            await ml.task("t", backoff=NO_WAIT, stall_timeout=0)
    assert script.answers == []


@pytest.mark.parametrize("error", [trouble(403, "no rights"), TODAY["tasks.get_missing"]])
async def test_what_does_not_pass_ends_the_wait_for_a_remote_job_at_once(error: HttpResponse) -> None:
    async with cluster(offline("RUNNING"), error) as (ml, _):
        with pytest.raises(ApiError, match=r"no rights|Failed to find task"):
            await ml.task("t", backoff=NO_WAIT)


async def test_trouble_of_the_server_is_not_waited_out_for_a_job_of_its_own() -> None:
    async with cluster(task("RUNNING"), BOOM) as (ml, _):
        with pytest.raises(ServerError, match="boom"):
            await ml.task("t", backoff=NO_WAIT)


FAILURES: list[Any] = [
    {"TransformJobStatus": "Failed", "FailureReason": "AlgorithmError: see the log"},
    {"status": "failed", "failed_at": 1.0, "errors": {"data": [{"code": "invalid_json_line"}]}, "error_file_id": None},
]


@pytest.mark.parametrize(("job", "words"), [(FAILURES[0], "see the log"), (FAILURES[1], "invalid_json_line")])
async def test_a_remote_job_fails_in_the_words_of_its_provider(job: Any, words: str) -> None:
    async with cluster(offline("FAILED", remote_job=job)) as (ml, _):
        with pytest.raises(TaskFailed, match=f"BATCH_PREDICTION t ended FAILED: its provider says .*{words}") as caught:
            await ml.task("t")
    assert "failed_at" not in str(caught.value)
    assert "error_file_id" not in str(caught.value)


async def test_a_job_is_cancelled_and_shown_as_it_stands() -> None:
    async with cluster(as_json({"status": "OK"}), offline("CANCELLING", "cancelling")) as (ml, script):
        info = await ml.task("t").cancel()
    assert (info.state, info.remote_job) == ("CANCELLING", {"id": "batch_1", "status": "cancelling"})
    assert [str(request) for request in script.asked] == [
        "POST /_plugins/_ml/tasks/t/_cancel",
        "GET /_plugins/_ml/tasks/t",
    ]


async def test_a_job_that_is_not_there_cannot_be_cancelled() -> None:
    async with cluster(TODAY["tasks.cancel_missing"]) as (ml, _):
        with pytest.raises(NotFound, match="Fail to find task"):
            await ml.task("nope").cancel()


# ---- no progress ---------------------------------------------------------------------------------------------------


async def test_a_task_that_stops_changing_is_stalled() -> None:
    async with cluster(task("CREATED"), task("RUNNING"), task("RUNNING")) as (ml, _):
        with pytest.raises(TaskStalled, match="DEPLOY_MODEL t is still RUNNING and has not changed for 0 s") as caught:
            await ml.task("t", backoff=NO_WAIT, stall_timeout=0)
    assert caught.value.info.state == "RUNNING"
    assert "start the job again" in str(caught.value)


NOWHERE, THERE = as_json({"nodes": {}}), as_json({"nodes": {"n": {"tasks": {"t": {"state": "RUNNING"}}}}})


async def test_a_task_that_ends_between_the_looks_at_it_and_at_the_nodes_is_not_stalled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A starved server writes the end to the record long after the node has let go of the task."""
    monkeypatch.setattr("aiomlcommons.waiting.task.LAG", 0.0)
    same = task("CREATED")
    async with cluster(same, same, NOWHERE, same, THERE, same, NOWHERE, task("COMPLETED")) as (ml, _):
        assert (await ml.task("t", backoff=NO_WAIT)).state == "COMPLETED"


async def test_a_task_that_no_node_lists_for_a_while_is_stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomlcommons.waiting.task.LAG", 0.0)
    async with cluster(*[task("CREATED")] * 2, NOWHERE, task("CREATED"), NOWHERE) as (ml, _):
        with pytest.raises(TaskStalled, match="still CREATED"):
            await ml.task("t", backoff=NO_WAIT)


async def test_a_task_that_changes_is_not_stalled() -> None:
    steps = [task("RUNNING", progress=n / 4) for n in range(4)]
    async with cluster(*steps, task("COMPLETED")) as (ml, _):
        await ml.task("t", backoff=NO_WAIT, stall_timeout=0)


# ---- waiting -------------------------------------------------------------------------------------------------------


async def test_cancelling_the_wait_stops_the_asking_not_the_job() -> None:
    asked: list[str] = []
    begun = asyncio.Event()

    async def running(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        asked.append(str(request))
        begun.set()
        return task("RUNNING")

    async with Session("http://cluster", transport=running) as ml:

        async def wait() -> TaskInfo:
            return await ml.task("t", backoff=Backoff(first=60))

        waiting = asyncio.ensure_future(wait())
        await begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert asked == ["GET /_plugins/_ml/tasks/t"]


async def test_a_limit_of_the_caller_ends_the_wait() -> None:
    async with cluster(task("RUNNING")) as (ml, script):
        with pytest.raises(TimeoutError), anyio.fail_after(0.01):
            await ml.task("t", backoff=Backoff(first=60))
    assert script.paths == ["t"]


async def test_a_task_that_nodes_do_not_keep_in_mind_is_not_looked_for_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomlcommons.waiting.task.LAG", 0.0)
    running = task("RUNNING", task_type="TRAINING")
    async with cluster(running, running, task("COMPLETED", task_type="TRAINING")) as (ml, script):
        await ml.task("t", backoff=NO_WAIT)
    assert script.paths == ["t", "t", "t"]


# ---- duplicates ----------------------------------------------------------------------------------------------------

FIRST, SECOND = "Td9g_KEB-Y5IeSrTaqno", "Tt9g_KEB-Y5IeSrTaqn-"
DUPLICATE = FAULTS["deploy_race.second.task_failed"]
RUNNING, COMPLETED = FAULTS["deploy_race.first.task_running"], FAULTS["deploy_race.first.task_completed"]
LAST_WEEK = {**COMPLETED.json(), "create_time": 1794630000000, "last_update_time": 1794630002000}


async def test_a_duplicate_deployment_is_followed_to_the_other() -> None:
    found = hits(**{SECOND: DUPLICATE.json(), FIRST: RUNNING.json()})
    async with cluster(DUPLICATE, found, RUNNING, COMPLETED) as (ml, script):
        info = await ml.task(SECOND, backoff=NO_WAIT)
    assert info.state == "COMPLETED"
    assert script.paths == [SECOND, "_search", FIRST, FIRST]
    search = orjson.loads(script.asked[1].body or b"")
    assert search["sort"] == [{"create_time": "desc"}]
    assert search["query"] == {"bool": {"filter": [{"term": {"model_id": "TN9g_KEB-Y5IeSrTV6nA"}}]}}


async def test_the_other_is_looked_for_until_the_search_sees_it() -> None:
    another = {**DUPLICATE.json(), "create_time": 1795235539715}
    register = {**COMPLETED.json(), "task_type": "REGISTER_MODEL"}
    not_yet = hits(**{SECOND: DUPLICATE.json(), "third": another, "register": register, "last-week": LAST_WEEK})
    found = hits(**{SECOND: DUPLICATE.json(), "last-week": LAST_WEEK, FIRST: COMPLETED.json()})
    async with cluster(DUPLICATE, hits(), not_yet, found, COMPLETED) as (ml, script):
        info = await ml.task(SECOND, backoff=NO_WAIT)
    assert info.state == "COMPLETED"
    assert script.paths == [SECOND, "_search", "_search", "_search", FIRST]


async def test_another_that_has_long_been_under_way_is_the_one() -> None:
    slow = {**RUNNING.json(), "create_time": 1795235500000, "last_update_time": 1795235500100}
    async with cluster(DUPLICATE, hits(**{FIRST: slow}), COMPLETED) as (ml, script):
        await ml.task(SECOND, backoff=NO_WAIT)
    assert script.paths == [SECOND, "_search", FIRST]


async def test_the_search_may_show_our_own_task_as_it_was() -> None:
    before = {**DUPLICATE.json(), "state": "CREATED", "error": None}
    async with cluster(DUPLICATE, hits(**{SECOND: before, FIRST: RUNNING.json()}), COMPLETED) as (ml, script):
        await ml.task(SECOND, backoff=NO_WAIT)
    assert script.paths == [SECOND, "_search", FIRST]


async def test_the_others_failure_is_ours() -> None:
    failed = task("FAILED", error='{"n": "no memory"}')
    async with cluster(DUPLICATE, hits(**{FIRST: RUNNING.json()}), failed) as (ml, _):
        with pytest.raises(TaskFailed, match=f"DEPLOY_MODEL {FIRST} ended FAILED: no memory"):
            await ml.task(SECOND, backoff=NO_WAIT)


async def test_a_duplicate_without_another_fails_after_a_few_looks() -> None:
    async with cluster(DUPLICATE, *[hits(**{"last-week": LAST_WEEK})] * 8) as (ml, script):
        with pytest.raises(TaskFailed, match="Duplicate deploy model task"):
            await ml.task(SECOND, backoff=NO_WAIT)
    assert script.paths == [SECOND, *["_search"] * 8]


# What a cluster of three real nodes says (3.8): the other deployment was under way on two of them.
_DUPLICATE = "Duplicate deploy model task"
_LOST = orjson.dumps({"bbzNgKV2Tm2yR628mNkEbQ": _DUPLICATE, "0wSsmrSjQJ--w3d8mBJ9MQ": _DUPLICATE}).decode()
PARTLY = {**DUPLICATE.json(), "state": "COMPLETED_WITH_ERROR", "error": _LOST}


async def test_a_deployment_that_is_a_duplicate_on_some_nodes_is_followed_to_the_other() -> None:
    found = hits(**{SECOND: PARTLY, FIRST: RUNNING.json()})
    async with cluster(as_json(PARTLY), found, RUNNING, COMPLETED) as (ml, script):
        info = await ml.task(SECOND, backoff=NO_WAIT)
    assert info.state == "COMPLETED"
    assert script.paths == [SECOND, "_search", FIRST, FIRST]


async def test_two_that_are_duplicates_of_each_other_have_both_succeeded() -> None:
    async with cluster(as_json(PARTLY), hits(**{SECOND: PARTLY, FIRST: PARTLY})) as (ml, script):
        info = await ml.task(SECOND, backoff=NO_WAIT)
    assert info.state == "COMPLETED_WITH_ERROR"
    assert script.paths == [SECOND, "_search"]


async def test_a_node_that_failed_otherwise_is_told_of() -> None:
    other = {**PARTLY, "error": '{"a": "Duplicate deploy model task", "b": "no memory"}'}
    async with cluster(as_json(other)) as (ml, script):
        assert (await ml.task(SECOND, backoff=NO_WAIT)).node_errors["b"] == "no memory"
    assert script.paths == [SECOND]


async def test_a_hit_without_a_source_is_passed_over() -> None:
    async with cluster(DUPLICATE, hits(bare=None), hits(**{FIRST: RUNNING.json()}), COMPLETED) as (ml, _):
        assert (await ml.task(SECOND, backoff=NO_WAIT)).state == "COMPLETED"


async def test_what_is_no_task_is_refused_with_the_remedy() -> None:
    async def started() -> str:
        return "t"

    ml = Session("http://node:9200")
    coroutine: Any = started()
    with pytest.raises(TypeError, match=r"a response that has one, not coroutine: await it first$"):
        ml.task(coroutine)
    assert await coroutine == "t"
    for wrong in (None, 5, object()):
        with pytest.raises(TypeError, match=f"a response that has one, not {type(wrong).__name__}$"):
            ml.task(wrong)  # type: ignore[arg-type]
