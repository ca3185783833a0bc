"""Each broken cluster: the cause is named, and the command that is named with it mends it."""

from __future__ import annotations

import ast
import shlex

import anyio.to_thread
import pytest

from aiomlcommons.cli.arguments import parse
from aiomlcommons.diagnosis import Severity
from tests.diagnosis.cases import CASES, Case, broken, found_by, mend


@pytest.mark.asyncio
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_cause_is_named_with_the_command_that_mends_it(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomlcommons.waiting.task.LAG", 0.0)  # records of the emulator do not lag
    async with broken(case) as (url, ml):
        report = await ml.diagnose()
        (finding,) = found_by(case, report)
        assert finding.command.startswith(case.command)
        assert finding.severity is (Severity.WARNING if case.warns else Severity.PROBLEM)
        for other in report.findings:
            compile(other.python, "<remedy>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            program, *words = shlex.split(other.command)
            if program == "aiomlcommons":
                await anyio.to_thread.run_sync(parse, words)
        assert await mend(case, finding, url, ml) == 0
        assert not found_by(case, await ml.diagnose())
