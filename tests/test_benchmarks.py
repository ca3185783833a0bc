"""The parts of the benchmarks that compute: ratios, counts of callgrind, tables, and the replay server's answers."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from aiomlcommons import Session
from benchmarks.compare import ratios
from benchmarks.instructions.__main__ import Bound, baseline, compare
from benchmarks.instructions.scenes import respond
from benchmarks.instructions.valgrind import Counted, per_unit
from benchmarks.pages import PAGE, read, rendered
from benchmarks.replay.answers import vectors
from benchmarks.turns import Cost, Table
from benchmarks.versions import RESULTS


def test_a_ratio_is_to_the_sum_of_the_parts_in_the_same_round() -> None:
    costs = {
        name: [Cost(cpu, 1.0) for cpu in some] for name, some in {"a": (1, 2), "b": (2, 4), "whole": (6, 9)}.items()
    }
    table = Table("t", "u", costs, {"a": ("a",), "b": ("b",), "whole": ("a", "b")})

    assert table.ratio("whole") == pytest.approx((6 / 3 + 9 / 6) / 2)
    assert table.as_json()["rows"]["a"]["ratio"] == 1


def test_a_count_is_the_difference_of_n_and_2n_for_each_unit() -> None:
    dump = "desc: Trigger: Client Request: {}|{}|{}\n\ntotals: {}\n"
    dumps = [dump.format("a call", *one) for one in (("ours", 10, 1300), ("ours", 20, 2300), ("reference", 5, 100))]

    assert per_unit(dumps) == {"a call": Counted(100.0, 100.0)}


def test_more_instructions_than_allowed_are_worse_and_noise_is_not() -> None:
    known = {"a call": Bound(2.0, 0.001), "a document": Bound(2.0, 0.02)}

    assert compare({"a call": Counted(205, 100), "a document": Counted(210, 100)}, known) == []
    assert compare({"a call": Counted(210, 100), "a document": Counted(210, 100)}, known) == ["a call"]
    assert compare({"a call": Counted(200, 100)}, known) == ["a document (in one of both only)"]


def test_the_baseline_has_a_bound_for_each_scene() -> None:
    assert all(bound.ratio > 0 and 0 <= bound.noise < 0.05 for bound in baseline().values())


def test_the_page_has_the_tables_of_the_figures() -> None:
    runs = read([RESULTS / "before.json", RESULTS / "after.json"])

    assert rendered(PAGE.read_text(), runs) == PAGE.read_text(), "run python -m benchmarks.pages"
    assert len(dict(ratios(runs["before"]))) > 20


def test_each_plot_of_the_page_is_there() -> None:
    names = set(re.findall(r"^!\[[^\]]+\]\(([^)]+)\)$", PAGE.read_text(), re.MULTILINE))

    assert len(names) == 3
    assert all((Path(PAGE).parent / name).exists() for name in names)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["local", "remote", "json"])
async def test_the_replay_server_answers_with_the_same_vectors_in_each_format(kind: str) -> None:
    async with Session("http://replay", transport=respond) as ml:
        found = await ml.embed_many(f"{kind}-16", ["a", "b", "c"])

    assert found == pytest.approx(vectors(3, 16), abs=1e-8)


@pytest.mark.asyncio
async def test_the_replay_server_accepts_each_document_of_a_bulk_request() -> None:
    async with Session("http://replay", transport=respond) as ml:
        body = b'{"index":{}}\n{"a":1}\n' * 3
        got = await ml.request("POST", "/documents-16/_bulk", body=body)

    assert len(orjson.loads(got.body)["items"]) == 3
