"""Writes under conditions: how they are sent, and what a conflict counts as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pytest

from aiomlcommons import Session
from aiomlcommons.ingest.sinks.conditional import Conditional, ConditionalSink, ConditionalWrites, Write
from aiomlcommons.ingest.types import Documents
from tests.support.recording_server import Server, reply, serve

pytestmark = pytest.mark.asyncio
TAKEN = {"_id": "a", "status": 201}
# As a real 3.8 answered.
CONFLICT = {"type": "version_conflict_engine_exception", "reason": "[a]: version conflict, required seqNo [0], ..."}
MISSING = {"type": "document_missing_exception", "reason": "[a]: document missing"}


def items(*results: tuple[str, Mapping[str, Any]]) -> Any:
    """Return the answer to a request."""
    answers = [{op: {"_id": "abcdefg"[n], **result}} for n, (op, result) in enumerate(results)]
    return {"took": 1, "errors": any("error" in one for _, one in results), "items": answers}


def sent(server: Server) -> list[Any]:
    """Return the lines of the last request."""
    body = server.heard[-1].body
    return [orjson.loads(line) for line in body.splitlines()]


async def test_each_action_has_its_line_and_its_condition() -> None:
    answer = items(*((op, TAKEN) for op in ("index", "create", "index", "update", "delete")))
    async with serve(reply(answer)) as server, Session(server.url) as ml:
        writes = ConditionalWrites(ml, "i", pipeline="_none", stall_timeout=5)
        on: Any = {"seq_no": 4, "primary_term": 2}
        rows = [
            Conditional({"t": 1}, Write(op="index", id="a", version=9, routing="r")),
            Conditional({"t": 2}, Write(op="create", id="b")),
            Conditional({}, Write(op="index", id="c", **on)),
            Conditional({"t": 4}, Write(op="update", id="d", **on)),
            Conditional({}, Write(op="delete", id="e", **on)),
        ]
        assert await writes.put(rows) == []
        condition = {"if_seq_no": 4, "if_primary_term": 2}
        assert sent(server) == [
            {"index": {"_id": "a", "routing": "r", "version": 9, "version_type": "external_gte"}},
            {"t": 1},
            {"create": {"_id": "b"}},
            {"t": 2},
            {"index": {"_id": "c", **condition}},
            {},
            {"update": {"_id": "d", **condition}},
            {"doc": {"t": 4}},
            {"delete": {"_id": "e", **condition}},
        ]
        assert server.heard[-1].path.endswith("/i/_bulk?pipeline=_none")


async def test_a_conflict_is_no_failure_and_not_tried_again_and_all_else_is_as_ever() -> None:
    busy = {"status": 429, "error": {"type": "opensearch_rejected_execution_exception", "reason": "full"}}
    bad = {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "no number"}}
    ops = ("index", "update", "delete", "delete", "index", "create")
    rows = [Conditional({}, Write(op=op, id="abcdef"[n])) for n, op in enumerate(ops)]  # type: ignore[arg-type]
    first = items(
        ("index", {"status": 409, "error": CONFLICT}),
        ("update", {"status": 404, "error": MISSING}),
        ("delete", {"status": 404, "result": "not_found"}),
        ("delete", busy),
        ("index", bad),
        ("create", {"status": 409, "error": CONFLICT}),
    )
    again = {"took": 1, "errors": False, "items": [{"delete": {"_id": "d", "status": 200}}]}
    async with serve(reply(first), reply(again)) as server, Session(server.url) as ml:
        writes = ConditionalWrites(ml, "i", pipeline=None, stall_timeout=5)
        refused = await writes.put(rows)
        assert sorted(writes.superseded) == ["a", "b", "c", "f"]
        assert [(one.index, "mapper_parsing_exception" in one.why) for one in refused] == [(4, True)]
        assert sent(server) == [{"delete": {"_id": "d"}}], "only what a full queue refused is sent again"


async def test_a_sink_takes_rows_that_say_how_they_are_written_and_no_others() -> None:
    async with serve() as server, Session(server.url) as ml:
        sink = ConditionalSink(ml, "i", field="v", besides=lambda text: {"of": text.upper()})
        vectors, row = np.ones((1, 2), "f4"), Conditional({"n": 1}, Write(op="update", id="a"))
        made, refused = sink._made(Documents(["a"], [row], ["t"], vectors))
        assert (made.body, refused) == (b'{"update":{"_id":"a"}}\n{"doc":{"of":"T","v":[1.0,1.0]}}\n', [])
        with pytest.raises(TypeError, match="takes Conditional rows, not dict"):
            sink._made(Documents(["a"], [{"n": 1}], ["t"], vectors))
