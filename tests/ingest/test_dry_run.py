"""A dry run embeds a sample, counts all rows, and leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from aiomlcommons import Phase, Progress
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.ingest import dry_run
from aiomlcommons.ingest.dry_run import Estimate, Head, estimate
from aiomlcommons.ingest.embedding import model_check
from aiomlcommons.ingest.errors import ModelFails
from aiomlcommons.ingest.sinks import open_sink
from aiomlcommons.ingest.sources import SourceError, StdinSource, open_source
from aiomlcommons.ingest.types import BadRow, Rows, Sink
from tests.support.fifo import written_to
from tests.support.jobs import POISON, JobsOnAnEmulator, Memory, documents

pytestmark = pytest.mark.asyncio


@attrs.define
class Uncounted(Memory):
    """Rows without a known count, which must be read to be counted."""

    readings: int = 0

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        self.readings += 1
        async for rows in super().read(position, start):
            yield rows

    async def count(self) -> int | None:
        return None


@attrs.define
class Folders:
    """Makes sinks, and records their folders."""

    seen: list[Path] = attrs.field(factory=list)

    def __call__(self, folder: Path) -> Sink:
        self.seen.append(folder)
        return open_sink(folder / "out.npy")


async def estimated(world: JobsOnAnEmulator, source: Any, **options: Any) -> Estimate:
    return await estimate(world.ml, source, Folders(), **{"model": world.model_id, "batch": 10, **options})


async def test_a_source_that_tells_its_rows_is_not_read_through(world: JobsOnAnEmulator) -> None:
    rows: list[Any] = documents(1_000)
    rows[900] = BadRow("not JSON", "line 901")
    found = await estimated(world, Memory(rows, fails_at=950), rows=100)
    assert (found.rows, found.faulty, found.sampled, found.written, found.failed) == (1_000, None, 100, 100, 0)
    assert found.seconds == pytest.approx(10 * found.sampling)
    assert found.rate == pytest.approx(100 / found.sampling)
    ids = "".join(f'{{"row":{number},"id":"d{number}"}}\n' for number in range(100))
    assert found.size == 10 * (128 + 100 * 384 * 4 + len(ids))
    assert found.latency > 0
    assert 2 <= found.concurrency <= 64


async def test_a_source_that_does_not_is_read_through_and_judged(world: JobsOnAnEmulator) -> None:
    rows: list[Any] = documents(300)
    rows[5] = {"id": "d5", "text": ""}
    rows[250] = {"id": "d250", "text": "x" * 200}
    rows[251] = {"id": "d251", "text": "x" * 300}
    rows[260] = {"text": "no id"}
    rows[270] = BadRow("not JSON", "line 271", "{")
    told: list[Progress] = []
    source = Uncounted(rows)
    found = await estimated(world, source, rows=120, max_chars=100, progress=told.append)
    assert (found.rows, found.sampled, found.failed) == (300, 120, 1)
    assert found.reasons == {"its text is empty": 1}
    assert found.faulty == {
        "its text has N characters, more than max_chars=N": 2,
        "its text is empty": 1,
        "it has no field 'id'": 1,
        "not JSON": 1,
    }
    assert [(one.done, one.unit) for one in told if one.phase is Phase.READING] == [(50, "rows"), (300, "rows")]


async def test_a_small_source_is_all_sample(world: JobsOnAnEmulator) -> None:
    source = Uncounted(documents(70))
    found = await estimated(world, source, rows=71)
    assert (found.rows, found.sampled, found.faulty) == (70, 70, None)
    assert found.seconds == pytest.approx(found.sampling)
    assert source.readings == 2  # the warm-up row and the sample


async def test_what_the_model_cannot_take_is_said_with_the_reason(world: JobsOnAnEmulator) -> None:
    rows: list[Any] = documents(50)
    rows[20] = {"id": "d20", "text": f"{POISON} 20"}
    world.poison()
    found = await estimated(world, Memory(rows))
    assert (found.written, found.failed) == (49, 1)
    assert "the text cannot be translated" in next(iter(found.reasons))


async def test_nothing_to_go_by_is_no_estimate(world: JobsOnAnEmulator) -> None:
    found = await estimated(world, Memory([{"id": "a", "text": ""}, {"id": "b"}]))
    assert (found.rows, found.written, found.failed, found.rate) == (2, 0, 2, 0)
    assert (found.seconds, found.size) == (None, None)
    assert (await estimated(world, Memory([]))).rows == 0


async def test_a_slow_model_is_asked_for_so_long_only(world: JobsOnAnEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_run, "LOOK_EVERY", 0.01)

    async def hold(_: Any, go: Any) -> Any:
        await anyio.sleep_forever()

    async def later(request: Any, go: Any) -> Any:
        world.emulator.faults.add(hold, on=PREDICTIONS, times=None)
        return await go()

    world.emulator.faults.add(later, on=PREDICTIONS, every=4)  # one of the warm-up, three of the sample
    told: list[Progress] = []
    found = await estimated(world, Memory(documents(200)), seconds=0, concurrency=1, progress=told.append)
    assert 10 <= found.sampled <= 30
    assert found.rows == 200
    assert found.seconds == pytest.approx(found.sampling * 200 / found.sampled)
    assert found.size is not None
    assert (told[-1].name, told[-1].phase, told[-1].done) == ("a sample", Phase.EMBEDDING, found.sampled)


async def test_standard_input_is_sampled_and_not_counted(world: JobsOnAnEmulator) -> None:
    path = world.folder / "in.jsonl"
    path.write_bytes(b'{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\n{"id": 3, "text": "c"}\n')
    with path.open("rb") as file:
        found = await estimated(world, StdinSource(file.fileno()), rows=2)
    assert (found.rows, found.faulty, found.sampled, found.seconds, found.size) == (None, None, 2, None, None)


@pytest.mark.parametrize(
    ("name", "data"),
    [("in.jsonl", b'{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\n'), ("in.csv", b"id,text\n1,a\n2,b\n")],
)
async def test_a_named_pipe_is_sampled_and_not_counted(world: JobsOnAnEmulator, name: str, data: bytes) -> None:
    path = world.folder / name
    os.mkfifo(path)
    with written_to(path, data):
        found = await estimated(world, open_source(path), rows=1)
    assert (found.rows, found.faulty, found.sampled, found.seconds, found.size) == (None, None, 1, None, None)


async def test_its_folders_are_gone_whatever_happens(world: JobsOnAnEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_check, "UNPROVEN", 0.0)
    folders = Folders()
    await estimate(world.ml, Memory(documents(5)), folders, model=world.model_id)
    world.emulator.faults.fail(500, times=None)
    with pytest.raises(ModelFails):
        await estimate(world.ml, Memory(documents(5)), folders, model=world.model_id)
    world.emulator.faults.clear()
    with pytest.raises(OSError, match="row 50 cannot be read"):
        await estimate(world.ml, Uncounted(documents(99), fails_at=50), folders, model=world.model_id)
    assert len(folders.seen) == 5
    assert not [folder for folder in folders.seen if folder.exists() or folder.parent.exists()]


async def test_a_source_that_breaks_while_it_is_counted_says_so(world: JobsOnAnEmulator) -> None:
    class Broken(Uncounted):
        async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
            yield Rows(0, documents(20), None)
            raise SourceError("in.gz ends too early")

    with pytest.raises(SourceError, match="ends too early"):
        await estimated(world, Broken([]), rows=10)


# ---- the sample ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "rows", "exhausted"), [(1, 1, False), (49, 49, False), (50, 50, False), (51, 51, False), (71, 70, True)]
)
async def test_a_sample_has_so_many_rows_or_all(most: int, rows: int, exhausted: bool) -> None:
    sample = Head(Memory(documents(70)), most)
    found = [row async for piece in sample.read() for row in piece.rows]
    assert (found, sample.exhausted) == (documents(70)[:rows], exhausted)
    assert await sample.count() == min(most, 70)
    assert await Head(Uncounted([]), most).count() == most
    assert sample.name == "memory"
