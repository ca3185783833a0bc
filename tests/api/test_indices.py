"""Indices and documents by typed calls, on the emulator: what is asked, and what is made of the answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from aiomlcommons import BadRequest, InvalidRequest, NotFound, NotSupported, Session, emulator
from aiomlcommons.api.aliases import AddAlias, RemoveAlias, RemoveIndex, UpdateAliases
from aiomlcommons.api.common import Acknowledged
from aiomlcommons.api.index_records import Alias
from aiomlcommons.api.indices import IndexCreated, RefreshIndex
from aiomlcommons.api.server import ListPlugins
from aiomlcommons.wire.codec import to_http

MAPPING = {"properties": {"text": {"type": "text"}, "v": {"type": "knn_vector", "dimension": 2}}}


@pytest_asyncio.fixture
async def ml() -> AsyncGenerator[Session]:
    async with emulator.serve() as url, Session(url) as session:
        yield session


def lines(*rows: Any) -> bytes:
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


async def made(ml: Session) -> None:
    settings = {"index": {"knn": True, "number_of_replicas": 0}}
    created = await ml.indices.create("docs", mappings=MAPPING, settings=settings, aliases={"d": {}})
    assert created == IndexCreated(acknowledged=True, shards_acknowledged=True, index="docs")


@pytest.mark.asyncio
async def test_an_index_is_created_looked_at_changed_and_deleted(ml: Session) -> None:
    await made(ml)
    found = (await ml.indices.get("docs"))["docs"]
    assert (found.mappings["properties"]["text"], found.aliases) == ({"type": "text"}, {"d": Alias()})
    assert await ml.indices.put_mapping("docs", {"properties": {"n": {"type": "long"}}}) == Acknowledged(True)
    assert list((await ml.indices.mapping("d"))["docs"].mappings["properties"]) == ["n", "text", "v"]
    assert await ml.indices.put_settings("docs", {"index.number_of_replicas": 2}) == Acknowledged(True)
    assert (await ml.indices.settings("docs"))["docs"].settings["index"]["number_of_replicas"] == "2"
    assert (await ml.indices.aliases("docs"))["docs"].aliases == {"d": Alias()}
    assert await ml.indices.delete("docs") == Acknowledged(True)
    with pytest.raises(NotFound, match=r"no such index \[docs\]"):
        await ml.indices.mapping("docs")


@pytest.mark.asyncio
async def test_documents_are_written_counted_found_and_got(ml: Session) -> None:
    await made(ml)
    rows = [{"text": "one", "v": [1, 0]}, {"text": "two", "v": [0, 1, 2]}, {"text": "three", "v": [1, 1]}]
    body = lines(*(part for number, row in enumerate(rows) for part in ({"index": {"_id": str(number)}}, row)))
    done = await ml.documents.bulk(body, index="docs")
    assert done.errors
    assert [(item.id, item.status, item.error is not None) for item in done.failed] == [("1", 400, True)]
    assert (await ml.indices.refresh("docs")).shards.failed == 0
    assert (await ml.indices.count("docs")).count == 2
    assert (await ml.indices.count("docs", query={"match": {"text": "three"}})).count == 1
    page = await ml.documents.search("docs", {"query": {"match": {"text": "one"}}, "_source": ["text"]})
    assert [(hit.id, hit.source) for hit in page] == [("0", {"text": "one"})]
    assert (await ml.documents.search("docs")).total == 2
    document = await ml.documents.get("docs", "2", source="text")
    assert (document.found, document.version, document.source) == (True, 1, {"text": "three"})
    assert (await ml.documents.get("docs", "2", source="false")).source is None
    with pytest.raises(NotFound):
        await ml.documents.get("docs", "nope")


@pytest.mark.asyncio
async def test_a_name_that_the_server_refuses_is_its_error(ml: Session) -> None:
    with pytest.raises(BadRequest, match=r"Invalid index name \[Docs\]"):
        await ml.indices.create("Docs")


@pytest.mark.asyncio
async def test_the_plugins_of_the_nodes_are_listed(ml: Session) -> None:
    assert "opensearch-knn" in {plugin.component for plugin in await ml.plugins()}
    assert to_http(ListPlugins()).query == {"format": "json"}


def test_aliases_are_moved_in_one_step() -> None:
    request = UpdateAliases([RemoveAlias("docs-1", "docs"), AddAlias("docs-2", "docs", is_write_index=True)])
    assert orjson.loads(to_http(request).body or b"") == {
        "actions": [
            {"remove": {"index": "docs-1", "alias": "docs"}},
            {"add": {"index": "docs-2", "alias": "docs", "is_write_index": True}},
        ]
    }
    assert UpdateAliases.from_dict(request.to_dict()) == request


@pytest.mark.parametrize(
    ("actions", "problem"),
    [
        ([], "actions must not be empty"),
        ([AddAlias("i")], r"actions\[0\]\.add: give alias or aliases"),
        ([AddAlias("i", "a"), RemoveAlias(alias="a")], r"actions\[1\]\.remove: give index or indices"),
        ([RemoveIndex()], r"actions\[0\]\.remove_index: give index or indices"),
        ([{"ad": {"index": "i"}}], "expected an object of the one key 'remove_index'"),
    ],
)
def test_an_action_without_an_index_or_alias_is_refused(actions: Any, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=f"UpdateAliases: .*{problem}"):
        to_http(UpdateAliases(actions))


@pytest.mark.asyncio
async def test_serverless_has_indices_and_no_refresh() -> None:
    async with Session("http://localhost:9", flavor="aoss") as ml:
        with pytest.raises(NotSupported, match=r"has no refreshes of an index \(RefreshIndex\)"):
            await ml.send(RefreshIndex("docs"))
