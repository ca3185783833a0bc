"""docs/doctor.md: its example runs, and its table has every check."""

from __future__ import annotations

import re

import pytest

from aiomlcommons import emulator
from aiomlcommons.diagnosis.diagnosis import NAMES
from tests.support.documents import run
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")


@pytest.mark.asyncio
async def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    async with emulator.serve() as url:
        await run(code.replace("http://127.0.0.1:9200", url))
    out = capsys.readouterr().out
    assert "aiomlcommons settings set only_run_on_ml_node=false" in out
    assert "connectors ok none" in out


def test_every_check_is_in_the_table() -> None:
    assert tuple(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == NAMES


def test_the_example_of_the_output_is_that_of_the_program() -> None:
    from aiomlcommons.cli.doctor import lines
    from aiomlcommons.diagnosis import Checked, Finding, Severity
    from aiomlcommons.diagnosis.remedies import setting

    (block,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    what, why, advice = (line.strip() for line in block.splitlines()[2:5])
    finding = Finding(
        Severity.PROBLEM,
        what.removeprefix("- problem: "),
        why,
        advice=advice,
        **setting({"only_run_on_ml_node": False}),
    )
    checks = [
        Checked("connection", "http://127.0.0.1:9200 responds, and accepts the credentials"),
        Checked("nodes", "n1 (cluster_manager, data, ingest)", [finding]),
        Checked("settings", "they allow a first model"),
    ]
    shown = ["".join(part for part, _ in line) for checked in checks for line in lines(checked, 140)]
    assert block.splitlines() == shown
