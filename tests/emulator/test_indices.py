"""Indices of users in the emulator: what a real cluster does not do on request, and what the emulator leaves out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import aiohttp
import cbor2
import orjson
import pytest

from aiomlcommons import ApiError, ServerError, Session
from aiomlcommons.emulator import AT_ONCE, Cluster, Emulator
from aiomlcommons.http import CBOR
from aiomlcommons.ingest import IndexSource
from aiomlcommons.ingest.types import BadRow
from tests.support.emulated_models import NOW

pytestmark = pytest.mark.asyncio
LINES = {"content-type": "application/x-ndjson"}
EVERYTHING: dict[str, Any] = {"query": {"match_all": {}}}


async def write(ml: Session, index: str, *ids: str, **query: str) -> None:
    """Write documents, without a refresh unless the query asks for one."""
    rows = [line for key in ids for line in ({"index": {"_id": key}}, {"text": f"text of {key}"})]
    body = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    await ml.request("POST", f"/{index}/_bulk", query=query, body=body, headers=LINES)


def mapped(dimension: int) -> dict[str, Any]:
    return {"mappings": {"properties": {"v": {"type": "knn_vector", "dimension": dimension}}}}


async def seen(ml: Session, index: str = "docs", **body: Any) -> list[str]:
    """Return the ids that a search finds."""
    found = (await ml.request("POST", f"/{index}/_search", body={**EVERYTHING, **body}, repeatable=True)).json()
    return [hit["_id"] for hit in found["hits"]["hits"]]


async def test_searches_lag_behind_writes_until_a_refresh(ml: Session) -> None:
    await write(ml, "docs", "a", refresh="true")
    await write(ml, "docs", "b")
    await ml.request("DELETE", "/docs/_doc/a")
    assert [await seen(ml) for _ in range(3)] == [["a"], ["a"], ["b"]]
    await write(ml, "docs", "c")
    await ml.request("POST", "/docs/_refresh")
    assert await seen(ml) == ["b", "c"]


async def test_an_emulator_without_delay_shows_writes_at_once() -> None:
    async with Emulator(refresh=AT_ONCE).serve() as url, Session(url) as ml:
        await write(ml, "docs", "a")
        assert await seen(ml) == ["a"]


async def test_indices_survive_a_restart_and_points_in_time_do_not(ml: Session, ml_emulator: Emulator) -> None:
    await write(ml, "docs", "a")
    opened = await ml.request("POST", "/docs/_search/point_in_time", query={"keep_alive": "1m"})
    before = (await ml.request("GET", "/docs")).json()
    ml_emulator.restart()
    assert (await ml.request("GET", "/docs")).json() == before
    assert await seen(ml) == ["a"]
    with pytest.raises(ApiError, match="No search context found for id") as caught:
        await ml.request("GET", "/_search", body={"pit": {"id": opened.json()["pit_id"]}})
    assert caught.value.status == 404


async def test_searches_are_refused_while_shards_recover_and_mappings_are_not(
    ml: Session, ml_emulator: Emulator
) -> None:
    await write(ml, "docs", "a")
    ml_emulator.restart(recovering=2)
    await ml.request("GET", "/docs/_mapping")
    with pytest.raises(ServerError, match="all shards failed") as caught:
        await seen(ml)
    assert caught.value.status == 503
    with pytest.raises(ServerError, match=r"No shard available for \[get \[docs\]\[a\]"):
        await ml.request("GET", "/docs/_doc/a")
    assert await seen(ml) == ["a"]


async def test_a_reading_outlives_its_point_in_time_and_a_recovery(ml_emulator: Emulator, ml_url: str) -> None:
    async with Session(ml_url, backoff=NOW) as ml:
        await write(ml, "docs", *"abcdefg", refresh="true")
        found: list[Any] = []
        async for rows in IndexSource(ml, "docs", size=2).read():
            found += [row["_id"] for row in rows.rows if not isinstance(row, BadRow)]
            ml_emulator.restart(recovering=1)
    assert found == list("abcdefg")


async def test_a_point_in_time_expires(ml: Session, ml_emulator: Emulator) -> None:
    now = 0.0
    ml_emulator.cluster.clock = lambda: now
    await write(ml, "docs", "a", refresh="true")
    opened = await ml.request("POST", "/docs/_search/point_in_time", query={"keep_alive": "1m"})
    pit = {"id": opened.json()["pit_id"], "keep_alive": "1m"}
    for now in (59.0, 118.0):  # noqa: B007 - the clock reads it
        await ml.request("GET", "/_search", body={"pit": pit})
    now = 179.0
    with pytest.raises(ApiError, match="No search context found"):
        await ml.request("GET", "/_search", body={"pit": pit})


async def test_faults_apply_to_indices_too(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.faults.fail(503, on=lambda http: http.path.endswith("/_bulk"))
    with pytest.raises(ServerError, match="boom"):
        await write(ml, "docs", "a")
    await write(ml, "docs", "a")


async def test_answers_are_cbor_for_who_asks_for_it(ml: Session, ml_url: str) -> None:
    await ml.request("PUT", "/docs", body=mapped(2))
    headers = {"content-type": CBOR, "accept": CBOR}
    async with aiohttp.ClientSession() as client:
        body = cbor2.dumps({"v": [0.5, 1]})
        async with client.put(f"{ml_url}/docs/_doc/a", data=body, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (201, CBOR)
        async with client.get(f"{ml_url}/docs/_doc/a", headers=headers) as answer:
            assert cbor2.loads(await answer.read())["_source"] == {"v": [0.5, 1.0]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xa1\x61v",
        b"\x81" * 1_000 + b"\x80",
        b"\xd8\x1c\x81\xd8\x1d\x00",
        cbor2.dumps({"v": b"bytes"}),
        cbor2.dumps({1: 2}),
        cbor2.dumps({"v": Decimal("1.5")}),
    ],
)
async def test_what_is_no_json_in_cbor_is_refused(ml_url: str, body: bytes) -> None:
    headers = {"content-type": CBOR, "accept": "application/json"}
    async with aiohttp.ClientSession() as client:
        for path in ("/docs/_search", "/_plugins/_ml/models/_search"):
            async with client.post(f"{ml_url}{path}", data=body, headers=headers) as answer:
                assert answer.status in ({400} if body else {200, 400, 404}), await answer.text()
                assert body == b"" or "cannot be read as JSON in CBOR" in await answer.text()


async def test_nobody_reads_an_index_without_the_password() -> None:
    async with Emulator().serve(username="admin", password="right") as url, aiohttp.ClientSession() as client:
        async with client.get(f"{url}/docs/_search") as answer:
            assert (answer.status, await answer.text()) == (401, "Unauthorized")


async def test_a_whole_number_beyond_64_bits_is_kept(ml: Session) -> None:
    await ml.request("PUT", "/docs", body={"mappings": {"properties": {"n": {"type": "keyword"}}}})
    await ml.request("PUT", "/docs/_doc/a", body='{"n": 123456789012345678901234567890}')
    assert b"123456789012345678901234567890" in (await ml.request("GET", "/docs/_doc/a")).body


@pytest.mark.parametrize(("version", "status"), [("3.5.0", 400), ("3.8.0", 201)])
async def test_vectors_of_base64_are_read_by_newer_servers(version: str, status: int) -> None:
    async with Emulator(Cluster(version=version)).serve() as url, Session(url) as ml:
        await ml.request(
            "PUT", "/docs", body={"mappings": {"properties": {"v": {"type": "knn_vector", "dimension": 3}}}}
        )
        body = b'{"index":{"_id":"a"}}\n{"v":"AACAPwAAAEAAAEBA"}\n'
        items = (await ml.request("POST", "/docs/_bulk", body=body, headers=LINES)).json()["items"]
        assert items[0]["index"]["status"] == status
        if status == 201:
            found = (await ml.request("GET", "/docs/_doc/a")).json()
            assert found["_source"] == {"v": [1.0, 2.0, 3.0]}, "the bytes are in little-endian order"


async def test_an_index_without_a_refresh_interval_waits_for_a_refresh(ml: Session) -> None:
    await ml.request("PUT", "/docs", body={"settings": {"refresh_interval": "-1"}})
    await write(ml, "docs", "a")
    assert [await seen(ml) for _ in range(4)] == [[]] * 4
    await ml.request("PUT", "/docs/_settings", body={"refresh_interval": "1s"})
    assert await seen(ml) == ["a"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/docs/_search", {"query": {"fuzzy": {"text": "x"}}}),
        ("POST", "/docs/_search", {"aggs": {}}),
        ("POST", "/docs/_search?q=x", None),
        ("PUT", "/more", {"mappings": {"properties": {"a": {"type": "join"}}}}),
        ("POST", "/docs/_update/a", {"script": "ctx.op = 'none'"}),
        ("POST", "/.plugins-ml-model/_search", {}),
        ("PUT", "/.plugins-ml-mine", {}),
        ("GET", "/_cat/indices", None),
    ],
)
async def test_what_the_server_has_and_the_emulator_lacks_is_said(
    ml: Session, method: str, path: str, body: Any
) -> None:
    await write(ml, "docs", "a")
    with pytest.raises(ApiError, match="the emulator") as caught:
        await ml.request(method, path, body=body)
    assert (caught.value.status, caught.value.type) == (501, "not_emulated")


async def test_indices_are_in_the_lists_of_indices(ml: Session, ml_emulator: Emulator) -> None:
    await write(ml, "docs", "a")
    rows = (await ml.request("GET", "/_cat/indices?format=json")).json()
    assert [(row["index"], row["docs.count"]) for row in rows] == [("docs", "0")]
    assert "docs" in {index.name for index in ml_emulator.cluster.indices()}


async def test_an_old_server_has_indices_too() -> None:
    async with Emulator(Cluster(version="2.4.1")).serve() as url, Session(url) as ml:
        await write(ml, "docs", "a", refresh="true")
        assert await seen(ml) == ["a"]
