"""The soak in small, and that its accounts find what is lost, wrong or left behind."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import orjson
import pytest

from aiomlcommons import Session
from tests.reliability.resources import Resources
from tests.reliability.soak import Soaked, soak
from tests.reliability.soak_cluster import trim
from tests.reliability.soak_faults import Faults
from tests.reliability.soak_jobs import EMPTY, Jobs, vectors_in
from tests.reliability.soak_load import Tally, WrongError
from tests.reliability.soak_world import TEXTS, World

GOOD = [number for number in range(len(TEXTS)) if number % EMPTY]
WORLD: Any = World(None, [], "m", "c", np.eye(len(TEXTS), dtype=np.float32))  # type: ignore[arg-type]


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_a_soak_of_a_few_seconds_loses_nothing_and_leaves_nothing() -> None:
    soaked = await soak(0.03, seed=1, pause=0.1, without=("tasks", "job processes"))
    assert (soaked.tally.wrong, soaked.leaks) == ([], [])
    assert [row.losses for row in soaked.rows()] == [0] * len(soaked.rows())
    assert soaked.tally.done["calls"]


def _jobs() -> Jobs:
    ml: Any = Session("http://127.0.0.1:1")
    return Jobs(ml, WORLD, Tally(), random.Random(0))  # noqa: S311


def _held() -> dict[str, Any]:
    return {f"j1-{number}": WORLD.vectors[number] for number in GOOD}


def test_accounts_of_a_job_that_is_right() -> None:
    jobs = _jobs()
    jobs._account("j1", _held(), len(TEXTS), len(GOOD), len(TEXTS) - len(GOOD))
    assert jobs.documents == len(TEXTS)


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ({key: one for key, one in _held().items() if key != "j1-7"}, "391 of 392 documents are there"),
        ({**_held(), "j1-0": WORLD.vectors[0]}, "393 of 392 documents are there"),
        ({**_held(), "j1-7": WORLD.vectors[8]}, "j1-7 has another vector"),
    ],
)
def test_a_document_that_is_lost_odd_or_wrong_is_found(held: dict[str, Any], why: str) -> None:
    with pytest.raises(WrongError, match=why):
        _jobs()._account("j1", held, len(TEXTS), len(GOOD), len(TEXTS) - len(GOOD))


def test_a_document_that_is_there_twice_is_found(tmp_path: Path) -> None:
    line = orjson.dumps({"id": "d", "embedding": [1.0]}, option=orjson.OPT_APPEND_NEWLINE)
    (tmp_path / "out.jsonl").write_bytes(line + line)
    with pytest.raises(WrongError, match="1 documents twice"):
        vectors_in(tmp_path / "out.jsonl")


def test_what_is_left_behind_is_named() -> None:
    start = Resources(0, memory=100.0, tasks=1, sockets=3, files=10, threads=4)
    warm = attrs.evolve(start, minute=3.0, tasks=60, sockets=20)
    end = attrs.evolve(start, minute=30.0, memory=130.0, tasks=2, sockets=4)
    jobs = _jobs()
    soaked = Soaked(30, Tally(), Faults(jobs.ml, WORLD, Tally(), jobs.chance), jobs, [start, warm, end])
    assert soaked.leaks == ["1 tasks", "1 sockets", "30% of memory"]


def test_half_a_line_is_cut_off_when_the_cluster_starts_again(tmp_path: Path) -> None:
    (tmp_path / "documents.jsonl").write_bytes(b'["a",{}]\n["b",{')
    trim(tmp_path)
    assert (tmp_path / "documents.jsonl").read_bytes() == b'["a",{}]\n'
