"""Lookup of what a server does with the documents of an index, by its pipelines and its mapping."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiomlcommons.errors import Forbidden, InvalidRequest, MLCommonsError, NotFound
from aiomlcommons.inference.fields import TextFrom
from aiomlcommons.ingest.rows.pipeline_texts import PipelineTexts
from aiomlcommons.ingest.server_side.plan import SEMANTIC_BATCH_SIZE, Plan
from aiomlcommons.spelling import did_you_mean

if TYPE_CHECKING:
    from aiomlcommons.client import Client
    from aiomlcommons.ingest.sinks import IndexSink

log = logging.getLogger("aiomlcommons")
# The name of an index's setting that means no pipeline, and of a request's parameter.
NO_PIPELINE = "_none"
# What makes documents go through a pipeline.
NAMED, DEFAULT_PIPELINE, FINAL_PIPELINE = "pipeline", "default pipeline", "final pipeline"
# How documents are sent past it.
_PAST = {
    DEFAULT_PIPELINE: "send the documents past it with pipeline='_none' (--pipeline _none)",
    FINAL_PIPELINE: "set index.final_pipeline to '_none'",
}
# The field of texts where none is named.
DEFAULT = "text"


async def plan_of(sink: IndexSink, *, wait: float) -> Plan:
    """Return what the server embeds of documents that are written into an index; retry for up to ``wait`` seconds.

    They go through the pipeline of the sink, or the default one of the index, and through the final one. Semantic
    fields of the mapping are embedded besides. Raises InvalidRequest if there is no such pipeline, or nothing embeds.
    """
    mappings, settings = await sink.layout()
    plan, ml = Plan(sink, mappings, sure=settings is not None), sink.session.options(wait=wait)
    for name in _pipelines(sink, settings or {}).values():
        await _add(ml, plan, name)
    plan.add_semantic(_semantic_batch_size(settings or {}))
    if not plan.steps and plan.sure:
        raise InvalidRequest(_nothing(sink))
    return plan


async def refuse_embedding(sink: IndexSink, *, wait: float) -> None:
    """Raise InvalidRequest if the server would embed what the job embeds; tell if it embeds other fields.

    Its named pipeline must not embed at all, and those of the index must not fill the field of the vectors.
    """
    _, settings = await sink.layout()
    for how, name in _pipelines(sink, settings or {}).items():
        plan = Plan(sink)
        await _add(sink.session.options(wait=wait), plan, name)
        if plan.steps and how == NAMED:
            raise InvalidRequest(
                f"both model= (--model) and the pipeline {name!r} would embed the documents: leave one of them out"
            )
        if any(output.field == sink.field for output in plan.outputs):
            raise InvalidRequest(
                f"index {sink.name} has the {how} {name!r}, whose vectors would replace those of the job in the field "
                f"{sink.field!r}: leave model= (--model) out, {_PAST[how]}, or name another field= (--field)"
            )
        if plan.steps:
            log.warning(
                "index %s has the %s %s, which embeds besides: where its model refuses a text, documents that are "
                "indexed at the same time fail, too",
                sink.name,
                how,
                name,
            )


def _pipelines(sink: IndexSink, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the pipelines that documents go through, in their order, by what makes them do so."""
    first = {DEFAULT_PIPELINE: settings.get("default_pipeline")} if sink.pipeline is None else {NAMED: sink.pipeline}
    both = {**first, FINAL_PIPELINE: settings.get("final_pipeline")}
    return {how: str(name) for how, name in both.items() if name and name != NO_PIPELINE}


def texts_of(plan: Plan, text: str | TextFrom | Callable[..., Any], *, chunked: bool = False) -> PipelineTexts:
    """Return what must have texts of each document: the fields that are embedded, or that of them which is named.

    Raises InvalidRequest for another one, and for several if they are to be ``chunked``.
    """
    named = text.spec if isinstance(text, TextFrom) else str(text)
    looks = isinstance(text, str)
    if not plan.inputs:  # nothing is known of what the server reads
        return PipelineTexts([named], looks=looks, known=False)
    fields = ", ".join(map(repr, plan.inputs))
    if chunked and len(plan.inputs) > 1 and named not in plan.inputs:
        raise InvalidRequest(
            f"{plan.where} embeds the fields {fields}, and chunk= (--chunk-chars) splits one: name it with text= "
            "(--text)"
        )
    if named == DEFAULT and not (chunked and named in plan.inputs):
        return PipelineTexts(plan.inputs, looks=looks)
    if named in plan.inputs:
        return PipelineTexts([named], looks=looks)
    raise InvalidRequest(
        f"{plan.where} embeds the field{'s' * (len(plan.inputs) > 1)} {fields}, and text= (--text) names {named!r}: "
        "leave it out, or name one of those"
    )


async def _add(ml: Client, plan: Plan, name: str) -> None:
    try:
        found = (await ml.pipelines.get(name)).get(name)  # a pattern of names has others, and a write takes none
    except NotFound:
        found = None
    except Forbidden as error:
        log.warning("no permission to read the pipeline %s, so that nothing of it can be checked: %s", name, error)
        plan.sure = False
        return
    if found is None:
        raise InvalidRequest(await _no_such(ml, name))
    processors = found.to_dict()["processors"]
    others = await _all(ml) if any("pipeline" in processor for processor in processors) else {}
    plan.add(processors, others, (name,))
    if plan.missing:
        raise InvalidRequest(f"the pipeline {name!r} runs another one: {await _no_such(ml, plan.missing[0])}")


async def _all(ml: Client) -> Mapping[str, Any]:
    return {name: pipeline.to_dict() for name, pipeline in (await ml.pipelines.get()).items()}


async def _no_such(ml: Client, name: str) -> str:
    hint = ""
    with suppress(MLCommonsError):  # the suggestion must not hide what it is about
        hint = did_you_mean(name, await _all(ml))
    return f"there is no ingest pipeline {name!r}{f' ({hint})' if hint else ''}: create it with ml.pipelines.create"


def _nothing(sink: IndexSink) -> str:
    remedy = "name a model with model= (--model)"
    if sink.pipeline is not None:
        return f"the pipeline {sink.pipeline!r} embeds nothing: add a processor such as text_embedding, or {remedy}"
    return (
        f"nothing embeds the documents: there is no model, and index {sink.name} has neither a default pipeline nor "
        f"semantic fields; name a pipeline with IndexSink(..., pipeline=...) (--pipeline), or {remedy}"
    )


def _semantic_batch_size(settings: Mapping[str, Any]) -> int:
    whole = settings.get("neural_search.semantic_ingest_batch_size", SEMANTIC_BATCH_SIZE)
    return int(settings.get("neural_search", {}).get("semantic_ingest_batch_size", whole))
