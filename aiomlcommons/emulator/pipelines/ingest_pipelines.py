"""Ingest pipelines: their configuration, checked as the server checks it, and the drafts that go through one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal
from aiomlcommons.emulator.pipelines.drafts import BATCHING, MAKERS, Draft, Processor
from aiomlcommons.emulator.pipelines.options import Options, bad_config
from aiomlcommons.emulator.pipelines.tallies import tallies_of
from aiomlcommons.emulator.querying.errors import not_emulated

NO_PIPELINE = "pipeline with id [{id}] does not exist"
NO_BATCH = "batch size must be a positive integer"
NEURAL = {"text_embedding", "sparse_encoding", "text_chunking", "text_image_embedding"}
"""The types of processors that are those of neural-search."""

# The server has these, too.
OTHERS = re.findall(
    r"\w+",
    """
    append bytes community_id convert copy csv date date_index_name dissect dot_expander drop fail fingerprint foreach
    geoip geojson_feature grok gsub html_strip ip2geo join json kv lowercase pipeline remove_by_pattern script sort
    sparse_encoding_v2 split trim uppercase urldecode user_agent
    """,
)


@attrs.frozen
class Pipeline:
    """The processors that a draft goes through, and those that it goes through where one of them fails."""

    id: str
    processors: Sequence[Processor]
    on_failure: Sequence[Processor] = ()


def parsed(cluster: Cluster, pipeline_id: str, body: Mapping[str, Any]) -> Pipeline:
    """Return a pipeline by its configuration. Raises Refused."""
    given = dict(body)
    if "processors" not in given:
        raise bad_config("[processors] required property is missing", name="processors")
    processors = [_processor(cluster, one) for one in given.pop("processors")]
    on_failure = [_processor(cluster, one) for one in given.pop("on_failure", ())]
    if unknown := [name for name in given if name not in {"description", "version", "_meta"}]:
        words = "doesn't support one or more provided configuration parameters"
        raise bad_config(f"pipeline [{pipeline_id}] {words} [{', '.join(unknown)}]")
    return Pipeline(pipeline_id, processors, on_failure)


def _processor(cluster: Cluster, given: Mapping[str, Any]) -> Processor:
    ((kind, config),) = given.items()
    if kind in OTHERS:
        raise not_emulated(f"processor [{kind}]")
    if kind not in MAKERS or (kind in NEURAL and not cluster.has("neural-search")):
        raise bad_config(f"No processor type exists with name [{kind}]", kind)
    options = Options(kind, dict(config))
    if "if" in options.rest:
        raise not_emulated("condition of a processor, which is a script")
    tag, _ = options.maybe_text("tag"), options.maybe_text("description")
    ignores = options.flag("ignore_failure")
    on_failure = [_processor(cluster, one) for one in options.list("on_failure")]
    size = options.whole("batch_size", 1) if kind in BATCHING else 1
    if size < 1:
        raise options.bad("batch_size", NO_BATCH)
    work = MAKERS[kind](options)
    options.finish()
    return Processor(kind, work, size, tag, ignores, on_failure)


def missing(pipeline_id: str) -> Refused:
    """Return the error of a document that should go through a pipeline that there is not."""
    return illegal(NO_PIPELINE.format(id=pipeline_id))


async def run(cluster: Cluster, pipeline_id: str, drafts: Sequence[Draft]) -> None:
    """Send drafts through a pipeline; one that fails has its error then."""
    body = cluster.pipelines.get(pipeline_id)
    if body is None:
        for draft in drafts:
            draft.fail(missing(pipeline_id))
        return
    await through(cluster, parsed(cluster, pipeline_id, body), drafts)


async def through(cluster: Cluster, pipeline: Pipeline, drafts: Sequence[Draft]) -> None:
    """Send drafts through the processors of a pipeline, those without an error."""
    kinds = [processor.kind for processor in pipeline.processors]
    tallies = tallies_of(cluster, pipeline.id, kinds)
    async with tallies.whole.counted(cluster.clock, drafts):
        for processor, tally in zip(pipeline.processors, tallies.processors, strict=True):
            async with tally.counted(cluster.clock, drafts):
                await process(cluster, processor, drafts)
        await _after(cluster, pipeline, drafts)


async def _after(cluster: Cluster, pipeline: Pipeline, drafts: Sequence[Draft]) -> None:
    failed = [draft for draft in drafts if draft.error is not None]
    if failed and pipeline.on_failure:
        await _rescue(cluster, pipeline.on_failure, failed)


async def process(cluster: Cluster, processor: Processor, drafts: Sequence[Draft]) -> None:
    """Let one processor work on drafts, in batches that are all under way at once, as on the server."""
    good = [draft for draft in drafts if draft.error is None]
    size = processor.batch_size
    batches = [good[start : start + size] for start in range(0, len(good), size)]
    await asyncio.gather(*(_work(cluster, processor, batch) for batch in batches))
    failed = [draft for draft in good if draft.error is not None]
    if failed and processor.on_failure:
        await _rescue(cluster, processor.on_failure, failed)
    if processor.ignores_failure:
        for draft in failed:
            draft.error = None


async def _work(cluster: Cluster, processor: Processor, batch: Sequence[Draft]) -> None:
    try:
        await processor.work(cluster, batch)
    except Refused as error:
        for draft in batch:
            draft.fail(error)
    # Those of a batch that failed alone are told with the others of it.
    for draft in batch:
        if draft.error is not None:
            draft.fail(draft.error)


async def _rescue(cluster: Cluster, processors: Sequence[Processor], failed: Sequence[Draft]) -> None:
    """Send failed drafts through the processors for such; they go on if these do not fail."""
    for draft in failed:
        draft.error = None
    for processor in processors:
        await process(cluster, processor, failed)
