"""``ml.indices.create_for``: an index that fits a model, or what differs in the one that exists."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from aiomlcommons import InvalidRequest, MLSettings, NotSupported, RemoteModel, Session
from aiomlcommons.connectors import http_embeddings
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.errors import refused
from aiomlcommons.indices.errors import IndexMismatch
from tests.support import model_server
from tests.support.jobs import NOW

pytestmark = pytest.mark.asyncio
DENSE = "all-MiniLM-L6-v2"
SPARSE = "opensearch-neural-sparse-encoding-doc-v2-mini"


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


@pytest_asyncio.fixture
async def ml(emulator: Emulator) -> AsyncGenerator[Session]:
    async with emulator.serve() as url, Session(url, backoff=NOW) as session:
        await session.settings.allow_first_model()
        yield session


async def mapping(ml: Session, index: str = "docs") -> Any:
    return (await ml.indices.mapping(index))[index].mappings["properties"]


async def test_an_index_for_a_dense_model_has_its_dimension_and_a_text(ml: Session) -> None:
    found = await ml.indices.create_for(DENSE, index="docs", engine="lucene", id_field="key")
    assert (found.index, found.created, found.field) == ("docs", True, "embedding")
    fields = await mapping(ml)
    assert fields["embedding"] == found.mapping
    assert (fields["embedding"]["dimension"], fields["embedding"]["method"]["space_type"]) == (384, "cosinesimil")
    assert (fields["text"], fields["key"]) == ({"type": "text"}, {"type": "keyword"})
    assert (await ml.indices.settings("docs"))["docs"].settings["index"]["knn"] == "true"


async def test_an_index_for_a_sparse_model_has_rank_features(ml: Session) -> None:
    found = await ml.indices.create_for(SPARSE, index="docs", field="weights", text_field="body", analyzer="english")
    assert (found.field, found.mapping) == ("weights", {"type": "rank_features"})
    assert (await mapping(ml))["body"] == {"type": "text", "analyzer": "english"}


async def test_the_second_call_does_nothing_and_another_wish_is_told(ml: Session) -> None:
    await ml.indices.create_for(DENSE, index="docs", engine="lucene")
    assert not (await ml.indices.create_for(DENSE, index="docs")).created
    with pytest.raises(IndexMismatch, match=r"has the engine lucene, not faiss"):
        await ml.indices.create_for(DENSE, index="docs", engine="faiss")
    with pytest.raises(IndexMismatch, match=r"'embedding' is knn_vector, .* rank_features"):
        await ml.indices.create_for(SPARSE, index="docs")
    with pytest.raises(IndexMismatch, match=r"'text' has the analyzer of the server, not english"):
        await ml.indices.create_for(DENSE, index="docs", analyzer="english")


async def test_an_index_in_which_no_search_by_vectors_is_possible_is_told(ml: Session) -> None:
    field = {"type": "knn_vector", "dimension": 384}
    await ml.indices.create("docs", mappings={"properties": {"embedding": field}})
    with pytest.raises(IndexMismatch, match=r"index docs lacks the setting index.knn, .* type knn_vector fail"):
        await ml.indices.create_for(DENSE, index="docs")


async def test_the_callers_own_body_is_kept_and_counts_first(ml: Session) -> None:
    fields = {"n": {"type": "integer"}, "text": {"type": "keyword"}}
    body = {"settings": {"number_of_replicas": 0}, "mappings": {"properties": fields}, "aliases": {"all": {}}}
    found = await ml.indices.create_for(DENSE, index="docs", text_field="text", body=body, id_field=None)
    assert found.created
    made = await mapping(ml, "docs")
    assert (made["n"], made["text"]) == ({"type": "integer"}, {"type": "keyword"})
    again = await ml.indices.create_for(DENSE, index="all", text_field=None)
    assert (again.created, again.mapping) == (False, found.mapping)


async def test_a_remote_model_that_does_not_tell_its_dimension_embeds_a_word(ml: Session) -> None:
    await ml.settings.apply(MLSettings(connector_private_ip_enabled=True, trusted_connector_endpoints_regex=[".*"]))
    async with model_server.serve() as url:
        remote = RemoteModel(name="remote", connector=http_embeddings(f"{url}/v1/embeddings", model="m"))
        found = await ml.indices.create_for(remote, index="docs")
    assert found.mapping["dimension"] == model_server.DIMENSION


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"engine": "lucen"}, "did you mean 'lucene'"),
        ({"dimension": 3}, "dimension: the vectors of .* are of dimension 384, not 3"),
        ({"text_field": "embedding"}, "must be different fields"),
        ({"semantic": True, "text_field": None}, "name text_field="),
        ({"semantic": True}, "additional_config.space_type"),
    ],
)
async def test_options_that_do_not_go_together_are_refused(ml: Session, wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        await ml.indices.create_for(DENSE, index="docs", **wrong)


@pytest.mark.parametrize(
    ("reason", "plugin"),
    [
        ("unknown setting [index.knn] please check that any required plugins are installed", "opensearch-knn"),
        ("Failed to parse mapping [_doc]: No handler for type [knn_vector] declared on field [e]", "opensearch-knn"),
        ("unknown setting [index.sparse] please check", "opensearch-neural-search"),
    ],
)
async def test_a_cluster_without_the_plugin_is_told_with_its_name(
    emulator: Emulator, ml: Session, reason: str, plugin: str
) -> None:
    async def lacks(_: Any, __: Any) -> Any:
        raise refused(400, "illegal_argument_exception", reason)

    emulator.faults.add(lacks, on=lambda http: (http.method, http.path) == ("PUT", "/docs"))
    with pytest.raises(NotSupported, match=f"lacks the plugin {plugin}: install it on every node"):
        await ml.indices.create_for(DENSE, index="docs")


async def test_an_engine_that_lacks_the_space_is_told_with_the_remedy(emulator: Emulator, ml: Session) -> None:
    words = 'Validation Failed: 1: "hnsw" with "faiss" configuration does not support space type: "cosinesimil".;'

    async def refuses(_: Any, __: Any) -> Any:
        raise refused(400, "mapper_parsing_exception", f"Failed to parse mapping [_doc]: {words}")

    emulator.faults.add(refuses, on=lambda http: (http.method, http.path) == ("PUT", "/docs"))
    with pytest.raises(NotSupported, match=r"cosinesimil.: name another engine= \(--engine\) or space_type="):
        await ml.indices.create_for(DENSE, index="docs")
