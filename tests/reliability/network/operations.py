"""The kinds of work that faults strike. Each checks its own result, and what the server has afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

import attrs
import numpy as np
import orjson

from aiomlcommons import Backoff, FileModel, MLCommonsError, NotFound, Session
from aiomlcommons.ingest import Documents, IndexSink, IndexSource
from tests.reliability.network.world import BATCH, GROUPS, World
from tests.support.contract.kinds import KINDS, forget, spec_of
from tests.support.model_server import PROVERB
from tests.support.paths import MODELS

SOON = Backoff(first=0.01, cap=0.05)
Work: TypeAlias = "Callable[[World, Session, str], Awaitable[None]]"
SAID = [*(f"{word} " for word in PROVERB.split()), ""]


async def nothing(world: World, key: str, error: MLCommonsError | None) -> None:
    """Find nothing to check afterwards."""


@attrs.frozen(kw_only=True)
class Operation:
    """A kind of work: ``run(world, ml, key)`` does it and checks its result, where ``key`` is unique.

    ``requests`` are about as many as it sends. ``repeats``: it is safe to repeat, so the session repeats it.
    ``resumes``: after an error the same call goes on where it ended. ``streams``: it is sent once, whatever happens.
    ``after`` checks the server, with the error that was raised, if any.
    """

    name: str
    run: Work
    requests: int = 1
    repeats: bool = True
    resumes: bool = False
    streams: bool = False
    after: Callable[[World, str, MLCommonsError | None], Awaitable[None]] = nothing


# ---- calls -----------------------------------------------------------------------------------------------------------


async def read(world: World, ml: Session, key: str) -> None:
    """Read a record."""
    assert (await ml.models.get(world.model)).name == f"{world.unique}-dense"


async def predict(world: World, ml: Session, key: str) -> None:
    """Embed one text."""
    assert np.allclose(await ml.embed_one(world.model, world.texts[7]), world.vectors[7], atol=1e-3)


async def embed_many(world: World, ml: Session, key: str) -> None:
    """Embed texts in batches."""
    vectors = await ml.embed_many(world.model, iter(world.texts), batch=BATCH)
    assert np.allclose(vectors, world.vectors, atol=1e-3)


async def register(world: World, ml: Session, key: str) -> None:
    """Make a group, which must not be done twice."""
    await ml.model_groups.register(key)


async def registered(world: World, key: str, error: MLCommonsError | None) -> None:
    """Check that it was made once, or at most once if there was an error; an unsent request did nothing."""
    found = [hit.id for hit in await world.ml.model_groups.search({"query": {"term": {"name.keyword": key}}})]
    for group_id in found:
        await world.ml.model_groups.delete(group_id)
    assert len(found) <= 1, f"it was done {len(found)} times"
    assert found or error is not None, "it was not done, and no error was raised"
    assert not found or getattr(error, "sent", True), "the error says that nothing was sent, but it was done"


async def delete(world: World, ml: Session, key: str) -> None:
    """Delete a group; it is gone afterwards, whoever repeats it."""
    made = await world.ml.model_groups.register(key)
    with suppress(NotFound):  # if the answer to the first attempt was lost
        await ml.model_groups.delete(made.model_group_id)
    assert not await world.ml.model_groups.search({"query": {"term": {"name.keyword": key}}})


async def task(world: World, ml: Session, key: str) -> None:
    """Wait for a task."""
    started = await world.ml.models.deploy(world.model)
    assert (await ml.task(started.task_id, backoff=SOON)).state == "COMPLETED"


async def stream(world: World, ml: Session, key: str) -> None:
    """Listen to a model; what was heard before an error is the beginning."""
    heard: list[str] = []
    parameters = {"prompt": "hello", "_llm_interface": "openai/v1/chat/completions"}
    assert world.chat is not None
    try:
        async with ml.models.predict_stream(world.chat, parameters=parameters) as events:
            async for words in events:
                heard.append(words.content)
    finally:
        assert heard == SAID[: len(heard)], f"other words were heard: {heard}"
    assert heard == SAID, f"words are missing: {heard}"


async def groups(world: World, ml: Session, key: str) -> None:
    """Read every hit of a search, page after page."""
    query = {"query": {"prefix": {"name.keyword": f"{world.unique}-group-"}}, "size": 7}
    names = [hit.source.name async for hit in ml.model_groups.search(query)]
    assert sorted(map(str, names)) == sorted(f"{world.unique}-group-{number}" for number in range(GROUPS))


async def documents(world: World, ml: Session, key: str) -> None:
    """Search documents, page after page."""
    ids = [hit.id async for hit in ml.search(world.index, {"match_all": {}}, size=11)]
    assert sorted(ids) == sorted(row["id"] for row in world.rows())


# ---- models ----------------------------------------------------------------------------------------------------------


def _spec(key: str) -> FileModel:
    return spec_of("dense", MODELS / KINDS["dense"].file, key)


async def ensure(world: World, ml: Session, key: str) -> None:
    """Register, upload and deploy a model."""
    await ml.models.ensure(_spec(key), backoff=SOON)


async def ensured(world: World, key: str, error: MLCommonsError | None) -> None:
    """Check that the same call brings it about where it did not end, and that there is one model."""
    again = await world.ml.models.ensure(_spec(key), backoff=SOON)
    ids = [hit.id async for hit in world.ml.models.search({"query": {"term": {"name.keyword": key}}})]
    await forget(world.ml, key)
    assert ids.count(again.model_id) == 1
    assert len([one for one in ids if one != again.model_id]) == 0, f"models are left over: {ids}"


# ---- jobs ------------------------------------------------------------------------------------------------------------


def _job(world: World, ml: Session, key: str, sink: Any, source: Any = None, **options: Any) -> Any:
    files = {"checkpoint": world.folder / f"{key}.job", "dead_letters": world.folder / f"{key}.dead"}
    how = {"batch": BATCH, "checkpoint_every": 2, "backoff": SOON, "stall_timeout": 20.0, **files, **options}
    return ml.ingest(source or world.rows(), sink=sink, **{"model": world.model, **how})


async def _none_dead(world: World, key: str) -> None:
    dead = world.folder / f"{key}.dead"
    assert not await asyncio.to_thread(dead.exists) or not dead.read_bytes(), "a good document is a dead letter"


async def job_file(world: World, ml: Session, key: str) -> None:
    """Embed documents into a file."""
    out = world.folder / f"{key}.jsonl"
    report = await _job(world, ml, key, out)
    lines = [orjson.loads(line) for line in (await asyncio.to_thread(out.read_bytes)).splitlines()]
    world.check_vectors([line["id"] for line in lines], [line["embedding"] for line in lines])
    assert (report.read, report.written, report.failed) == (len(lines), len(lines), 0), report
    await _none_dead(world, key)


async def job_function(world: World, ml: Session, key: str) -> None:
    """Embed documents into a function, which may get a batch again when the job resumes."""
    taken: dict[str, Any] = TAKEN.setdefault(key, {})

    def take(batch: Documents) -> None:
        taken.update(zip(batch.ids, batch.vectors, strict=True))

    await _job(world, ml, key, take)
    world.check_vectors([*taken], [*taken.values()])
    await _none_dead(world, key)


TAKEN: dict[str, dict[str, Any]] = {}


async def job_index(world: World, ml: Session, key: str) -> None:
    """Embed documents into an index of the same cluster."""
    sink = IndexSink(ml, key, create=True, sparse=True, backoff=SOON)
    report = await _job(world, ml, key, sink, model=world.sparse)
    assert (report.read, report.failed) == (len(world.rows()), 0), report
    await _none_dead(world, key)


async def indexed(world: World, key: str, error: MLCommonsError | None) -> None:
    """Check that every document is there once, and remove the index."""
    await world.ml.indices.refresh(key)
    hits = [hit async for hit in world.ml.search(key, {"match_all": {}}, size=50)]
    await world.ml.indices.delete(key)
    assert sorted(hit.id for hit in hits) == sorted(row["id"] for row in world.rows())
    assert all(hit.source["embedding"] for hit in hits)


async def job_from_index(world: World, ml: Session, key: str) -> None:
    """Embed the documents of an index into a file."""
    out = world.folder / f"{key}.jsonl"
    await _job(world, ml, key, out, source=IndexSource(ml, world.index, size=11), id="_id")
    lines = [orjson.loads(line) for line in (await asyncio.to_thread(out.read_bytes)).splitlines()]
    world.check_vectors([line["_id"] for line in lines], [line["embedding"] for line in lines])
    await _none_dead(world, key)


OPERATIONS = (
    Operation(name="a call that is safe to repeat", run=read),
    Operation(name="a prediction", run=predict),
    Operation(name="a call that is not safe to repeat", run=register, repeats=False, after=registered),
    Operation(name="a deletion", run=delete),
    Operation(name="the wait for a task", run=task),
    Operation(name="a stream", run=stream, repeats=False, streams=True),
    Operation(name="texts in batches", run=embed_many, requests=8),
    Operation(name="a search, page after page", run=groups, requests=5),
    Operation(name="documents, page after page", run=documents, requests=6),
    Operation(name="ensure", run=ensure, requests=12, after=ensured, repeats=False, resumes=True),
    Operation(name="a job into a file", run=job_file, requests=10, resumes=True),
    Operation(name="a job into a function", run=job_function, requests=10, resumes=True),
    Operation(name="a job into an index", run=job_index, requests=18, resumes=True, after=indexed),
    Operation(name="a job from an index", run=job_from_index, requests=16, resumes=True),
)
