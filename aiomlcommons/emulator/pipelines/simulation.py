"""``_simulate``: what a pipeline would do to documents, without writing them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal
from aiomlcommons.emulator.pipelines import ingest_pipelines
from aiomlcommons.emulator.pipelines.drafts import Draft, Processor
from aiomlcommons.emulator.pipelines.ingest_pipelines import Pipeline
from aiomlcommons.emulator.pipelines.options import Options
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
    given = Options(None, dict(body))
    if (docs := given.maybe_list("docs")) is None:
        raise given.bad("docs", "required property is missing")
    drafts = [_draft(one) for one in docs]
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
        return name, ingest_pipelines.parsed(cluster, name, Options(None, dict(body)).map("pipeline"))
    if name not in cluster.pipelines:
        raise illegal(f"pipeline [{name}] does not exist")
    return name, ingest_pipelines.parsed(cluster, name, cluster.pipelines[name])


def _draft(given: Any) -> Draft:
    if not isinstance(given, Mapping):
        raise illegal("malformed [docs] section, should include an inner object")
    source = Options(None, dict(given)).map("_source")
    draft = Draft(str(given.get("_index", "_index")), str(given.get("_id", "_id")), copy.deepcopy(source))
    return attrs.evolve(draft, routing=given.get("_routing"))


def _doc(draft: Draft, ingest: Mapping[str, Any]) -> dict[str, Any]:
    routing = {} if draft.routing is None else {"_routing": draft.routing}
    where = {"_index": draft.index, "_id": draft.key, **routing}
    return {**where, "_source": copy.deepcopy(draft.source), "_ingest": ingest}


def _error(error: Refused) -> dict[str, Any]:
    return {"error": error.body["error"]}


async def _verbose(cluster: Cluster, name: str, pipeline: Pipeline, draft: Draft) -> dict[str, Any]:
    return {"processor_results": await _steps(cluster, name, pipeline.processors, draft)}


async def _steps(cluster: Cluster, name: str, processors: Sequence[Processor], draft: Draft) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for processor in processors:
        results += [await _step(cluster, name, processor, draft)]
        if _failed(draft) and processor.on_failure:
            draft.error = None
            results += await _steps(cluster, name, processor.on_failure, draft)
        if _failed(draft):
            break
    return results


def _failed(draft: Draft) -> bool:
    return draft.error is not None


async def _step(cluster: Cluster, name: str, processor: Processor, draft: Draft) -> dict[str, Any]:
    """Let one processor work, and return what became of the document."""
    heard = Draft(draft.index, draft.key, draft.source)
    bare = Processor(processor.kind, processor.work, processor.batch_size)
    await ingest_pipelines.process(cluster, bare, [heard])
    draft.source, error = heard.source, heard.error
    status = "success" if error is None else "error_ignored" if processor.ignores_failure else "error"
    step: dict[str, Any] = {"processor_type": processor.kind, "status": status}
    said = {"tag": processor.tag, "description": processor.description}
    step |= {name: one for name, one in said.items() if one is not None}
    if error is not None:
        step |= {"ignored_error": _error(error)} if processor.ignores_failure else _error(error)
    if error is not None and not processor.ignores_failure:
        draft.error = error
        return step
    return {**step, "doc": _doc(draft, {"pipeline": name, "timestamp": _now(cluster)})}


def _now(cluster: Cluster) -> str:
    return datetime.fromtimestamp(cluster.clock(), UTC).isoformat().replace("+00:00", "Z")
