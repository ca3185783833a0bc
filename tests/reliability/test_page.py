"""The page of trials: not stale, and without a loss."""

from __future__ import annotations

import runpy

import pytest

from tests.reliability.ledger import Run, Trials, read
from tests.support.paths import ROOT

MADE = runpy.run_path(str(ROOT / "docs" / "reliability.py"))
RUNS = read()
ROWS = [row for run in RUNS for row in run.rows]


def test_the_page_of_reliability_is_not_stale() -> None:
    assert MADE["PAGE"].read_text(encoding="utf-8") == MADE["page"](), "docs/reliability.md is stale: run `make docs`"


def test_no_promise_was_broken_in_the_runs_on_record() -> None:
    assert [row for row in ROWS if row.losses] == []


@pytest.mark.parametrize("path", sorted({row.test for row in ROWS}))
def test_a_test_that_the_page_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.command)
def test_a_command_that_the_page_names_is_there(run: Run) -> None:
    words = run.command.split()
    assert words[:2] == ["python", "-m"]
    path = ROOT.joinpath(*words[2].split("."))
    assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()


def test_a_kind_that_was_tried_against_two_servers_is_one_row() -> None:
    rows = [
        Trials(group="network", fault="RST", promise="it ends", test="a.py", against=server, trials=count)
        for server, count in (("emulator", 2), ("OpenSearch 3.9", 1_000))
    ]
    assert MADE["kinds"](rows) == 1
    (line,) = MADE["section"]("network", rows).splitlines()[-1:]
    assert line == "| RST | it ends | `a.py` | emulator (2), OpenSearch 3.9 (1,000) | 1,002 | 0 |"
