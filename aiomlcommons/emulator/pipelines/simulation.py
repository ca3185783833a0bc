"""``_simulate``: what a pipeline would do to documents, without writing them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal
from aiomlcommons.emulator.pipelines import ingest_pipelines
from aiomlcommons.emulator.pipelines.drafts import Draft, Processor
from aiomlcommons.emulator.pipelines.ingest_pipelines import Pipeline
from aiomlcommons.emulator.pipelines.options import bad_config
from aiomlcommons.emulator.pipelines.store import body_of
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route

INLINE = "_simulate_pipeline"


@route(
    *("POST /_ingest/pipeline/_simulate", "GET /_ingest/pipeline/_simulate"),
    *("POST /_ingest/pipeline/{id}/_simulate", "GET /_ingest/pipeline/{id}/_simulate"),
    parameters="verbose",
)
async def simulate(cluster: Cluster, call: Call) -> Plain:
    """Return documents as a pipeline leaves them; ``verbose`` shows them after each processor."""
    body = body_of(call)
    name, pipeline = _pipeline(cluster, call, body)
    if "docs" not in body:
        raise bad_config("[docs] required property is missing", name="docs")
    drafts = [_draft(one) for one in body["docs"]]
    if not drafts:
        raise illegal("must specify at least one document in [docs]")
    if call.flag("verbose"):
        return Plain({"docs": [await _verbose(cluster, name, pipeline, draft) for draft in drafts]})
    for draft in drafts:
        await ingest_pipelines.through(cluster, pipeline, [draft])
    now = _now(cluster)
    shown = [_error(draft.error) if draft.error else {"doc": _doc(draft, {"timestamp": now})} for draft in drafts]
    return Plain({"docs": shown})


def _pipeline(cluster: Cluster, call: Call, body: Mapping[str, Any]) -> tuple[str, Pipeline]:
    name = call.names.get("id", INLINE)
    if name == INLINE:
        if "pipeline" not in body:
            raise bad_config("[pipeline] required property is missing", name="pipeline")
        return name, ingest_pipelines.parsed(cluster, name, body["pipeline"])
    if name not in cluster.pipelines:
        raise illegal(f"pipeline [{name}] does not exist")
    return name, ingest_pipelines.parsed(cluster, name, cluster.pipelines[name])


def _draft(given: Mapping[str, Any]) -> Draft:
    if "_source" not in given:
        raise bad_config("[_source] required property is missing", name="_source")
    return Draft(str(given.get("_index", "_index")), str(given.get("_id", "_id")), copy.deepcopy(given["_source"]))


def _doc(draft: Draft, ingest: Mapping[str, Any]) -> dict[str, Any]:
    return {"_index": draft.index, "_id": draft.key, "_source": copy.deepcopy(draft.source), "_ingest": ingest}


def _error(error: Refused) -> dict[str, Any]:
    return {"error": error.body["error"]}


async def _verbose(cluster: Cluster, name: str, pipeline: Pipeline, draft: Draft) -> dict[str, Any]:
    results = []
    for processor in pipeline.processors:
        if draft.error is None:
            results += [await _step(cluster, name, processor, draft)]
    return {"processor_results": results}


async def _step(cluster: Cluster, name: str, processor: Processor, draft: Draft) -> dict[str, Any]:
    """Let one processor work, and return what became of the document."""
    heard = Draft(draft.index, draft.key, draft.source)
    bare = Processor(processor.kind, processor.work, processor.batch_size)
    await ingest_pipelines.process(cluster, bare, [heard])
    draft.source, error = heard.source, heard.error
    status = "success" if error is None else "error_ignored" if processor.ignores_failure else "error"
    step: dict[str, Any] = {"processor_type": processor.kind, "status": status}
    if processor.tag is not None:
        step["tag"] = processor.tag
    if error is not None:
        step |= {"ignored_error": _error(error)} if processor.ignores_failure else _error(error)
    if error is not None and not processor.ignores_failure:
        draft.error = error
        return step
    return {**step, "doc": _doc(draft, {"pipeline": name, "timestamp": _now(cluster)})}


def _now(cluster: Cluster) -> str:
    return datetime.fromtimestamp(cluster.clock(), UTC).isoformat().replace("+00:00", "Z")
