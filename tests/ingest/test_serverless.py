"""Bulk jobs into a collection of Amazon OpenSearch Serverless, which takes no ids and has no ``_refresh``."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import pytest_asyncio

from aiomlcommons import NotSupported, Session
from aiomlcommons.ingest import IndexSink, read_dead_letters
from tests.support.serverless import NOW, Serverless, openai, serverless
from tests.support.sinks import DIMENSION, batch, sparse, written

pytestmark = pytest.mark.asyncio
COUNT = 60


@pytest_asyncio.fixture
async def there() -> AsyncGenerator[Serverless]:
    async with serverless() as served:
        yield served


def rows(count: int = COUNT) -> list[dict[str, Any]]:
    return [{"id": f"r{i}", "text": f"text {i}"} for i in range(count)]


def documents(served: Serverless, index: str = "docs") -> dict[str, Any]:
    return {key: document.source for key, document in served.emulator.cluster.own[index].documents.items()}


def ids(served: Serverless, field: str = "ingest_id") -> Counter[str]:
    return Counter(str(source[field]) for source in documents(served).values())


def _once(names: Iterable[str]) -> Counter[str]:
    return Counter(dict.fromkeys(names, 1))


async def test_documents_are_written_without_ids_and_keep_their_own_in_a_field(
    there: Serverless, caplog: pytest.LogCaptureFixture
) -> None:
    model_id = await there.model(openai(there.provider))
    sent = there.requests()
    sink = IndexSink(there.ml, "docs", create=True)
    async with there.ml.ingest(rows(), model=model_id, sink=sink, backoff=NOW) as job:
        report = await job
    assert (report.written, report.failed) == (COUNT, 0)
    assert ids(there) == _once(f"r{i}" for i in range(COUNT))
    assert not set(documents(there)) & {f"r{i}" for i in range(COUNT)}
    mapping = (await there.ml.request("GET", "/docs/_mapping")).json()
    assert mapping["docs"]["mappings"]["properties"]["ingest_id"] == {"type": "keyword"}
    lacking = ("_refresh", "/profile", "/stats", "/_predict/", "/_cluster", "GET /_nodes")
    assert not [request for request in sent if request == "GET /" or any(word in request for word in lacking)]
    (warning,) = [one.message for one in caplog.records if one.levelno >= logging.WARNING]
    assert warning.startswith("index docs takes no ids, so each document keeps its own in the field 'ingest_id'")
    assert "at-least-once" in warning


async def test_a_job_that_resumes_leaves_out_the_documents_that_are_there_already(
    there: Serverless, tmp_path: Path
) -> None:
    model_id = await there.model(openai(there.provider))
    files, saved = tmp_path / "files", tmp_path / "saved"
    files.mkdir()
    checkpoint = files / "job.checkpoint"

    class Watched(IndexSink):
        async def flush(self) -> Any:
            await anyio.to_thread.run_sync(keep)
            return await super().flush()

    def keep() -> None:
        is_half = "docs" in there.emulator.cluster.own and len(documents(there)) >= COUNT // 2
        if is_half and not saved.exists():
            shutil.copytree(files, saved)

    def job() -> Any:
        sink = Watched(there.ml, "docs", create=True)
        return there.ml.ingest(
            rows(), model=model_id, sink=sink, checkpoint=checkpoint, batch=10, checkpoint_every=2, backoff=NOW
        )

    async with job() as running:
        await running
    assert ids(there) == _once(f"r{i}" for i in range(COUNT))
    # As after a crash: the checkpoint is one from the middle of the job, and all later documents are there.
    await anyio.to_thread.run_sync(partial(shutil.copytree, saved, files, dirs_exist_ok=True))
    async with job() as running:
        report = await running
    assert report.written + report.skipped == COUNT
    assert ids(there) == _once(f"r{i}" for i in range(COUNT))


async def test_what_was_written_after_the_last_flush_is_written_once(there: Serverless) -> None:
    first = IndexSink(there.ml, "docs", create=True, backoff=NOW)
    await first.open(None)
    await first.write(batch(0, 3))
    state = await first.flush()
    await first.write(batch(3, 3))
    await first.close(complete=False)
    await written(IndexSink(there.ml, "docs", backoff=NOW), batch(3, 3), batch(6, 2), state=state)
    assert ids(there) == _once(f"d{i}" for i in range(8))


async def test_a_dynamic_mapping_is_searched_by_its_keywords_and_one_without_them_is_told(
    there: Serverless, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = {"embedding": {"type": "knn_vector", "dimension": DIMENSION}}
    await there.ml.request("PUT", "/docs", body={"mappings": {"properties": vectors}})
    await written(IndexSink(there.ml, "docs", backoff=NOW), batch(0, 3))
    state = {"documents": 0, "uuid": None}
    await written(IndexSink(there.ml, "docs", backoff=NOW), batch(0, 4), state=state)
    assert ids(there) == _once(f"d{i}" for i in range(4))
    caplog.clear()
    words = {"mappings": {"properties": {**vectors, "words": {"type": "text"}}}}
    await there.ml.request("PUT", "/others", body=words)
    await written(IndexSink(there.ml, "others", id_field="words", backoff=NOW), batch(0, 1), state=state)
    assert any("cannot be searched by the field 'words'" in one.message for one in caplog.records)


async def test_a_field_that_holds_something_else_than_the_id_is_refused_before_it_is_paid_for(
    there: Serverless, tmp_path: Path
) -> None:
    model_id = await there.model(openai(there.provider))
    odd = [{"id": "a", "text": "x", "ingest_id": "other"}, {"id": "b", "text": "y", "ingest_id": "b"}]
    sink = IndexSink(there.ml, "docs", create=True)
    dead = tmp_path / "dead.jsonl"
    async with there.ml.ingest(odd, model=model_id, sink=sink, dead_letters=dead, max_failures=9) as job:
        report = await job
    assert (report.written, report.failed) == (1, 1)
    (letter,) = read_dead_letters(dead)
    assert "its field 'ingest_id' is not its id" in letter.why
    assert not any("x" in body["input"] for body in there.bodies("/v1/embeddings"))


async def test_the_ids_may_be_kept_in_a_field_that_rows_have_already(there: Serverless) -> None:
    model_id = await there.model(openai(there.provider))
    sink = IndexSink(there.ml, "docs", create=True, id_field="id")
    async with there.ml.ingest(rows(3), model=model_id, sink=sink) as job:
        await job
    assert ids(there, "id") == _once(["r0", "r1", "r2"])
    assert all("ingest_id" not in source for source in documents(there).values())


async def test_a_session_that_was_not_told_learns_that_the_index_takes_no_ids(there: Serverless) -> None:
    async with Session(there.url, flavor="opensearch", backoff=NOW) as ml:
        await written(IndexSink(ml, "docs", create=True, backoff=NOW), batch(0, 3), batch(3, 2))
    assert ids(there) == _once(f"d{i}" for i in range(5))


async def test_a_collection_for_search_takes_the_ids_of_sparse_documents() -> None:
    async with serverless(collection="SEARCH") as there:
        await written(IndexSink(there.ml, "docs", create=True, sparse=True), sparse(0, 2))
        assert list(documents(there)) == ["d0", "d1"]


async def test_numbered_rows_are_not_refused_because_they_replace_nothing(there: Serverless) -> None:
    model_id = await there.model(openai(there.provider))
    for _ in range(2):
        sink = IndexSink(there.ml, "docs", create=True)
        async with there.ml.ingest(["a", "b"], model=model_id, sink=sink) as job:
            assert (await job).written == 2
    assert sum(ids(there).values()) == 4


async def test_a_collection_has_no_replicas_to_switch_off(there: Serverless) -> None:
    sink = IndexSink(there.ml, "docs", create=True, dimension=DIMENSION, replicas_off=True)
    with pytest.raises(NotSupported, match=r"has no cluster settings \(replicas_off=True\): .*AWS manages them"):
        await sink.open(None)
