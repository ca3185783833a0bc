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
from aiomlcommons.emulator.pipelines.options import Options, bad_config, java_type, uncastable
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
    acl_routing append bytes community_id convert copy csv date date_index_name dissect dot_expander drop fail
    fingerprint foreach geoip geojson_feature grok gsub hierarchical_routing html_strip ip2geo join json kv lowercase
    pipeline remove remove_by_pattern rename script set sort split trim uppercase urldecode user_agent
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
    options = Options(None, dict(body))
    options.maybe_text("description")
    options.whole("version", 0)
    if (given := options.maybe_list("processors")) is None:
        raise options.bad("processors", "required property is missing")
    processors = _processors(cluster, given)
    rescuers = options.maybe_list("on_failure")
    on_failure = _processors(cluster, rescuers or ())
    if rescuers == []:
        raise bad_config(f"pipeline [{pipeline_id}] cannot have an empty on_failure option defined")
    if options.rest:
        words = "doesn't support one or more provided configuration parameters"
        raise bad_config(f"pipeline [{pipeline_id}] {words} [{', '.join(options.rest)}]")
    return Pipeline(pipeline_id, processors, on_failure)


def _processors(cluster: Cluster, given: Sequence[Any]) -> list[Processor]:
    """Return processors, each of which has its type as its key; the server takes several of one object, or none."""
    for one in given:
        if not isinstance(one, Mapping):
            raise uncastable(one, "java.util.Map")
    return [_processor(cluster, kind, config) for one in given for kind, config in one.items()]


def _processor(cluster: Cluster, kind: str, config: Any) -> Processor:
    if config is None:
        raise bad_config(f"the config of processor [{kind}] cannot be null", kind)
    if not isinstance(config, Mapping):
        raise bad_config(f"property isn't a map, but of type [{java_type(config)}]", kind)
    if kind in OTHERS:
        raise not_emulated(f"processor [{kind}]")
    if kind not in MAKERS or (kind in NEURAL and not cluster.has("neural-search")):
        raise bad_config(f"No processor type exists with name [{kind}]", kind)
    options = Options(kind, dict(config))
    if "if" in options.rest:
        raise not_emulated("condition of a processor, which is a script")
    # Of what all processors have, errors do not say in which it is.
    common = Options(None, options.rest)
    tag, description = common.maybe_text("tag"), common.maybe_text("description")
    ignores = common.flag("ignore_failure")
    rescuers = common.maybe_list("on_failure")
    on_failure = _processors(cluster, rescuers or ())
    if rescuers is not None and not on_failure:
        raise options.bad("on_failure", "processors list cannot be empty")
    size = options.whole("batch_size", 1) if kind in BATCHING else 1
    if size < 1:
        raise options.bad("batch_size", NO_BATCH)
    work = MAKERS[kind](options)
    options.finish()
    return Processor(kind, work, size, tag, description, ignores, on_failure)


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
