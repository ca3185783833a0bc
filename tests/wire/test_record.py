"""What is recorded is what was sent and answered, in the form that recordings are read in."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from aiomlcommons import ENDPOINTS, Session, emulator
from aiomlcommons.http import JSON
from aiomlcommons.wire.routes import Router
from tests.wire.record import main, record
from tests.wire.recordings import exchanges
from tests.wire.replay import replay

pytestmark = pytest.mark.asyncio


async def test_recorded_exchanges_pass_the_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with emulator.serve() as url:
        monkeypatch.setenv("OPENSEARCH_URL", url)
        await main(["groups.register", "POST", "/_plugins/_ml/model_groups/_register", '{"name": "g"}'])
        await main(["models.missing", "GET", "/_plugins/_ml/models/nope"])
    file = tmp_path / "recorded.jsonl"
    file.write_text(capsys.readouterr().out)
    registered, missing = exchanges([file])
    assert (registered.case, registered.response.status) == ("groups.register", 200)
    assert registered.request.body == b'{"name":"g"}'
    assert registered.response.json()["status"] == "CREATED"
    assert (missing.request.method, missing.response.status, missing.request.body) == ("GET", 404, None)
    for exchange in (registered, missing):
        assert exchange.response.content_type == JSON
        replay(exchange, Router(ENDPOINTS))


async def test_a_body_that_is_no_json_is_recorded_as_bytes(tmp_path: Path) -> None:
    async with emulator.serve(username="admin", password="right") as url, Session(url) as ml:
        row = await record(ml, "nobody", "GET", "/_plugins/_ml/models/m")
    (tmp_path / "recorded.jsonl").write_bytes(orjson.dumps(row))
    (exchange,) = exchanges([tmp_path / "recorded.jsonl"])
    assert (exchange.response.status, exchange.response.text) == (401, "Unauthorized")


async def test_lines_of_a_bulk_request_are_recorded_as_text(tmp_path: Path) -> None:
    body = b'{"index":{"_id":"a"}}\n{"n":1}\n'
    async with emulator.serve() as url, Session(url) as ml:
        rows = [await record(ml, "bulk", "POST", "/docs/_bulk", body), await record(ml, "head", "HEAD", "/docs")]
    (tmp_path / "recorded.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    written, head = exchanges([tmp_path / "recorded.jsonl"])
    assert written.request.body == body
    assert written.request.headers["content-type"] == "application/x-ndjson"
    assert written.response.json()["items"][0]["index"]["status"] == 201
    assert (head.request.method, head.response.status, head.response.body) == ("HEAD", 200, b"")
