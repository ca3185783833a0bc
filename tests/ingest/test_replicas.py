"""Replicas that are off during a load: whatever ends the job, the settings of the index are what they were.

``python -m tests.ingest.test_replicas [MOMENTS] [URL]`` kills that many loads with -9 (default: 10), each at another
moment, on the emulator or on a cluster that registers models from files, resumes each, and prints what the settings
were.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest

from aiomlcommons import HttpRequest, InvalidRequest, NoSuchModel, Session
from aiomlcommons.api.processors import TextEmbedding
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.errors import refused
from aiomlcommons.ingest import IndexSink, IterableSource, SinkError, WrongJob
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.start import start_job
from tests.support.contract.kinds import deployed
from tests.support.jobs import NOW, JobsOnAnEmulator
from tests.support.killing_proxy import KillingProxy, Moment, killing_proxy
from tests.support.paths import MODELS

ROWS = 240
BULKS = ROWS // 8
# Two indices: one with a number of replicas, one whose replicas follow the number of nodes.
COPIES: list[dict[str, Any]] = [{"number_of_replicas": 2}, {"auto_expand_replicas": "0-all"}]
DIMENSION = 16
FIELD = {"type": "knn_vector", "dimension": DIMENSION, "method": {"name": "hnsw", "engine": "lucene"}}


def moments(count: int) -> list[Moment]:
    """Return moments of a load: around the requests that change the settings, and during the load between them."""
    edges = [Moment("PUT", "/_settings", nth, passed_on) for nth in (1, 2) for passed_on in (False, True)]
    edges.append(Moment("POST", "/_refresh", 1, passed_on=True))
    between = max(0, count - len(edges))
    # Several batches share a request, so that there are fewer of them than batches.
    loads = [Moment("POST", "/_bulk", 1 + turn, turn % 2 == 1) for turn in range(between)]
    return [*edges[:2], *loads, *edges[2:]][:count]


@attrs.define
class Loads:
    """Loads of one cluster, in processes that are killed; ``model`` may be ``pipeline:NAME``, which embeds."""

    proxy: KillingProxy
    ml: Session
    model: str
    folder: Path

    async def killed(self, moment: Moment, copies: dict[str, Any]) -> str:
        """Kill a load at a moment and resume it; check the settings, and return what was seen of them."""
        index = f"indices17-{uuid.uuid4().hex[:8]}"
        files = self.folder / index
        await asyncio.to_thread(files.mkdir)
        rows = [{"id": f"d{number}", "text": f"text number {number}"} for number in range(ROWS)]
        lines = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
        await asyncio.to_thread((files / "in.jsonl").write_bytes, lines)
        settings = {"index": {"knn": True, **copies}}
        body = {"settings": settings, "mappings": {"properties": {"embedding": FIELD}}}
        await self.ml.request("PUT", f"/{index}", body=body)
        try:
            before = await self.copies_of(index)
            self.proxy.moment, self.proxy.heard = moment, []
            assert await self.run(index, files) != 0, f"the load was not killed {moment}"
            killed = await self.copies_of(index)
            self.proxy.moment = None
            assert await self.run(index, files) == 0
            after = await self.copies_of(index)
            await self.ml.request("GET", f"/{index}/_refresh")
            query = {"query": {"exists": {"field": "embedding"}}}
            count = (await self.ml.request("POST", f"/{index}/_count", body=query)).json()["count"]
        finally:
            await self.ml.request("DELETE", f"/{index}")
        assert (after, count) == (before, ROWS), f"killed {moment}: {before}, then {killed}, at last {after}"
        return f"{_words(before):<28} | {_words(killed):<28} | {_words(after):<28} | {count}"

    async def run(self, index: str, files: Path) -> int:
        """Run a load until it ends, or is killed; return its exit code."""
        words = ("-m", "tests.support.job_process", self.proxy.url, files / "in.jsonl", f"index:{index}", files / "job")
        self.proxy.process = await asyncio.create_subprocess_exec(
            sys.executable, *map(str, words), self.model, stdout=asyncio.subprocess.DEVNULL
        )
        return await self.proxy.process.wait()

    async def copies_of(self, index: str) -> dict[str, str]:
        return await copies_of(self.ml, index)


async def copies_of(ml: Session, index: str) -> dict[str, str]:
    """Return the settings of an index that say how many replicas it has."""
    settings = (await ml.request("GET", f"/{index}/_settings")).json()[index]["settings"]["index"]
    return {name: value for name, value in settings.items() if name.endswith("_replicas")}


def _words(copies: dict[str, str]) -> str:
    short = {name.partition("_")[0]: value for name, value in sorted(copies.items())}
    return ", ".join(f"{name} {value}" for name, value in short.items())


@asynccontextmanager
async def loads(folder: Path, url: str | None = None) -> AsyncIterator[Loads]:
    async with AsyncExitStack() as ends:
        if url is None:
            url = await ends.enter_async_context(Emulator().serve())
        ml = await ends.enter_async_context(Session(url))
        await ml.settings.allow_first_model()
        name = f"indices17 {uuid.uuid4().hex[:8]}"
        model = await ends.enter_async_context(deployed(ml, "dense", MODELS / "tiny-dense.zip", name))
        proxy = await ends.enter_async_context(killing_proxy(url))
        yield Loads(proxy, ml, model, folder)


@pytest.mark.asyncio
async def test_a_load_that_is_killed_and_resumed_leaves_the_settings_as_they_were(tmp_path: Path) -> None:
    chosen = [moments(6)[turn] for turn in (1, 2, 3, 5)]
    async with loads(tmp_path) as on:
        for turn, moment in enumerate(chosen):
            await on.killed(moment, COPIES[turn % 2])


@pytest.mark.asyncio
async def test_a_load_that_the_server_embeds_is_killed_and_resumed_alike(tmp_path: Path) -> None:
    async with loads(tmp_path) as on:
        await on.ml.pipelines.create(
            "embeds", processors=[TextEmbedding(on.model, {"text": "embedding"}, batch_size=4)]
        )
        on.model = "pipeline:embeds"
        for turn, moment in enumerate(moments(6)[1:4]):
            await on.killed(moment, COPIES[turn % 2])


# ---- jobs that end otherwise -----------------------------------------------------------------------------------------


def _changes(http: HttpRequest) -> bool:
    return http.method == "PUT" and http.path.endswith("/_settings")


@attrs.define
class Loading:
    """Jobs that load an index of an emulator; ``heard`` are the changes of its settings and the loads, in turn.

    The next ``refusals`` changes that would put replicas back are refused.
    """

    world: JobsOnAnEmulator
    heard: list[Any] = attrs.field(factory=list)
    breaks: bool = False
    refusals: int = 0

    async def listen(self, request: Any, go: Any) -> Any:
        is_load = request.path.endswith("/_bulk")
        self.heard.append("load" if is_load else orjson.loads(await request.read())["index"])
        if not is_load and self.refusals and self.heard[-1]["number_of_replicas"] != 0:
            self.refusals -= 1
            raise refused(403, "security_exception", "no permissions for [indices:admin/settings/update]")
        return await go()

    async def make(self, name: str = "docs", aliases: Any = None, **copies: Any) -> None:
        """Create an index."""
        mappings = {"properties": {"embedding": {"type": "knn_vector", "dimension": 384}}}
        await self.world.ml.indices.create(name, mappings=mappings, settings={"index": copies}, aliases=aliases)

    def __attrs_post_init__(self) -> None:
        listened = self.world.emulator.faults
        listened.add(self.listen, on=lambda http: _changes(http) or http.path.endswith("/_bulk"), times=None)

    async def copies(self) -> dict[str, str]:
        return await copies_of(self.world.ml, "docs")

    async def rows(self) -> AsyncIterator[dict[str, str]]:
        for number in range(100):
            if number == 60 and self.breaks:
                raise OSError("the source breaks off")
            yield {"id": f"d{number}", "text": f"text {number}"}

    def job(self, *, sink: Mapping[str, Any] | None = None, **how: Any) -> Any:
        into = IndexSink(self.world.ml, "docs", **{"replicas_off": True, "backoff": NOW, **(sink or {})})
        options = {"checkpoint": self.world.folder / "job", "batch": 5, "checkpoint_every": 2, "backoff": NOW}
        source = IterableSource(self.rows, name="rows")
        return self.world.ml.ingest(source, sink=into, **{"model": self.world.model_id, **options, **how})

    async def left_off(self) -> None:
        """Load half of the rows, and leave the replicas off."""
        self.breaks, self.refusals = True, 1
        with pytest.raises(OSError, match="breaks off"):
            await self.job()
        assert await self.copies() == {"number_of_replicas": "0"}
        self.breaks = False


@pytest.fixture
def loading(world: JobsOnAnEmulator) -> Loading:
    return Loading(world)


@pytest.mark.asyncio
async def test_replicas_are_off_during_a_load_and_back_after_it(loading: Loading) -> None:
    await loading.make(number_of_replicas=2)
    assert (await loading.job()).written == 100
    off, *between, back = loading.heard
    assert (off, set(between), back) == ({"number_of_replicas": 0}, {"load"}, {"number_of_replicas": "2"})
    assert await loading.copies() == {"number_of_replicas": "2"}


@pytest.mark.asyncio
async def test_replicas_are_off_while_the_server_embeds_and_back_whatever_ends_it(loading: Loading) -> None:
    await loading.make(number_of_replicas=2)
    embedding = TextEmbedding(loading.world.model_id, {"text": "embedding"}, batch_size=5)
    await loading.world.ml.pipelines.create("embeds", processors=[embedding])
    served: Any = {"model": None, "sink": {"pipeline": "embeds"}}
    loading.breaks = True
    with pytest.raises(OSError, match="breaks off"):
        await loading.job(**served)
    assert await loading.copies() == {"number_of_replicas": "2"}
    loading.breaks = False
    assert (await loading.job(**served)).written == 100
    changes = [one["number_of_replicas"] for one in loading.heard if one != "load"]
    assert changes == [0, "2", 0, "2"]
    assert await loading.copies() == {"number_of_replicas": "2"}


@pytest.mark.asyncio
async def test_replicas_that_follow_the_number_of_nodes_do_so_again(loading: Loading) -> None:
    await loading.make(auto_expand_replicas="0-all", number_of_replicas=0)
    assert (await loading.job()).written == 100
    assert loading.heard[0] == {"number_of_replicas": 0, "auto_expand_replicas": "false"}
    assert await loading.copies() == {"number_of_replicas": "0", "auto_expand_replicas": "0-all"}


@pytest.mark.asyncio
async def test_replicas_are_back_after_a_job_that_fails_and_off_again_when_it_resumes(loading: Loading) -> None:
    await loading.make(number_of_replicas=2)
    loading.breaks = True
    with pytest.raises(OSError, match="breaks off"):
        await loading.job()
    assert await loading.copies() == {"number_of_replicas": "2"}
    loading.breaks = False
    assert (await loading.job()).written == 100
    changes = [one["number_of_replicas"] for one in loading.heard if one != "load"]
    assert changes == [0, "2", 0, "2"]


@pytest.mark.asyncio
async def test_an_index_without_replicas_is_left_alone(loading: Loading) -> None:
    await loading.make(number_of_replicas=0)
    assert (await loading.job()).written == 100
    assert set(loading.heard) == {"load"}


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["resumes", "resumes without the option", "begins anew"])
async def test_replicas_that_a_job_has_left_off_are_back_after_the_next_one(loading: Loading, how: str) -> None:
    await loading.make(number_of_replicas=2)
    await loading.left_off()
    if how == "begins anew":
        ml, options = loading.world.ml, JobOptions(checkpoint=loading.world.folder / "job", id="id")
        into = IndexSink(ml, "docs", replicas_off=True)
        begun = start_job(
            ml, [{"id": "a", "text": "a"}], model=loading.world.model_id, sink=into, options=options, anew=True
        )
        async with begun as job:
            await job
    else:
        await loading.job(sink={"replicas_off": how == "resumes"})
    assert await loading.copies() == {"number_of_replicas": "2"}


@pytest.mark.asyncio
@pytest.mark.parametrize(("wrong", "error"), [({"model": "nonesuch"}, NoSuchModel), ({"text": "other"}, WrongJob)])
async def test_replicas_that_a_job_has_left_off_are_back_if_the_next_one_cannot_begin(
    loading: Loading, wrong: dict[str, Any], error: type[Exception]
) -> None:
    await loading.make(number_of_replicas=2)
    await loading.left_off()
    with pytest.raises(error):
        await loading.job(**wrong)
    assert await loading.copies() == {"number_of_replicas": "2"}


@pytest.mark.asyncio
async def test_what_somebody_has_set_since_replicas_were_left_off_counts(loading: Loading) -> None:
    await loading.make(number_of_replicas=2)
    await loading.left_off()
    await loading.world.ml.indices.put_settings("docs", {"index": {"number_of_replicas": 1}})
    await loading.job()
    assert await loading.copies() == {"number_of_replicas": "1"}


@pytest.mark.asyncio
async def test_a_new_index_of_the_name_is_left_alone_when_replicas_of_the_old_one_are_put_back(
    loading: Loading,
) -> None:
    await loading.make(number_of_replicas=2)
    await loading.left_off()
    await loading.world.ml.indices.delete("docs")
    await loading.make(number_of_replicas=0)
    with pytest.raises(SinkError, match="deleted and created again"):
        await loading.job()
    assert await loading.copies() == {"number_of_replicas": "0"}


@pytest.mark.asyncio
async def test_a_job_whose_replicas_cannot_be_put_back_is_not_finished_until_its_resume_does_it(
    loading: Loading,
) -> None:
    await loading.make(number_of_replicas=2)
    loading.refusals = 2  # by the job itself, and by whoever has begun it
    with pytest.raises(SinkError, match=r"replicas of index docs.* could not be put back to 2; the job that resumes"):
        await loading.job()
    assert await loading.copies() == {"number_of_replicas": "0"}
    assert (await loading.job()).written == 100
    assert await loading.copies() == {"number_of_replicas": "2"}


@pytest.mark.asyncio
async def test_replicas_off_without_a_checkpoint_is_refused(loading: Loading) -> None:
    await loading.make(number_of_replicas=2)
    with pytest.raises(InvalidRequest, match=r"replicas_off=True .* needs checkpoint="):
        await loading.job(checkpoint=None)
    assert not loading.heard


@pytest.mark.asyncio
async def test_the_replicas_of_the_index_that_an_alias_writes_to_are_off(loading: Loading) -> None:
    await loading.make("older", {"both": {}})
    await loading.make("docs", {"both": {"is_write_index": True}}, number_of_replicas=2)
    ml, model = loading.world.ml, loading.world.model_id
    into = IndexSink(ml, "both", replicas_off=True, backoff=NOW)
    await ml.ingest(IterableSource(loading.rows), model=model, sink=into, checkpoint=loading.world.folder / "job")
    changes = [one for one in loading.heard if one != "load"]
    assert changes == [{"number_of_replicas": 0}, {"number_of_replicas": "2"}]
    assert await loading.copies() == {"number_of_replicas": "2"}


async def main(count: int, url: str | None) -> None:
    print(f"{'killed':<34} | {'before':<28} | {'when it was killed':<28} | {'after the resume':<28} | documents")
    with tempfile.TemporaryDirectory() as place:
        async with loads(Path(place), url) as on:
            for turn, moment in enumerate(moments(count)):
                print(f"{moment!s:<34} | {await on.killed(moment, COPIES[turn % 2])}", flush=True)
    print(f"{count} loads killed at {count} moments: the settings are what they were, each time after the resume")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, sys.argv[2] if len(sys.argv) > 2 else None))
