"""Writes on their way through ingest pipelines: those of the request, those of the index, and semantic fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.emulator.bad_json import map_of
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.encoding import to_json
from aiomlcommons.emulator.errors import Refused
from aiomlcommons.emulator.indices import names, semantic_ingest
from aiomlcommons.emulator.indices.state import UserIndex
from aiomlcommons.emulator.indices.writes import Write, merged
from aiomlcommons.emulator.pipelines import ingest_pipelines
from aiomlcommons.emulator.pipelines.drafts import Draft, Processor
from aiomlcommons.emulator.querying.scope import Field

NO_PIPELINE = "_none"


@attrs.frozen
class Ingested:
    """Writes after their pipelines: each as it was and as it is to be done, or the error of its document.

    Those that failed stand in the places of such in the order in which they failed, as on the server: only by its id
    does one know which is which. ``was_any`` tells whether there was a pipeline at all.
    """

    writes: Sequence[tuple[Write, Write | Refused]]
    was_any: bool


@attrs.define(eq=False)
class _Steps:
    """What documents for an index go through: pipelines, and what embeds semantic fields; and the documents."""

    name: str
    index: UserIndex | None
    pipelines: Sequence[str]
    fields: Mapping[str, Field]
    semantic: Processor | None
    pending: list[_Pending] = attrs.field(factory=list)
    # The error of a document that is no object: the server makes drafts of all, or of none.
    unreadable: Refused | None = None


@attrs.frozen
class _Pending:
    """A write whose document is on its way, the whole of its body, and the key of the document in that, if any."""

    place: int
    write: Write
    body: dict[str, Any]
    inner: str | None
    draft: Draft
    # Whether the document changes an old one.
    is_change: bool


async def ingested(cluster: Cluster, writes: Sequence[Write], *, merges: bool = False) -> Ingested:
    """Send the documents of writes through their pipelines; writes without one stay as they are.

    With ``merges``, as where it is the only one of its request, an update is embedded with what it does not change.
    """
    done: list[Write | Refused] = list(writes)
    every: dict[tuple[str, str], _Steps] = {}
    for place, write in enumerate(writes):
        key = (write.index, write.pipeline or "")
        steps = every[key] = every.get(key) or _steps(cluster, write)
        if steps.pipelines or steps.semantic is not None:
            _collect(cluster, steps, place, write, merges=merges)
    for steps in every.values():
        if steps.unreadable is not None:
            for one in steps.pending:
                one.draft.fail(steps.unreadable)
        whole = [one.draft for one in steps.pending if not one.is_change]
        for pipeline in steps.pipelines:
            await ingest_pipelines.run(cluster, pipeline, whole)
        if steps.semantic is not None:
            await ingest_pipelines.process(cluster, steps.semantic, [one.draft for one in steps.pending])
        for one in steps.pending:
            done[one.place] = one.draft.error or _rewritten(one)
    pending = [one for steps in every.values() for one in steps.pending]
    return Ingested(_as_told(writes, done, pending), bool(pending))


def _as_told(
    writes: Sequence[Write], done: Sequence[Write | Refused], pending: Sequence[_Pending]
) -> list[tuple[Write, Write | Refused]]:
    failed = sorted((one for one in pending if one.draft.error is not None), key=lambda one: one.draft.failed_at)
    told = list(zip(writes, done, strict=True))
    for place, one in zip(sorted(one.place for one in failed), failed, strict=True):
        told[place] = (one.write, done[one.place])
    return told


def _steps(cluster: Cluster, write: Write) -> _Steps:
    index = _index(cluster, write)
    settings: Mapping[str, str] = index.settings if index else {}
    fields = index.fields() if index else {}
    size = int(settings.get("neural_search.semantic_ingest_batch_size", semantic_ingest.BATCH_SIZE))
    wanted = write.pipeline or settings.get("default_pipeline", NO_PIPELINE)
    found = [wanted, settings.get("final_pipeline", NO_PIPELINE)]
    pipelines = [name for name in found if name != NO_PIPELINE]
    name = index.name if index else write.index
    return _Steps(name, index, pipelines, fields, semantic_ingest.processor_of(fields, size))


def _index(cluster: Cluster, write: Write) -> UserIndex | None:
    """Return the index of a write, if there is one; the write itself refuses a name that cannot be written to."""
    try:
        return names.one_index(cluster, write.index)
    except Refused:
        return None


def _collect(cluster: Cluster, steps: _Steps, place: int, write: Write, *, merges: bool) -> None:
    """Note the document of a write, if it has one. One that cannot be read is refused with all others beside it."""
    if write.action == "delete":
        return
    try:
        body = dict(map_of(write.body, cluster.version))
    except Refused as error:
        body, steps.unreadable = {}, steps.unreadable or error
    if write.action != "update":
        _add(steps, _Pending(place, write, body, None, _draft(steps, write, body), is_change=False))
        return
    for inner in ("doc", "upsert"):
        # Of an update only a document that may be new goes through pipelines, not the change of an old one; the texts
        # of semantic fields are embedded in both.
        is_change = inner == "doc" and not body.get("doc_as_upsert")
        if not isinstance(body.get(inner), dict):
            continue
        draft, one = _draft(steps, write, body[inner]), write
        if merges and inner == "doc" and draft.stored is not None:
            draft.source, one = merged(draft.stored, body[inner]), attrs.evolve(write, is_merged=True)
            if to_json(draft.source) == to_json(draft.stored):
                continue  # it changes nothing
        _add(steps, _Pending(place, one, body, inner, draft, is_change))


def _draft(steps: _Steps, write: Write, source: dict[str, Any]) -> Draft:
    document = steps.index.documents.get(write.key) if steps.index and write.key else None
    stored = document.kept if document else None
    return Draft(steps.name, write.key, source, steps.fields, stored)


def _add(steps: _Steps, one: _Pending) -> None:
    if steps.semantic is not None or not one.is_change:
        steps.pending.append(one)


def _rewritten(one: _Pending) -> Write:
    if one.inner is None:
        return attrs.evolve(one.write, body=to_json(one.draft.source))
    one.body[one.inner] = one.draft.source
    return attrs.evolve(one.write, body=to_json(one.body))
