"""Embed on a real Ray: two actors on this machine, which talk to an emulator in this process."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from aiohttp import web

from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.emulator.pool import CallNext
from aiomlcommons.integrations.ray import Embed
from tests.integrations import columns
from tests.support.emulator_with_models import EmulatorWithModels

if os.environ.get("CI") == "true":
    import ray
    import ray.exceptions
else:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'aiomlcommons[ray]'")

# Ray itself warns in this process, its driver; Embed runs in other processes.
pytestmark = pytest.mark.filterwarnings("ignore")
ROWS = [{"id": f"d{i}", "text": f"word{i} and {i % 7}"} for i in range(400)]
TEXTS = [row["text"] for row in ROWS]
SECONDS_TO_END = 30


class Tells(Embed):
    """Adds a column with the id of the process that embedded a row."""

    def __call__(self, batch: Any) -> Any:
        done = super().__call__(batch)
        return done.append_column("process", pa.array([os.getpid()] * done.num_rows))


class DiesOnce(Tells):
    """Kills its process during its second batch, once: a file records that."""

    def __init__(self, *args: Any, grave: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._grave, self._calls = Path(grave), 0

    def __call__(self, batch: Any) -> Any:
        self._calls += 1
        done = super().__call__(batch)
        if self._calls == 2:
            try:
                with self._grave.open("x") as file:
                    file.write(str(os.getpid()))
            except FileExistsError:
                return done
            os.kill(os.getpid(), signal.SIGKILL)
        return done


@pytest.fixture(scope="module", autouse=True)
def others() -> Iterator[set[int]]:
    """Start Ray for all tests; return the processes that existed before."""
    before = set(descendants())
    # Logical CPUs: two for the actors, and some for the tasks that read and write.
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield before
    ray.shutdown()


def embedded(what: type[Embed], batch_format: str, *, actors: int = 2, **options: Any) -> Any:
    """Embed rows in eight blocks; return a table that is sorted by row."""
    numbered = [{"row": i, **row} for i, row in enumerate(ROWS)]
    dataset = ray.data.from_items(numbered, override_num_blocks=8).map_batches(
        what,
        fn_constructor_kwargs=options,
        batch_format=batch_format,
        batch_size=50,
        compute=ray.data.ActorPoolStrategy(size=actors),
    )
    blocks: Any = dataset.to_arrow_refs()
    done = pa.concat_tables(list(ray.get(blocks))).sort_by("row")
    assert done["id"].to_pylist() == [row["id"] for row in ROWS]
    return done


def numbers(table: Any) -> Any:
    return np.array(table["embedding"].to_pylist(), "f4")


def test_two_actors_give_the_vectors_of_embed_many(world: EmulatorWithModels) -> None:
    waiting, both = 0, asyncio.Event()

    async def until_both_ask(_: web.BaseRequest, go: CallNext) -> Any:
        # Each actor has one request in flight, so the second concurrent request is the other actor's.
        nonlocal waiting
        waiting += 1
        if waiting == 2:
            both.set()
        await both.wait()
        return await go()

    world.emulator.faults.add(until_both_ask, on=PREDICTIONS, times=None)
    done = embedded(Tells, "pyarrow", model=world.dense, url=world.url, batch=16, concurrency=1)
    assert done.schema.field("embedding").type == pa.list_(pa.float32(), 384)
    np.testing.assert_array_equal(numbers(done), world.vectors(TEXTS))
    processes = set(done["process"].to_pylist())
    assert os.getpid() not in processes
    assert len(processes) == 2


def test_arrays_come_back_as_a_tensor_column(world: EmulatorWithModels) -> None:
    done = embedded(Embed, "numpy", model=world.dense, url=world.url)
    found = np.concatenate([chunk.to_numpy(zero_copy_only=False) for chunk in done["embedding"].chunks])
    np.testing.assert_array_equal(np.stack(list(found)), world.vectors(TEXTS))


def test_a_sparse_model_gives_the_weights_of_sparse(world: EmulatorWithModels) -> None:
    done = embedded(Embed, "pyarrow", model=world.sparse, url=world.url)
    weights = [pytest.approx(one) for one in world.weights(TEXTS)]
    assert [dict(one) for one in done["embedding"].to_pylist()] == weights


def test_an_actor_that_is_killed_is_started_again_and_no_row_is_lost(world: EmulatorWithModels, tmp_path: Path) -> None:
    grave = tmp_path / "grave"
    done = embedded(DiesOnce, "pyarrow", actors=1, model=world.dense, url=world.url, grave=str(grave))
    np.testing.assert_array_equal(numbers(done), world.vectors(TEXTS))
    assert set(done["process"].to_pylist()) - {int(grave.read_text())}


def test_a_row_without_text_fails_the_dataset_and_is_named(world: EmulatorWithModels) -> None:
    rows = [{"id": "good", "text": "a"}, {"id": "bad", "text": None}]
    dataset = ray.data.from_items(rows, override_num_blocks=1).map_batches(
        Embed,
        fn_constructor_kwargs={"model": world.dense, "url": world.url, "id": "id"},
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=1),
    )
    with pytest.raises(ray.exceptions.RayTaskError, match=r"RowsFailed: row 1 \(id 'bad'\) of the batch failed: its"):
        dataset.materialize()


def test_rows_that_fail_have_reasons_and_a_datasink_writes_the_others(world: EmulatorWithModels) -> None:
    said = columns.on_ray(world, columns.Case.of(world, 200), "numpy")
    assert said.startswith("196 vectors, all the same bit by bit; 4 dead letters in the column, all as expected")


def test_the_page_runs_as_it_is_written(world: EmulatorWithModels) -> None:
    sink = columns.page(world, "ray")["sink"]
    assert (sink.written, [one.id for one in sink.refused]) == (3, ["v2"])


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux, to wait for processes that are no children")
def test_nothing_runs_on_after_ray_is_shut_down(world: EmulatorWithModels, others: set[int]) -> None:
    embedded(Embed, "pyarrow", model=world.dense, url=world.url)
    started = {process: os.pidfd_open(process) for process in descendants() if process not in others}
    assert started
    ray.shutdown()
    try:
        assert [process for process, handle in started.items() if not ends(handle)] == []
    finally:
        for handle in started.values():
            os.close(handle)


def descendants() -> list[int]:
    """Return the descendants of this process."""
    found, parents = [], {os.getpid()}
    children = [(int(stat.parent.name), _parent(stat)) for stat in Path("/proc").glob("[0-9]*/stat")]
    while parents:
        parents = {process for process, parent in children if parent in parents}
        found += sorted(parents)
    return found


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0  # it has ended meanwhile


def ends(handle: int) -> bool:
    """Whether a process has ended, or ends soon."""
    return bool(select.select([handle], [], [], SECONDS_TO_END)[0])
