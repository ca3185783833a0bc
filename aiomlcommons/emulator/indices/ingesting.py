"""Writes on their way through ingest pipelines: those of the request, those of the index, and semantic fields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.encoding import to_json
from aiomlcommons.emulator.errors import Refused
from aiomlcommons.emulator.indices import names
from aiomlcommons.emulator.indices.documents import loaded
from aiomlcommons.emulator.indices.state import UserIndex
from aiomlcommons.emulator.indices.writes import Write
from aiomlcommons.emulator.pipelines import ingest_pipelines
from aiomlcommons.emulator.pipelines.drafts import Draft

NO_PIPELINE = "_none"


@attrs.frozen
class Ingested:
    """Writes after their pipelines: each as it is to be done, or the error of its document. ``was_any`` tells whether
    there was a pipeline at all."""

    writes: Sequence[Write | Refused]
    was_any: bool


@attrs.frozen
class _Road:
    """The pipelines that documents of one index go through, in order."""

    index: str
    pipelines: tuple[str, ...]


@attrs.define
class _Passenger:
    """A write whose document is on its way, the whole of its body, and the key of the document in that, if any."""

    place: int
    write: Write
    body: dict[str, Any]
    inner: str | None
    draft: Draft


async def ingested(cluster: Cluster, writes: Sequence[Write]) -> Ingested:
    """Send the documents of writes through their pipelines; writes without one stay as they are."""
    done: list[Write | Refused] = list(writes)
    roads: dict[_Road, list[_Passenger]] = defaultdict(list)
    for place, write in enumerate(writes):
        index = _index(cluster, write)
        road = _Road(index.name if index else write.index, tuple(_pipelines(write, index)))
        if not road.pipelines:
            continue
        try:
            if (passenger := _passenger(cluster, place, write, index)) is not None:
                roads[road].append(passenger)
        except Refused:
            continue  # a body that is no JSON object, which the write itself refuses
    for road, passengers in roads.items():
        drafts = [one.draft for one in passengers]
        for pipeline in road.pipelines:
            await ingest_pipelines.run(cluster, pipeline, drafts)
        for one in passengers:
            done[one.place] = one.draft.error or _rewritten(one)
    return Ingested(done, bool(roads))


def _index(cluster: Cluster, write: Write) -> UserIndex | None:
    """Return the index of a write, if there is one; the write itself refuses a name that cannot be written to."""
    try:
        return names.one_index(cluster, write.index)
    except Refused:
        return None


def _pipelines(write: Write, index: UserIndex | None) -> list[str]:
    settings: Mapping[str, str] = index.settings if index else {}
    wanted = write.pipeline or settings.get("default_pipeline", NO_PIPELINE)
    found = [wanted, settings.get("final_pipeline", NO_PIPELINE)]
    return [name for name in found if name != NO_PIPELINE]


def _passenger(cluster: Cluster, place: int, write: Write, index: UserIndex | None) -> _Passenger | None:
    if write.action == "delete":
        return None
    body = loaded(write.body, cluster.version)
    inner = None
    if write.action == "update":
        # Of an update only a document that may be new goes through pipelines, not the change of an old one.
        inner = "doc" if body.get("doc_as_upsert") else "upsert"
        if not isinstance(body.get(inner), dict):
            return None
    stored = index.get(write.key) if index and write.key else None
    fields = index.fields() if index else {}
    source = body if inner is None else body[inner]
    draft = Draft(index.name if index else write.index, write.key, source, fields, stored)
    return _Passenger(place, write, body, inner, draft)


def _rewritten(one: _Passenger) -> Write:
    body = one.draft.source if one.inner is None else {**one.body, one.inner: one.draft.source}
    return attrs.evolve(one.write, body=to_json(body))
