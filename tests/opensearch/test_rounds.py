"""The rounds of a re-embedding on a real OpenSearch, with models of the emulator."""

from __future__ import annotations

import random
import uuid
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import pytest_asyncio

from aiomlcommons import Session, emulator
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.sinks.conditional import Conditional, ConditionalWrites, Write
from aiomlcommons.reembedding.errors import ForeignVersions, ReembeddingError
from aiomlcommons.reembedding.reading import Found, Reader
from aiomlcommons.reembedding.rounds import Rounds
from aiomlcommons.reembedding.task import Pace, Task
from aiomlcommons.reembedding.versions import NOTHING, dropped, dropped_at, fingerprint, version_of
from tests.support.fault_proxy import FaultProxy, Link, Way, fault_proxy
from tests.support.killing_proxy import Moment, killing_proxy
from tests.support.reembedded import FINGERPRINT, VECTOR, body, bulk, documents, gone, process, put
from tests.support.versioned_index import VersionedIndex

pytestmark = pytest.mark.asyncio
DEAD = "dead.jsonl"


@attrs.define
class World:
    """A cluster of indices, one of models, two models, and the names of an old and a new index."""

    cluster: Session
    ml: Session
    models: FaultProxy
    model: str
    old_model: str
    folder: Path
    old: str = attrs.field(factory=lambda: f"old-{uuid.uuid4().hex[:8]}")
    new: str = attrs.field(factory=lambda: f"new-{uuid.uuid4().hex[:8]}")

    def task(self, **more: Any) -> Task:
        return Task(
            **{"source": self.old, "target": self.new, "field": "v", "text": "text", "model": self.model, **more}
        )

    def rounds(self, task: Task | None = None, **pace: Any) -> Rounds:
        pace = {"batch": 8, "dead_letters": self.folder / DEAD, **pace}
        return Rounds(self.cluster, task or self.task(), Pace(**pace), models=self.ml)

    async def create(self, **old_fields: Any) -> None:
        await self.cluster.request("PUT", f"/{self.old}", body=body(**old_fields))
        await self.cluster.request("PUT", f"/{self.new}", body=body(v=VECTOR, v_of=FINGERPRINT))

    async def texts(self, index: str) -> dict[str, str | None]:
        """Return the texts, after a look at the vectors: each is the new model's of its text, and none has another."""
        found = await documents(self.cluster, index)
        texts = {key: one["text"] for key, one in found.items() if one.get("text")}
        vectors = await self.vectors(self.model, [*texts.values()])
        for (key, text), vector in zip(texts.items(), vectors, strict=True):
            if "v" in found[key]:
                assert np.allclose(numbers(found[key]["v"]), vector, atol=1e-6), key
                assert found[key]["v_of"] == fingerprint(self.model, text)
        return {
            key: one.get("text") if "v" in one or not (one.get("text") or "").strip() else f"{one['text']}, bare"
            for key, one in found.items()
        }

    async def vectors(self, model: str, texts: list[str]) -> Vectors:
        return (await self.ml.embed_many(model, texts)) if texts else np.zeros((0, 384))


def numbers(vector: Any) -> Any:
    """Return a vector as it is in a document: numbers, or the base64 of their bytes."""
    if isinstance(vector, str):
        return np.frombuffer(b64decode(vector), "<f4")
    return np.asarray(vector)


@pytest_asyncio.fixture
async def world(opensearch_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with (
        emulator.serve() as behind,
        fault_proxy(behind) as proxy,
        Session(proxy.url) as ml,
        Session(opensearch_url) as cluster,
    ):
        await ml.settings.allow_first_model()
        new = (await ml.models.ensure("all-MiniLM-L6-v2")).model_id
        old = (await ml.models.ensure("all-MiniLM-L12-v2")).model_id
        found = World(cluster, ml, proxy, new, old, tmp_path)
        yield found
        await cluster.request("DELETE", f"/{found.old},{found.new}", query={"ignore_unavailable": "true"})


@attrs.define
class Meanwhile:
    """Has a writer write when the first texts are on their way to the model: after they were read, before the write.

    It is a fault of the proxy before the models.
    """

    cluster: Session
    index: str
    action: Any

    async def begin(self, link: Link) -> None:
        """Write before the request is passed on."""
        assert (await bulk(self.cluster, self.index, self.action))[0]["status"] == 200

    async def through(self, link: Link, way: Way, piece: bytes) -> None:
        """Pass on all."""
        await link.write(way, piece)


async def test_an_index_is_copied_kept_up_with_switched_and_given_back(world: World) -> None:
    await world.create(v=VECTOR)
    many = [put(f"m{n}", f"text {n}", n=n, v=[0.5] * 384, raw={"big": 10**30 + n}) for n in range(40)]
    await bulk(world.cluster, world.old, *many, put("blank", "  "), put("none", None))
    await bulk(world.cluster, world.old, ({"index": {"_id": "routed", "routing": "r"}}, {"text": "routed"}))
    rounds = world.rounds(world.task(dropped=["v"], old_field="v", old_model=world.old_model))
    marks = await rounds.marks()

    # The copy, with a write meanwhile.
    world.models.arm(Meanwhile(world.cluster, world.old, put("m1", "newer 1")), on="_predict")
    copied = await rounds.whole()
    assert (copied.compared, copied.embedded, copied.written, copied.without_text) == (43, 41, 43, 2)
    one = await world.cluster.request("GET", f"/{world.new}/_doc/m2")
    assert b'"big":1000000000000000000000000000002' in one.body.replace(b" ", b""), "no number loses a digit"

    # What was written since, and what is gone.
    await bulk(world.cluster, world.old, put("m3", "newer 3"), put("added", "added"), gone("m4"), put("m5", None))
    caught, _ = await rounds.since({})
    assert (caught.compared, caught.embedded, caught.without_text) == (43, 3, 3), "only what differs is embedded"
    again, marks = await rounds.since(marks)
    assert (again.compared, again.written) == (4, 0)
    again, marks = await rounds.since(marks)
    assert (again.compared, again.written) == (0, 0)
    assert (await rounds.differences()).extra.ids == ["m4"]
    assert (await rounds.whole()).deleted == 1
    found = await rounds.differences()
    assert (found.wrong, len(found.without_text)) == ([], 3)
    assert (await rounds.whole()).changed == 0, "nothing is left to do"
    expected: dict[str, str | None] = {f"m{n}": f"text {n}" for n in range(40) if n not in (4, 5)}
    expected |= {
        "m1": "newer 1",
        "m3": "newer 3",
        "added": "added",
        "blank": "  ",
        "none": None,
        "m5": None,
        "routed": "routed",
    }
    assert await world.texts(world.new) == expected

    # After the switch: late writes to the old index, and others to the new one.
    await bulk(world.cluster, world.old, put("late", "late"), put("m6", "late 6"), gone("m7"), put("m8", "late 8"))
    partial = {"update": {"_id": "m9"}}, {"doc": {"text": "others 9"}}
    emptied = {"update": {"_id": "m10"}}, {"doc": {"text": ""}}
    writes = (
        put("m8", "others 8"),
        partial,
        emptied,
        gone("m11"),
        put("new", "new"),
        gone("m12"),
        put("m12", "again 12"),
    )
    await bulk(world.cluster, world.new, *writes)
    late = await rounds.late(marks)
    assert (late.embedded, late.deleted, late.conflicts) == (2, 1, ["m8"])
    await bulk(world.cluster, world.old, put("m6", "later 6"))
    assert (await rounds.late(marks)).written == 1, "a second late write too"
    assert (await rounds.late(marks)).changed == 0
    followed, following = await rounds.follow()
    assert (followed.embedded, followed.written) == (4, 5)
    assert (await rounds.follow(following))[0].written == 0
    expected |= {
        "late": "late",
        "m6": "later 6",
        "m8": "others 8",
        "m9": "others 9",
        "m10": "",
        "new": "new",
        "m12": "again 12",
    }
    expected = {key: text for key, text in expected.items() if key not in ("m7", "m11")}
    assert await world.texts(world.new) == expected

    # And back, with vectors of the old model for what others wrote.
    back = await rounds.back(marks)
    assert (back.embedded, back.written, back.deleted, back.conflicted) == (4, 5, 1, 0)
    assert (await rounds.back(marks)).changed == 0
    assert (await world.rounds(world.task(dropped=["v"], old_field="v")).back(marks)).changed == 0, (
        "nor in another process"
    )
    old = await documents(world.cluster, world.old)
    assert {key: one.get("text") for key, one in old.items()} == expected
    (vector,) = await world.vectors(world.old_model, ["others 9"])
    assert np.allclose(numbers(old["m9"]["v"]), vector, atol=1e-6)
    assert old["m2"]["v"] == [0.5] * 384, "others are as they were"
    assert "v_of" not in str(old)


async def test_a_second_field_is_filled_beside_writers_and_can_be_cleared(world: World) -> None:
    await world.cluster.request("PUT", f"/{world.old}", body=body(v=VECTOR, v_of=FINGERPRINT))
    await bulk(world.cluster, world.old, *(put(f"m{n}", f"text {n}", n=n) for n in range(20)), put("none", None))
    before = await documents(world.cluster, world.old)
    task = world.task(target=world.old)
    written = {"update": {"_id": "m1"}}, {"doc": {"n": 99}}
    world.models.arm(Meanwhile(world.cluster, world.old, written), on="_predict")
    rounds = world.rounds(task)
    filled, marks = await rounds.follow()
    assert (filled.embedded, filled.superseded, filled.without_text) == (19, 1, 1), "a write meanwhile is not lost"
    assert (await rounds.differences()).unembedded.ids == ["m1"]
    assert (await rounds.follow(marks))[0].embedded == 1
    assert (await rounds.differences()).wrong == []
    assert (await world.texts(world.old))["m1"] == "text 1"
    assert (await documents(world.cluster, world.old))["m1"]["n"] == 99

    assert (await rounds.clear()).written == 20
    before["m1"]["n"] = 99
    assert await documents(world.cluster, world.old) == before
    assert (await rounds.clear()).changed == 0


async def test_texts_that_fail_are_copied_without_vectors_and_tried_again(world: World) -> None:
    await world.create()
    await bulk(
        world.cluster,
        world.old,
        put("a", "short"),
        put("b", "x" * 50),
        put("c", None),
        ({"index": {"_id": "d"}}, {"text": ["two", "texts"]}),
    )
    first = await world.rounds(max_chars=40).whole()
    assert (first.embedded, first.failed, first.without_text, first.written) == (1, 2, 1, 4)
    found = await world.rounds().differences()
    assert (sorted(found.unembedded.ids), found.wrong) == (["b", "d"], ["unembedded"])
    again = await world.rounds().whole()
    assert (again.embedded, again.failed) == (1, 1), "a vector comes over a copy of the same version"
    assert (await world.rounds().differences()).unembedded.ids == ["d"]
    assert b"must be a string, not list" in (world.folder / DEAD).read_bytes()


async def test_pages_of_large_documents_are_made_smaller_until_they_fit(world: World) -> None:
    await world.create()
    await bulk(world.cluster, world.old, *(put(f"m{n}", f"text {n}", raw={"n": "x" * 30_000}) for n in range(20)))
    small = world.cluster.options(max_response_bytes=150_000)
    rounds = Rounds(small, world.task(), Pace(batch=8), models=world.ml)
    assert (await rounds.whole()).embedded == 20
    in_place = world.task(source=world.new)
    assert (await Rounds(small, in_place, Pace(), models=world.ml).clear()).written == 20
    assert not any("v" in one for one in (await documents(world.cluster, world.new)).values())


async def test_versions_of_writers_and_ids_with_two_documents_are_refused(world: World) -> None:
    await world.create()
    twice = [({"index": {"_id": "a", "routing": routing}}, {"text": routing}) for routing in "abcdefgh"]
    await bulk(world.cluster, world.old, *twice)
    with pytest.raises(ReembeddingError, match="the id 'a' has two documents"):
        await world.rounds().whole()
    await world.cluster.request("DELETE", f"/{world.old}")
    await world.cluster.request("PUT", f"/{world.old}", body=body())
    await bulk(
        world.cluster, world.old, ({"index": {"_id": "b", "version": 7, "version_type": "external"}}, {"text": "b"})
    )
    with pytest.raises(ForeignVersions, match=f"index {world.old}: document 'b' has the version 7"):
        await world.rounds().whole()
    assert (await world.rounds(world.task(any_version=True)).whole()).embedded == 1


async def test_a_copy_that_is_killed_at_any_moment_goes_on_where_it_was(world: World) -> None:
    await world.create()
    await bulk(world.cluster, world.old, *(put(f"m{n}", f"text {n}") for n in range(240)))
    async with killing_proxy(world.cluster.url) as proxy:
        for number, passed_on in ((1, False), (2, True), (4, True)):
            proxy.moment, proxy.heard = Moment("POST", "/_bulk", number, passed_on), []
            proxy.process = await process(proxy.url, world.models.url, world.old, world.new, world.model)
            assert await proxy.process.wait() == -9
    before = await world.texts(world.new)
    assert 0 < len(before) < 240, "some of it was done by then"
    rest = await world.rounds().whole()
    # What was on its way when the last one was killed may have come since.
    assert (rest.embedded + rest.same, rest.same >= len(before)) == (240, True), "what was done is not done again"
    assert (await world.rounds().differences()).wrong == []
    assert await world.texts(world.new) == {f"m{n}": f"text {n}" for n in range(240)}


async def test_the_index_that_stands_in_for_a_server_keeps_versions_as_a_server_does(world: World) -> None:
    await world.create()
    here, chosen = VersionedIndex(), random.Random(8)  # noqa: S311 - the same each time
    writes = ConditionalWrites(world.cluster, world.new, pipeline="_none", stall_timeout=10)
    for n in range(80):
        key = chosen.choice("ab")
        found = here.docs[key][0] if key in here.docs else None
        old = attrs.evolve(found, seq_no=chosen.choice([found.seq_no, found.seq_no - 1])) if found else None
        op = chosen.choice(["index", "delete", "copy", "copy", "create", "over", "delete over", "drop", "bring"])
        if op == "index":
            here.index(key, str(n))
            await bulk(world.cluster, world.new, put(key, str(n)))
        elif op == "delete" and found is not None:
            here.delete(key)
            await bulk(world.cluster, world.new, gone(key))
        else:
            await agree(world, writes, here, op, key, str(n), old, version_of(chosen.randrange(n + 1)))
    await world.cluster.indices.refresh(world.new)
    pages = Reader(world.cluster, world.new).scan([0, 1], source=["text"])
    there = {one.id: (one.version, one.fields["text"]) async for page in pages for one in page}
    assert there == {key: (found.version, text) for key, (found, text) in here.docs.items()}


async def agree(
    world: World,
    writes: ConditionalWrites,
    here: VersionedIndex,
    op: str,
    key: str,
    text: str,
    old: Found | None,
    version: int,
) -> None:
    """Do something with a condition on both, and compare whether it was done."""
    does: dict[str, tuple[Write, Callable[[], bool]]] = {
        "copy": (Write(op="index", id=key, version=version), lambda: here.copy(key, text, version, None)),
        "bring": (Write(op="index", id=key, version=NOTHING), lambda: here.copy(key, text, NOTHING, None)),
        "create": (Write(op="create", id=key), lambda: here.create(key, text, None)),
    }
    if old is not None:  # the numbers of the server count all documents of a shard
        now = (await world.cluster.request("GET", f"/{world.new}/_doc/{key}")).json()
        seq_no = now["_seq_no"] - (here.docs[key][0].seq_no != old.seq_no)
        write = Write(op="index", id=key, seq_no=seq_no, primary_term=now["_primary_term"])
        does["over"] = write, lambda: here.over(old, text, None)
        gone_at = dropped(now["_version"])
        does["drop"] = Write(op="delete", id=key, version=gone_at), lambda: here.drop(old, gone_at)
        does["delete over"] = attrs.evolve(write, op="delete"), lambda: here.delete_found(old)
    if op in does:
        write, done = does[op]
        writes.superseded.clear()
        assert await writes.put([Conditional({} if write.op == "delete" else {"text": text}, write)]) == []
        assert (not writes.superseded) == done(), (op, key, text)
        if op == "bring" and writes.superseded and old is None:
            assert dropped_at(writes.superseded[key]) == dropped_at(here.conflict(key))
