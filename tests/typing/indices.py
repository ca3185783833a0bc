"""Indices, documents and pipelines: every call has its answer's type."""

from __future__ import annotations

from typing import Any, assert_type

from aiomlcommons import Session
from aiomlcommons.api.agent_tools import vector_db_tool
from aiomlcommons.api.agents import AgentRegistered
from aiomlcommons.api.aliases import AddAlias, RemoveAlias
from aiomlcommons.api.common import Acknowledged, Hits
from aiomlcommons.api.documents import BulkItem, BulkResult, Document
from aiomlcommons.api.index_records import Index, IndexAliases, IndexMapping, IndexSettings
from aiomlcommons.api.indices import Count, IndexCreated, Refreshed
from aiomlcommons.api.pipeline_stats import IngestStats
from aiomlcommons.api.pipelines import IngestDocument, IngestPipeline, SimulatedDocument, Simulation
from aiomlcommons.api.processors import TextEmbedding
from aiomlcommons.api.search_pipelines import SearchPipeline
from aiomlcommons.api.search_processors import NeuralQueryEnricher, Normalization, Rerank, RerankContext, RerankModel
from aiomlcommons.api.server import Plugin


async def indices(ml: Session) -> None:
    assert_type(await ml.indices.create("i", mappings={"properties": {}}, settings={}, aliases={"a": {}}), IndexCreated)
    assert_type(await ml.indices.get("i"), dict[str, Index])
    assert_type(await ml.indices.mapping("i"), dict[str, IndexMapping])
    assert_type(await ml.indices.put_mapping("i", {"properties": {}}), Acknowledged)
    assert_type(await ml.indices.settings("i", flat_settings=True), dict[str, IndexSettings])
    assert_type(await ml.indices.put_settings("i", {"index.number_of_replicas": 0}), Acknowledged)
    assert_type(await ml.indices.aliases("i"), dict[str, IndexAliases])
    assert_type(await ml.indices.update_aliases([RemoveAlias("i", "a"), AddAlias("j", "a")]), Acknowledged)
    assert_type(await ml.indices.refresh("i"), Refreshed)
    assert_type(await ml.indices.count("i", query={"match_all": {}}), Count)
    assert_type(await ml.indices.delete("i"), Acknowledged)


async def documents(ml: Session) -> None:
    done = await ml.documents.bulk(b'{"index":{}}\n{}\n', index="i", pipeline="p", refresh="wait_for")
    assert_type(done, BulkResult)
    assert_type(done.failed, list[BulkItem])
    assert_type(await ml.documents.get("i", "1"), Document)
    assert_type(await ml.documents.search("i", {"size": 1}, search_pipeline="p"), Hits[dict[str, Any]])
    assert_type(await ml.plugins(), list[Plugin])


async def pipelines(ml: Session) -> None:
    embedding = TextEmbedding("m", {"text": "embedding"}, batch_size=64)
    created = await ml.pipelines.create("p", processors=[embedding, {"set": {"field": "a", "value": 1}}])
    assert_type(created, Acknowledged)
    assert_type(await ml.pipelines.get("p"), dict[str, IngestPipeline])
    tried = await ml.pipelines.simulate("p", docs=[IngestDocument({"text": "a"}), {"_source": {"text": "b"}}])
    assert_type(tried, Simulation)
    assert_type(tried[0], SimulatedDocument | None)
    assert_type(await ml.pipelines.stats(), IngestStats)
    assert_type(await ml.pipelines.delete("p"), Acknowledged)
    searching = await ml.pipelines.create_search(
        "s",
        request_processors=[NeuralQueryEnricher("m")],
        phase_results_processors=[Normalization()],
        response_processors=[Rerank(RerankModel("m"), context=RerankContext(["text"])), {"truncate_hits": {}}],
    )
    assert_type(searching, Acknowledged)
    assert_type(await ml.pipelines.get_search("s"), dict[str, SearchPipeline])
    assert_type(await ml.pipelines.delete_search("s"), Acknowledged)


async def agents(ml: Session) -> None:
    tool = vector_db_tool("m", index="i", embedding_field="e", source_field=["text"], name="search", doc_size=3)
    assert_type(await ml.agents.register("a", "flow", tools=[tool]), AgentRegistered)


async def what_the_type_checkers_refuse(ml: Session) -> None:
    TextEmbedding("m")  # type: ignore[call-arg]
    TextEmbedding("m", {}, batch_size="10")  # type: ignore[arg-type]
    await ml.pipelines.create("p", processors=[Rerank()])  # type: ignore[list-item]
    await ml.indices.put_settings("i")  # type: ignore[call-arg]
    vector_db_tool("m", index="i", embedding_field="e", source_field=["text"], nope=1)  # type: ignore[call-arg]
