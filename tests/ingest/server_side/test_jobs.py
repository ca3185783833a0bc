"""Jobs whose server embeds: each good document is indexed with a vector, and each other one is a dead letter."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest

from aiomlcommons import ApiError, BadRequest, Forbidden, InvalidRequest, NotFound, QuotaExceeded, ServerError, Session
from aiomlcommons.ingest import Chunks, IndexSink, ModelFails, SinkError
from aiomlcommons.ingest.server_side.lookup import plan_of
from aiomlcommons.ingest.server_side.model import server_model
from aiomlcommons.ingest.state.dead_letters import read_dead_letters
from aiomlcommons.ingest.stats import Report
from aiomlcommons.ingest.types import Row
from tests.support.bulk_server import Item, failed, knn
from tests.support.jobs import NOW, documents
from tests.support.pipeline_server import (
    BROKEN,
    EXHAUSTED,
    MODEL,
    REFUSED,
    THROTTLED,
    PipelineServer,
    pipeline_server,
    text_embedding,
)

pytestmark = pytest.mark.asyncio


async def run(server: PipelineServer, rows: list[Any], folder: Path, **options: Any) -> Report:
    """Run a job through pipeline ``p``, or the ``pipeline`` that is given."""
    sink_options: dict[str, Any] = {
        name: options.pop(name) for name in ("pipeline", "create", "field", "ids") if name in options
    }
    given: dict[str, Any] = {"backoff": NOW, "dead_letters": folder / "dead", "batch": 8, "max_failures": math.inf}
    async with Session(server.url, retries=0) as ml:
        sink_options = {"pipeline": "p", "backoff": NOW, **sink_options}
        sink = IndexSink(ml, "docs", **sink_options)
        report = await ml.ingest(rows, model=None, sink=sink, **{**given, **options})
    assert report.balanced
    assert report.written == len(server.documents)
    assert all("embedding" in document for document in server.documents.values())
    return report


def why(folder: Path) -> dict[str | None, str]:
    return (
        {letter.id: letter.why for letter in read_dead_letters(folder / "dead")} if (folder / "dead").exists() else {}
    )


async def test_the_server_embeds_and_each_document_is_written_once(tmp_path: Path) -> None:
    async with pipeline_server() as server:
        report = await run(server, documents(50), tmp_path)
    assert (report.written, report.embedded, report.failed) == (50, 50, 0)
    assert set(Counter(server.writes).values()) == {1}
    assert server.predicted == 0
    assert server.refreshed


async def test_documents_without_text_are_not_sent(tmp_path: Path) -> None:
    rows = documents(20)
    texts: list[Any] = ["", "  ", None, [], 7]
    for number, text in enumerate(texts):
        rows[number] = {"id": f"d{number}", "text": text}
    rows[5] = {"id": "d5"}
    async with pipeline_server() as server:
        report = await run(server, rows, tmp_path)
    assert (report.written, report.failed) == (14, 6)
    found = why(tmp_path)
    assert found["d0"] == "its field 'text' has no text, and would be indexed without a vector"
    assert found["d4"] == "its field 'text' must be a text, or a list of texts, not int"
    assert found["d5"] == "it has no field 'text'"


async def test_no_document_is_lost_where_the_provider_throttles(tmp_path: Path) -> None:
    async with pipeline_server(most=2) as server:
        report = await run(server, documents(300), tmp_path, concurrency=(1, 16))
    assert (report.written, report.failed) == (300, 0)
    assert report.retried > 0
    assert set(Counter(server.writes).values()) == {1}  # what was accepted is not sent again


@pytest.mark.parametrize("trouble", [THROTTLED, EXHAUSTED, failed("status_exception", "model gone: 503", 503)])
async def test_what_passes_by_itself_is_sent_again(trouble: Item, tmp_path: Path) -> None:
    seen = Counter[str]()

    def model(texts: list[str]) -> Item | None:
        seen.update(texts)
        return trouble if min(seen[text] for text in texts) < 3 else None

    async with pipeline_server(model=model) as server:
        report = await run(server, documents(10), tmp_path)
    assert (report.written, report.failed) == (10, 0)


async def test_a_poisoned_document_stands_alone_and_its_neighbours_are_kept(tmp_path: Path) -> None:
    poison = {"text number 3", "text number 17", "text number 18"}
    pipelines = {"p": {"processors": [text_embedding(batch_size=10)]}}
    async with pipeline_server(
        pipelines=pipelines, model=lambda texts: REFUSED if poison & {*texts} else None
    ) as server:
        report = await run(server, documents(40), tmp_path)
    assert (report.written, report.failed) == (37, 3)
    assert {*why(tmp_path)} == {"d3", "d17", "d18"}
    assert "the input is invalid" in why(tmp_path)["d3"]
    assert server.predicted > 0  # a harmless text told that the model is in order


@pytest.mark.parametrize("options", [{}, {"ids": "auto"}])
async def test_an_item_is_of_the_document_with_its_id_not_of_that_in_its_place(options: Any, tmp_path: Path) -> None:
    """Items of documents that fail in a pipeline come in another order than the documents."""
    throttled = iter([True])

    def model(texts: list[str]) -> Item | None:
        return THROTTLED if "text number 7" in texts and next(throttled, False) else None

    def maps(key: str) -> Item | None:
        return failed("mapper_parsing_exception", "bad", 400) if server.texts[key] == "text number 0" else None

    async with pipeline_server(model=model, maps=maps) as server:
        report = await run(server, documents(8), tmp_path, **options)
    assert (report.written, report.failed) == (7, 1)
    assert [*why(tmp_path)] == ["d0"]


async def test_what_the_mapping_refuses_is_a_dead_letter_at_once(tmp_path: Path) -> None:
    refusal = failed("mapper_parsing_exception", "failed to parse field [n]", 400)
    async with pipeline_server() as server:
        server.maps = lambda key: refusal if key in {"d1", "d2"} else None
        report = await run(server, documents(8), tmp_path)
    assert (report.written, report.failed) == (6, 2)
    assert len(server.sizes) == 1


async def test_an_outage_of_the_model_gives_no_document_up(tmp_path: Path) -> None:
    left = 12

    def model(_: list[str]) -> Item | None:
        nonlocal left
        left -= 1
        return BROKEN if left >= 0 else None

    async with pipeline_server(model=model) as server:
        report = await run(server, documents(30), tmp_path)
    assert (report.written, report.failed) == (30, 0)


async def test_a_document_that_fails_alone_has_another_chance_after_a_harmless_text(tmp_path: Path) -> None:
    failures = [BROKEN]

    def model(texts: list[str]) -> Item | None:
        return failures.pop() if failures and texts != ["text"] else None

    async with pipeline_server(model=model) as server:
        report = await run(server, documents(1), tmp_path)
        assert (server.predicted, server.asked) == (1, [["text number 0"]] * 2)
    assert (report.written, report.failed) == (1, 0)


async def test_a_model_that_fails_whatever_the_text_ends_the_job(tmp_path: Path) -> None:
    async with pipeline_server(model=lambda _: BROKEN) as server:
        with pytest.raises(ModelFails):
            await run(server, documents(30), tmp_path, stall_timeout=0.2)
    assert server.documents == {}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (failed("illegal_argument_exception", "pipeline with id [p] does not exist", 400), BadRequest),
        (
            failed("illegal_state_exception", "Pipeline processor configured for non-existent pipeline [q]", 500),
            ServerError,
        ),
        (failed("security_exception", "no permissions for [indices:data/write/bulk]", 403), Forbidden),
        (failed("status_exception", "Failed to find model with the provided model id: m", 404), NotFound),
        (
            failed("status_exception", 'Error from remote service: {"error":{"code":"insufficient_quota"}}', 429),
            QuotaExceeded,
        ),
    ],
)
async def test_what_does_not_depend_on_the_documents_ends_the_job(item: Item, expected: type, tmp_path: Path) -> None:
    async with pipeline_server(model=lambda _: item) as server:
        with pytest.raises(expected):
            await run(server, documents(30), tmp_path)


async def test_a_job_resumes_and_writes_each_document(tmp_path: Path) -> None:
    broken = True

    def model(texts: list[str]) -> Item | None:
        refusal = failed("security_exception", "no permissions", 403)
        return refusal if broken and "text number 60" in texts else None

    how: dict[str, Any] = {"checkpoint": tmp_path / "job", "checkpoint_every": 1, "concurrency": 1}
    async with pipeline_server(model=model) as server:
        with pytest.raises(Forbidden):
            await run(server, documents(100), tmp_path, **how)
        before = len(server.documents)
        assert 0 < before < 100
        broken = False
        report = await run(server, documents(100), tmp_path, **how)
    assert (report.read, report.written) == (100, 100)
    assert len(server.writes) < 100 + 100 - before  # the first run's documents are not sent again


@pytest.mark.parametrize("pipeline", [None, "p"])
async def test_a_job_ends_where_the_pipelines_of_the_index_change_meanwhile(
    pipeline: str | None, tmp_path: Path
) -> None:
    """Its documents would have no vectors, and no response says so."""
    changes = True

    def model(texts: list[str]) -> Item | None:
        if changes and "text number 40" in texts:
            server.settings["default_pipeline"] = "q"
        return None

    how: dict[str, Any] = {"checkpoint": tmp_path / "job", "checkpoint_every": 1, "concurrency": 1}
    async with pipeline_server(settings={"default_pipeline": "p"}, model=model) as server:
        server.pipelines["q"] = server.pipelines["p"]
        if pipeline is not None:  # which counts before that of the index
            assert (await run(server, documents(100), tmp_path, pipeline=pipeline, **how)).written == 100
            return
        with pytest.raises(SinkError, match="default_pipeline is q now, and was p when the job began"):
            await run(server, documents(100), tmp_path, pipeline=None, **how)
        changes, server.settings["default_pipeline"] = False, "p"
        assert (await run(server, documents(100), tmp_path, pipeline=None, **how)).written == 100


# ---- before work begins ---------------------------------------------------------------------------------------------


async def refused(
    expected: type[Exception], match: str, folder: Path, rows: list[Row] | None = None, **how: Any
) -> None:
    """Run a job that cannot work, and look at what it says before anything is sent."""
    server_options = {name: how.pop(name) for name in ("pipelines", "models", "index", "settings") if name in how}
    async with pipeline_server(**server_options) as server:
        with pytest.raises(expected, match=match):
            await run(server, rows or documents(10), folder, **how)
        assert not any("_bulk" in heard for heard in server.heard)


async def test_what_cannot_work_is_said_before_work_begins(tmp_path: Path) -> None:
    sparse = {**MODEL, "algorithm": "SPARSE_ENCODING"}
    await refused(
        InvalidRequest,
        "no ingest pipeline 'embd' .did you mean",
        tmp_path,
        pipeline="embd",
        pipelines={"embed": {"processors": []}},
    )
    await refused(InvalidRequest, "neither a default pipeline nor", tmp_path, pipeline=None)
    await refused(InvalidRequest, "names the model 'm', and there is none", tmp_path, models={})
    await refused(InvalidRequest, "needs a model for dense vectors", tmp_path, models={"m": sparse})
    await refused(
        InvalidRequest, "embeds nothing", tmp_path, pipelines={"p": {"processors": [{"trim": {"field": "a"}}]}}
    )
    await refused(InvalidRequest, "embeds the field 'text', and text= .* names 'title'", tmp_path, text="title")
    await refused(InvalidRequest, "text= .* must name a field", tmp_path, text="{title} {body}")
    await refused(InvalidRequest, "cache= .* keeps vectors", tmp_path, cache=tmp_path / "cache")
    await refused(InvalidRequest, "no row of rows has the field 'text'.*rename", tmp_path, [{"id": "a", "body": "b"}])
    await refused(SinkError, "is of dimension 3, and these vectors of 2", tmp_path, index=knn(3))
    await refused(SinkError, "'embedding' is not in its mapping", tmp_path, index=knn(2, "other"))
    await refused(SinkError, "there is no index docs", tmp_path, index=None)
    await refused(InvalidRequest, "there is no ingest pipeline 'p.'", tmp_path, pipeline="p*")
    await refused(InvalidRequest, "pipeline= .* must be the name", tmp_path, pipeline="")
    lost = {"p": {"processors": [{"pipeline": {"name": "gone"}}, text_embedding()]}}
    await refused(InvalidRequest, "'p' runs another one: there is no ingest pipeline 'gone'", tmp_path, pipelines=lost)
    unknown = {"p": {"processors": [{"script": {"source": "?"}}, text_embedding()]}}
    rows: list[Row] = [{"id": "a", "body": "b"}]
    await refused(InvalidRequest, r"the field 'text'.*set text= \(--text\)", tmp_path, rows, pipelines=unknown)


async def test_one_field_is_chunked_of_several_that_are_embedded(tmp_path: Path) -> None:
    config = {"model_id": "m", "field_map": {"title": "embedding", "body": "embedding"}}
    several = {"p": {"processors": [{"text_embedding": config}]}}
    rows: list[Row] = [{"id": "a", "title": "One sentence. And another one.", "body": "b"}]
    how: dict[str, Any] = {"pipelines": several, "chunk": Chunks(size=20)}
    words = r"embeds the fields 'title', 'body', and chunk= .* splits one: name it with text="
    await refused(InvalidRequest, words, tmp_path, rows, **how)
    async with pipeline_server(pipelines=several) as server:
        await run(server, rows, tmp_path, text="title", chunk=Chunks(size=20))
    assert server.texts == {"a#0": "One sentence.", "a#1": "And another one."}


@pytest.mark.parametrize("model", [None, "m"])
async def test_a_cluster_that_recovers_is_waited_for_no_longer_than_the_job_says(
    model: str | None, tmp_path: Path
) -> None:
    async with pipeline_server(recovering=1_000) as server, Session(server.url) as ml:
        sink = IndexSink(ml, "docs", pipeline=None if model else "p")
        with anyio.fail_after(30), pytest.raises(ApiError, match="No shard available"):
            await ml.ingest(documents(3), model=model, sink=sink, stall_timeout=0.1, dead_letters=tmp_path / "dead")


async def test_only_an_index_has_a_server_that_embeds(tmp_path: Path) -> None:
    async with pipeline_server() as server, Session(server.url) as ml:
        with pytest.raises(InvalidRequest, match="without a model the server embeds the documents of an index"):
            await ml.ingest(documents(1), model=None, sink=tmp_path / "a.jsonl")


async def test_a_pipeline_that_embeds_is_refused_where_the_job_embeds_too(tmp_path: Path) -> None:
    async with pipeline_server() as server, Session(server.url) as ml:
        with pytest.raises(InvalidRequest, match=r"both model= .* and the pipeline 'p' would embed"):
            await ml.ingest(documents(1), model="m", sink=IndexSink(ml, "docs", pipeline="p"))


BESIDES = {"p": {"processors": [{"text_embedding": {"model_id": "m", "field_map": {"text": "other"}}}]}}


@pytest.mark.parametrize("which", ["default", "final"])
async def test_a_pipeline_of_the_index_that_would_replace_the_vectors_of_a_job_is_refused(which: str) -> None:
    async with pipeline_server(settings={f"{which}_pipeline": "p"}) as server, Session(server.url) as ml:
        with pytest.raises(InvalidRequest, match=rf"the {which} pipeline 'p', whose vectors would replace .*'_none'"):
            await ml.ingest(documents(1), model="m", sink=IndexSink(ml, "docs"))
        assert not any("_bulk" in heard for heard in server.heard)


async def test_a_job_with_a_model_goes_past_the_default_pipeline_of_the_index(tmp_path: Path) -> None:
    settings = {"default_pipeline": "p"}
    async with pipeline_server(settings=settings, pipelines={"p": {"processors": [text_embedding()]}}) as server:
        server.pipelines["_none"] = BESIDES["p"]  # of the test server only: it has no other way to embed nothing
        async with Session(server.url) as ml:
            report = await ml.ingest(documents(9), model="m", sink=IndexSink(ml, "docs", pipeline="_none"))
    assert (report.written, {*server.documents}) == (9, {f"d{number}" for number in range(9)})


async def test_a_pipeline_of_the_index_that_embeds_other_fields_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        pipeline_server(settings={"default_pipeline": "p"}, pipelines=BESIDES) as server,
        Session(server.url) as ml,
    ):
        assert (await ml.ingest(documents(9), model="m", sink=IndexSink(ml, "docs"))).written == 9
    assert "index docs has the default pipeline p, which embeds besides" in caplog.text


async def test_a_user_who_may_not_read_settings_has_the_pipeline_that_is_named(tmp_path: Path) -> None:
    async with pipeline_server(forbids="_settings") as server:
        assert (await run(server, documents(10), tmp_path)).written == 10


async def test_settings_of_an_index_to_be_made_are_read_in_each_form(tmp_path: Path) -> None:
    for settings in ({"index": {"default_pipeline": "p"}}, {"index.default_pipeline": "p"}, {"default_pipeline": "p"}):
        async with pipeline_server(index=None, settings={"default_pipeline": "p"}) as server:
            create = {"settings": settings, "mappings": None}
            assert (await run(server, documents(10), tmp_path, pipeline=None, create=create)).written == 10


@pytest.mark.parametrize(
    ("index", "processors", "count"),
    [
        ({"mappings": {"properties": {"text": {"type": "semantic", "model_id": "m"}}}}, [], 1),
        (knn(2), [text_embedding()], 1),
        (knn(2), [{"ml_inference": {"model_id": "m", "input_map": [{"a": "b"}]}}], 0),
    ],
)
async def test_a_harmless_text_tells_whether_each_model_of_texts_is_in_order(
    index: Any, processors: list[Any], count: int
) -> None:
    async with pipeline_server(index=index, pipelines={"p": {"processors": processors}}) as server:
        async with Session(server.url) as ml:
            sink = IndexSink(ml, "docs", pipeline="p")
            model = await server_model(await plan_of(sink, wait=1))
            for embed in model.harmless:
                await embed(["text"])
    assert (len(model.harmless), server.predicted) == (count, count)


async def test_a_batch_size_of_one_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with pipeline_server(pipelines={"p": {"processors": [text_embedding()]}}) as server:
        await run(server, documents(10), tmp_path)
    assert "sends each text to the remote model in a request of its own: set batch_size" in caplog.text


async def test_a_missing_index_is_created_for_what_the_pipeline_makes(tmp_path: Path) -> None:
    async with pipeline_server(index=None) as server:
        await run(server, documents(10), tmp_path, create=True)
        assert server.index is not None
        field = server.index["mappings"]["properties"]["embedding"]
        assert (field["type"], field["dimension"]) == ("knn_vector", 2)


async def test_the_default_pipeline_of_an_index_embeds_where_none_is_named(tmp_path: Path) -> None:
    async with pipeline_server(settings={"default_pipeline": "p"}) as server:
        assert (await run(server, documents(10), tmp_path, pipeline=None)).written == 10
