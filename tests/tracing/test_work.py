"""Spans of models that are asked, of ensure, of tasks that are waited for, and of jobs, with what they count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from aiomlcommons import Forbidden, InvalidRequest, ModelNotReady, NotFound, Session, emulator
from aiomlcommons.emulator import Emulator
from aiomlcommons.ingest import Documents
from aiomlcommons.lifecycle.errors import NoSuchModel
from aiomlcommons.waiting.errors import TaskFailed
from tests.spans import page, scenes
from tests.support.emulated_models import DENSE, NOW, deployed
from tests.support.telemetry import Recorded, recorded

pytestmark = pytest.mark.asyncio
TEXTS = [f"text {number}" for number in range(130)]


async def model(ml: Session) -> str:
    await ml.settings.allow_first_model()
    return await deployed(ml)


# ---- models that are asked -------------------------------------------------------------------------------------------


async def test_embeddings_are_a_span_by_the_conventions_with_the_call_in_it() -> None:
    async with emulator.serve() as url, Session(url) as ml:
        model_id = await model(ml)
        with recorded() as found:
            await ml.embed_one(model_id=model_id, text="a soft answer")
    span = found.one("embeddings")
    assert (span.name, span.kind) == (f"embeddings {model_id}", SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "opensearch",
        "gen_ai.request.model": model_id,
        "gen_ai.embeddings.dimension.count": 384,
    }
    assert [child.name for child in found.children(span)] == ["predict"]
    known = {"gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "opensearch"}
    assert found.points("gen_ai.client.operation.duration") == [({**known, "gen_ai.request.model": model_id}, 1)]


async def test_what_ensure_returned_is_told_as_the_plain_id() -> None:
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        ensured = await ml.models.ensure("all-MiniLM-L6-v2", backoff=NOW)
        with recorded() as found:
            await ml.embed_many(ensured, ["a soft answer"])
            await ml.models.get(ensured)
    told = [found.one("embeddings").attributes, found.one("models.get").attributes]
    for attributes, name in zip(told, ("gen_ai.request.model", "db.operation.parameter.model_id"), strict=True):
        assert attributes
        assert (type(attributes[name]), attributes[name]) == (str, str.__str__(ensured))
    assert found.one("embeddings").name == f"embeddings {str.__str__(ensured)}"


async def test_each_batch_of_a_stream_is_a_span_of_its_own_below_the_callers() -> None:
    async with emulator.serve() as url, Session(url) as ml:
        model_id = await model(ml)
        with recorded() as found, found.tracers.get_tracer("caller").start_as_current_span("request"):
            async with ml.embed(model_id, TEXTS, batch=50) as embedded:
                assert len([row async for row, _ in embedded]) == len(TEXTS)
    assert len(found.children(found.one("request"))) == len(found.named("embeddings")) == 3


async def test_a_failed_question_to_a_model_records_its_error_in_the_call(found: Recorded) -> None:
    async with emulator.serve() as url, Session(url) as ml:
        for ask in (ml.sparse("nope", ["a"]), ml.rerank("nope", "q", ["a"])):
            with pytest.raises((NotFound, ModelNotReady)):
                await ask
        wrong: Any = 5
        with pytest.raises(InvalidRequest):
            await ml.embed_many(wrong, ["a"])
    failed = found.one("rerank nope")
    assert failed.attributes
    assert failed.attributes["error.type"] == "404"
    assert (failed.status.status_code, len(failed.events)) == (StatusCode.ERROR, 0)
    assert [event.name for event in found.children(failed)[0].events] == ["exception"]
    assert found.one("embeddings nope")
    assert [span.name for span in found.children(None)][-1] == "embeddings", "without what is no id of a model"


# ---- the lifecycle and tasks -----------------------------------------------------------------------------------------


async def test_ensure_is_one_span_with_its_phases_and_all_of_its_calls(found: Recorded) -> None:
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        ensured = await ml.models.ensure("all-MiniLM-L6-v2", backoff=NOW)
    span = found.one("models.ensure")
    assert (span.kind, span.status.status_code) == (SpanKind.INTERNAL, StatusCode.UNSET)
    assert dict(span.attributes or {}) == {"aiomlcommons.model.id": ensured.model_id, "aiomlcommons.model.name": DENSE}
    phases = [(event.attributes or {})["aiomlcommons.phase"] for event in span.events]
    assert phases == ["registering", "registered", "deploying", "deployed"]
    tasks = found.named("task")
    assert {str((task.attributes or {})["aiomlcommons.task.type"]) for task in tasks} == {
        "REGISTER_MODEL",
        "DEPLOY_MODEL",
    }
    assert all(task in found.children(span) for task in tasks)
    assert all(call.name == "tasks.get" for task in tasks for call in found.children(task))
    assert {one.name for one in found.children(None)} == {"models.ensure", "settings.get", "settings.put"}


async def test_ensure_and_a_task_that_fail_have_the_kind_of_the_error(found: Recorded) -> None:
    emulated = Emulator()
    async with emulated.serve() as url, Session(url) as ml:
        with pytest.raises(NoSuchModel):
            await ml.models.ensure("no such model")
        await ml.settings.allow_first_model()
        emulated.faults.fail_task("broken: a text of yours")
        model_id = (
            await ml.task(await ml.models.register(DENSE, version="1.0.2", model_format="TORCH_SCRIPT"))
        ).model_id
        assert model_id
        with pytest.raises(TaskFailed):
            await ml.task(await ml.models.deploy(model_id), backoff=NOW)
    ensured, task = found.one("models.ensure"), found.named("task")[-1]
    assert ensured.attributes
    assert task.attributes
    assert (ensured.attributes["error.type"], task.attributes["error.type"]) == ("NoSuchModel", "TaskFailed")
    assert task.attributes["aiomlcommons.task.state"] == "FAILED"
    assert not any("text of yours" in span.to_json() for span in found.spans)


# ---- jobs ------------------------------------------------------------------------------------------------------------


async def test_a_job_is_one_span_with_its_counts_and_counters(tmp_path: Path) -> None:
    rows = [{"id": number, "text": text} for number, text in enumerate(TEXTS)]
    rows += [rows[0], {"id": 500}]
    emulated = Emulator()
    async with emulated.serve() as url, Session(url) as ml:
        model_id = await model(ml)
        emulated.faults.throttle(times=1)
        with recorded() as found:
            async with ml.ingest(rows, model=model_id, sink=tmp_path / "out.jsonl", backoff=NOW) as job:
                await ml.models.get(model_id)
                report = await job
    span = found.one("ingest")
    assert (span.kind, span.status.status_code, span.parent) == (SpanKind.INTERNAL, StatusCode.UNSET, None)
    attributes = dict(span.attributes or {})
    assert attributes.pop("aiomlcommons.model.id") == model_id
    assert (attributes.pop("aiomlcommons.ingest.source"), attributes.pop("aiomlcommons.ingest.sink")) == (
        *("iterable", "jsonlines"),
    )
    counts = {name.removeprefix("aiomlcommons.ingest."): count for name, count in attributes.items()}
    assert counts == {name: getattr(report, name) for name in counts}
    assert (counts["written"], counts["deduplicated"], counts["failed"], counts["retried"]) == (130, 1, 1, 1)
    assert {one.name for one in found.children(None)} == {"ingest", "models.get"}, (
        "the caller's call is none of the job's"
    )
    assert {one.name.partition(" ")[0] for one in found.children(span)} >= {"models.ensure", "embeddings"}
    sink = {"aiomlcommons.ingest.sink": "jsonlines"}
    assert found.points("aiomlcommons.ingest.documents.read") == [(sink, 132)]
    assert found.points("aiomlcommons.ingest.requests.retried") == [(sink, 1)]
    settled = found.points("aiomlcommons.ingest.documents.settled")
    assert {told["aiomlcommons.ingest.outcome"]: count for told, count in settled} == {
        "written": 130,
        "deduplicated": 1,
        "failed": 1,
    }


async def test_the_counters_of_a_job_grow_while_it_runs(found: Recorded) -> None:
    so_far = list[int]()

    def sink(_: Documents) -> None:
        points = found.points("aiomlcommons.ingest.documents.settled") if so_far else []
        so_far.append(sum(count for _, count in points))

    async with emulator.serve() as url, Session(url) as ml:
        async with ml.ingest(TEXTS, model=await model(ml), sink=sink, batch=50) as job:
            await job
    assert so_far == [0, 50, 100]


async def test_a_job_that_resumes_counts_what_is_new_only(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(f'{{"id": {number}, "text": "{text}"}}\n' for number, text in enumerate(TEXTS)))
    files: dict[str, Any] = {"sink": tmp_path / "out.jsonl", "checkpoint": tmp_path / "job"}
    emulated = Emulator()
    async with emulated.serve() as url, Session(url) as ml:
        options: dict[str, Any] = {"model": await model(ml), "batch": 10, "checkpoint_every": 1, **files}
        emulated.faults.fail(403, every=5)
        with recorded() as first:
            with pytest.raises(Forbidden):
                async with ml.ingest(source, concurrency=1, **options) as job:
                    await job
        emulated.faults.clear()
        with recorded() as second:
            async with ml.ingest(source, **options) as job:
                report = await job
    assert (first.one("ingest").attributes or {})["error.type"] == "403"
    assert (second.one("ingest").attributes or {})["aiomlcommons.ingest.written"] == report.written == len(TEXTS)
    assert _outcomes(first) == [("written", 40)]
    assert _outcomes(second) == [("written", len(TEXTS) - 40)]


async def test_a_job_that_is_left_early_says_so(tmp_path: Path) -> None:
    emulated = Emulator()
    async with emulated.serve() as url, Session(url) as ml:
        model_id = await model(ml)
        emulated.faults.slow(60)
        with recorded() as found:
            async with ml.ingest(TEXTS, model=model_id, sink=tmp_path / "out.jsonl"):
                pass
    assert (found.one("ingest").attributes or {})["error.type"] == "JobStopped"


def _outcomes(found: Recorded) -> list[tuple[str, int]]:
    points = found.points("aiomlcommons.ingest.documents.settled")
    return [(told["aiomlcommons.ingest.outcome"], count) for told, count in points]


async def test_the_error_that_ends_a_job_is_that_of_its_span_and_a_callers_is_not(tmp_path: Path) -> None:
    def rows() -> Any:
        yield "a"
        raise OSError("a text of yours")

    async with emulator.serve() as url, Session(url) as ml:
        model_id = await model(ml)
        with recorded() as found:
            async with ml.ingest(rows(), model=model_id, sink=tmp_path / "a.jsonl") as job:
                with pytest.raises(OSError, match="text of yours"):
                    await job
            with pytest.raises(KeyError):
                async with ml.ingest(TEXTS, model=model_id, sink=tmp_path / "b.jsonl") as job:
                    await job
                    raise KeyError("the caller's")
            with pytest.raises(InvalidRequest):
                async with ml.ingest(TEXTS, model=model_id, sink=tmp_path / "b.jsonl"):
                    pass
    kinds = [(span.attributes or {}).get("error.type") for span in found.named("ingest")]
    assert kinds == ["OSError", None, "InvalidRequest"]
    assert not any("text of yours" in span.to_json() for span in found.spans)


async def test_the_scenes_that_are_printed_show_what_they_say() -> None:
    text = "\n".join(page(await scenes()))
    assert text.count("* aiomlcommons.retry") == 2
    assert "CLIENT 'embeddings " in text
    assert "INTERNAL 'ingest'" in text
    assert "aiomlcommons.ingest.documents.settled = 100" in text
