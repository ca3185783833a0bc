"""docs/logging.md: its code runs, and each line that it quotes is one that the package writes."""

from __future__ import annotations

import asyncio
import json
import logging
import re

import pytest

from aiomlcommons import Session, emulator
from tests.support.documents import guide, run
from tests.support.logged_scenes import all_scenes
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "logging.md").read_text()
LOG = logging.getLogger("aiomlcommons")
VARYING = (
    (r"aiomlcommons-[0-9a-f]{16}", "ID"),
    (r"/\S*?vectors\.jsonl", "FILE"),
    (r"\bii[\w-]{18}", "MODEL"),
    (r"http://127\.0\.0\.1:\d{2,5}", "URL"),
    (r"\d+\.\d+ s\b", "T"),
    (r"\d+ more in \d+ s", "MORE"),
    (r"\d+ refusals", "REFUSALS"),
)


def normal(line: str) -> str:
    """Return a line without what differs from run to run."""
    for pattern, name in VARYING:
        line = re.sub(pattern, name, line)
    return " ".join(line.split())


def quoted() -> list[str]:
    blocks: list[str] = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if re.match(r"(DEBUG|INFO|WARNING) ", line)]


def test_every_line_that_is_quoted_is_one_that_is_written(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "aiomlcommons")
    asyncio.run(all_scenes())
    written = {normal(f"{record.levelname} {record.getMessage()}") for record in caplog.records}
    assert len(quoted()) > 12
    missing = [line for line in map(normal, quoted()) if line not in written]
    assert not missing, "docs/logging.md quotes lines that were not written: run python -m tests.support.logged_scenes"


@pytest.mark.asyncio
async def test_the_code_runs_and_the_json_has_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    async with emulator.serve() as url, Session(url) as ml:
        for code in guide("", "logging.md"):
            await run(code, ml=ml, logging=logging)
        LOG.disabled = False
        LOG.setLevel("DEBUG")
        await ml.options(opaque_id="mine").info()
    last = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (last["opaque_id"], last["method"], last["path"], last["status"]) == ("mine", "GET", "/", 200)
