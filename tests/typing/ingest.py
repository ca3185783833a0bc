"""Types of bulk jobs, as type checkers see them; nothing here is run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, assert_type

from aiomlcommons import Backoff, ModelIndex, PretrainedModel, Session
from aiomlcommons.api.predict import BatchStarted
from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.ingest.job import Job
from aiomlcommons.ingest.methods import Ingestion
from aiomlcommons.ingest.sinks import CallableSink, IndexSink, JsonLinesSink, NpySink, ParquetSink
from aiomlcommons.ingest.sources import (
    ArrowSource,
    CsvSource,
    IndexSource,
    IterableSource,
    JsonlSource,
    JsonSource,
    MappedSource,
    StdinSource,
)
from aiomlcommons.ingest.stats import Report, Stats
from aiomlcommons.ingest.types import Documents, Refused, Row, Rows, Sink, Source
from aiomlcommons.integrations.ray import Embed, Index, OpenSearchDatasink, Refusal
from aiomlcommons.integrations.spark import EmbedInArrow, embed_in_arrow


async def a_job(ml: Session, row: Row) -> None:
    async with ml.ingest("docs.jsonl", model="all-MiniLM-L6-v2", sink=Path("vectors.parquet")) as job:
        assert_type(job, Job)
        assert_type(job.stats, Stats)
        assert_type(job.stats.written, int)
        assert_type(job.stats.total, int | None)
        assert_type(job.stats.eta, float | None)
        assert_type(job.stats.counts, dict[str, int])
        assert_type(job.succeeded, bool)
        assert_type(job.done(), bool)
        report = await job
        assert_type(report, Report)
    assert_type(await ml.ingest(["a"], model="m", sink="a.npy"), Report)
    assert_type(ml.ingest(["a"], model="m", sink="a.npy"), Ingestion)
    assert_type(await ml.ingest(["a"], model=None, sink=IndexSink(ml, "docs", pipeline="p")), Report)
    assert_type((report.read, report.written, report.failed), tuple[int, int, int])
    assert_type(report.seconds, float)
    assert_type(report.dead_letters, str | None)
    assert_type(report.balanced, bool)


async def every_option(ml: Session) -> None:
    job = ml.ingest(
        [{"key": 1}],
        model=PretrainedModel(name="all-MiniLM-L6-v2"),
        sink=IndexSink(
            ml, "docs", create=True, base64=False, engine="lucene", method={"name": "hnsw"}, replicas_off=True
        ),
        text=lambda row: str(row["key"]),
        id=None,
        checkpoint=Path("job"),
        dead_letters="dead.jsonl",
        batch=32,
        batch_bytes=10_000,
        concurrency=(1, 8),
        ordered=False,
        max_chars=1_000,
        linger=0.5,
        backoff=Backoff(first=0),
        retry_budget=10,
        stall_timeout=5,
        checkpoint_every=1,
    )
    as_context: AbstractAsyncContextManager[Job] = job
    assert as_context


def every_source(ml: Session) -> Sequence[Source]:
    lines = JsonlSource("a.jsonl.gz")
    assert_type(lines.read(), AsyncGenerator[Rows])
    return [
        lines,
        StdinSource(),
        CsvSource("a.csv", delimiter=";", quoting="none", encoding="latin-1", header=["id", "text"]),
        JsonSource("a.json", encoding="utf-16"),
        ArrowSource("a.parquet"),
        IterableSource([]),
        IndexSource(ml, "i"),
    ]


def every_sink(ml: Session, function: Any) -> Sequence[Sink]:
    return [JsonLinesSink("a.jsonl"), NpySink("a.npy"), ParquetSink("a"), CallableSink(function), IndexSink(ml, "docs")]


async def a_sink_of_ones_own(sink: Sink, batch: Documents) -> None:
    assert_type(await sink.write(batch), Sequence[Refused])
    assert_type(batch.ids, list[str])


async def an_offline_prediction(ml: Session) -> None:
    started = await ml.models.batch_predict("m", parameters={})
    assert_type(started, BatchStarted)
    assert_type(await ml.task(started), TaskInfo)
    assert_type(await ml.task(started).cancel(), TaskInfo)


async def an_index_for_a_model(ml: Session) -> None:
    found = await ml.indices.create_for("m", index="docs", method={"name": "hnsw"}, body={"aliases": {}})
    assert_type(found, ModelIndex)
    assert_type(found.created, bool)


def on_ray(batch: Any) -> None:
    Embed("m", concurrency=(1, 4), content_type="passage")(batch)
    Embed("m", on_error="column", error="why", requests_per_minute=60, tokens_per_minute=9_000, count_tokens=len)(batch)
    Index("docs", "https://host:9200", create=True, on_error="column")(batch)
    sink = OpenSearchDatasink("docs", on_error="report")
    assert_type(sink.written, int)
    assert_type(sink.refused, list[Refusal])


def on_spark() -> None:
    assert_type(embed_in_arrow("m", sparse=True, on_error="column", requests_per_minute=60), EmbedInArrow)
    embed_in_arrow("m", on_error="report")  # type: ignore[arg-type]
    embed_in_arrow("m", nope=1)  # type: ignore[call-arg]


async def what_the_type_checkers_refuse(ml: Session, job: Job, mapped: MappedSource) -> None:
    ml.ingest("a.jsonl", sink="b.npy")  # type: ignore[call-arg]
    ml.ingest("a.jsonl", model="m")  # type: ignore[call-arg]
    ml.ingest("a.jsonl", "m", "b.npy")  # type: ignore[call-arg]
    ml.ingest("a.jsonl", model=5, sink="b.npy")  # type: ignore[arg-type]
    ml.ingest("a.jsonl", model="m", sink="b.npy", text=5)  # type: ignore[arg-type]
    ml.ingest("a.jsonl", model="m", sink="b.npy", concurrency="2")  # type: ignore[arg-type]
    ml.ingest("a.jsonl", model="m", sink="b.npy", concurrency=(1, 2, 3))  # type: ignore[arg-type]
    ml.ingest("a.jsonl", model="m", sink="b.npy", batch=1.5)  # type: ignore[arg-type]
    ml.ingest("a.jsonl", model="m", sink="b.npy", backoff=2)  # type: ignore[arg-type]
    ml.ingest("a.jsonl", model="m", sink="b.npy", nope=1)  # type: ignore[call-arg]
    job.stats = Stats()  # type: ignore[misc]
    (await job).written = 5  # type: ignore[misc]
    IndexSink(ml, "docs", base64="yes")  # type: ignore[arg-type]
    IndexSink(ml, "docs", method=5)  # type: ignore[arg-type]
    await ml.indices.create_for("m")  # type: ignore[call-arg]
    Index()  # type: ignore[call-arg]
    wrong: Report = job  # type: ignore[assignment]
    assert wrong
    async with ml.ingest("a.jsonl", model="m", sink="b.npy") as entered:
        other: Report = entered  # type: ignore[assignment]
        assert other
