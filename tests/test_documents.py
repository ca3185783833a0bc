"""What the README and the examples say is run here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from aiomlcommons import emulator

ROOT = Path(__file__).parent.parent
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
# Ray writes its log to standard error and warns of itself: tests/integrations runs that example.
EXAMPLES = sorted(
    path.name
    for path in (ROOT / "examples").glob("*.py")
    if "__main__" in path.read_text() and path.name != "ray_embed.py"
)


def tour() -> str:
    return next(block for block in BLOCKS if "allow_first_model" in block)


@pytest.mark.asyncio
async def test_the_readmes_tour_runs_as_it_is_written() -> None:
    async with emulator.serve() as url:
        code = tour().replace('"https://localhost:9200", auth=("admin", "...")', repr(url))
        assert url in code
        await _run(code)


def test_the_tour_is_ten_lines() -> None:
    assert len([line for line in tour().splitlines() if line.strip()]) <= 10


@pytest.mark.asyncio
async def test_the_readmes_emulator_block_runs(capsys: pytest.CaptureFixture[str]) -> None:
    await _run(next(block for block in BLOCKS if "emulator.serve()" in block))
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", capsys.readouterr().out)


async def _run(code: str) -> None:
    names: dict[str, object] = {}
    exec("async def tour():\n" + textwrap.indent(code, "    "), names)  # noqa: S102 - it is our own README
    await names["tour"]()  # type: ignore[operator]


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_runs_on_the_emulator(name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENSEARCH_")}
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
