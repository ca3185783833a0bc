"""Model groups by name, under concurrent registration by other clients."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from aiomlcommons import Backoff, Conflict, Forbidden, HttpRequest, HttpResponse, Session
from aiomlcommons.lifecycle._candidates import Candidates
from aiomlcommons.lifecycle.groups import EnsureGroup, delete_if_empty
from aiomlcommons.lifecycle.spec import GroupSpec, RemoteModel
from aiomlcommons.net.transport import Timeout

pytestmark = pytest.mark.asyncio
NOTHING = {
    "took": 1,
    "timed_out": False,
    "_shards": {"total": 1, "successful": 1, "failed": 0},
    "hits": {"total": {"value": 0, "relation": "eq"}, "max_score": None, "hits": []},
}
TAKEN = "The name you provided is already being used by a model group with ID: abc_1."


def error(status: int, kind: str, reason: str) -> tuple[int, Any]:
    cause = {"type": kind, "reason": reason}
    return status, {"error": {"root_cause": [cause], **cause}, "status": status}


def answering(answers: Mapping[str, tuple[int, Any]], asked: list[str] | None = None) -> Session:
    """A session whose server selects the response by the last segment of the path."""

    async def transport(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        what = f"{request.method} {request.path.rpartition('/')[2]}"
        if asked is not None:
            asked.append(what)
        status, body = answers[what]
        return HttpResponse(status, orjson.dumps(body), {"content-type": "application/json"}, request)

    return Session("http://host:9200", transport=transport, compat="3.4")


ANSWERS = {
    "GET ": error(403, "security_exception", "no permissions for [cluster:monitor/main]"),
    "POST _search": (200, NOTHING),
    "POST _register": error(400, "illegal_argument_exception", TAKEN),
    "GET abc_1": (200, {"name": "theirs"}),
}


async def test_a_group_that_somebody_registers_meanwhile_is_used() -> None:
    async with answering(ANSWERS) as ml:
        assert await EnsureGroup(ml, GroupSpec(name="theirs"))() == "abc_1"


async def test_a_group_that_the_user_may_not_use_says_so() -> None:
    no = error(403, "status_exception", "You don't have permission to access this model group.")
    async with answering({**ANSWERS, "GET abc_1": no}) as ml:
        with pytest.raises(Forbidden) as caught:
            await EnsureGroup(ml, GroupSpec(name="theirs"))()
    assert "exists and you have no access to it: choose another name" in caught.value.__notes__[0]


async def test_a_group_that_is_gone_already_is_deleted() -> None:
    answers = {**ANSWERS, "DELETE abc_1": error(404, "status_exception", "Failed to find model group")}
    async with answering(answers) as ml:
        assert await delete_if_empty(ml, "abc_1")


@pytest.mark.parametrize(
    ("reason", "deletes"),
    [
        ("Cannot delete the model group when it has associated model versions", 12),
        ("[abc_1]: version conflict, required seqNo [1], primary term [1]", 12),
        ("something else", 1),
    ],
)
async def test_a_group_that_cannot_be_deleted_is_tried_again_where_that_may_pass(reason: str, deletes: int) -> None:
    asked: list[str] = []
    answers = {**ANSWERS, "DELETE abc_1": error(409, "status_exception", reason)}
    async with answering(answers, asked) as ml:
        with pytest.raises(Conflict, match=re.escape(reason)):
            await delete_if_empty(ml, "abc_1", Backoff(first=0))
    assert asked.count("DELETE abc_1") == deletes


async def test_a_hit_without_a_source_is_no_candidate() -> None:
    bare = {"_index": ".plugins-ml-model", "_id": "bare", "_score": None, "sort": [0]}
    found = {**NOTHING, "hits": {"total": {"value": 1, "relation": "eq"}, "max_score": None, "hits": [bare]}}
    async with answering({**ANSWERS, "POST _search": (200, found)}) as ml:
        assert await Candidates(ml, RemoteModel(name="x", connector_id="c")).find() is None
