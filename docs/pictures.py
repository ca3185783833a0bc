"""Draw ``pictures/job.svg``, a bulk job under way in a terminal: ``python docs/pictures.py``.

The job is a real one, on an emulator that throttles now and then; the block is what ``progress=True`` draws there, when
the job is beyond its half. Figures differ from run to run, so ``make docs`` does not draw it anew.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from aiomlcommons import Progress, Session
from aiomlcommons.emulator import Emulator
from aiomlcommons.progress.blocks import Block
from aiomlcommons.progress.event import Phase

PICTURE = Path(__file__).with_name("pictures") / "job.svg"
COMMAND = "aiomlcommons ingest articles.jsonl --model all-MiniLM-L6-v2 --out articles.parquet"
WIDTH, MOMENT = 100, 0.62


async def events(rows: int, folder: Path, *, seconds: float = 0.5) -> list[Progress]:
    """Run the job on a model that takes so many seconds for a request; return what it told of its progress."""
    told: list[Progress] = []
    lines = (json.dumps({"id": f"a-{n}", "text": f"article {n} of {rows} about nothing"}) for n in range(rows))
    (folder / "articles.jsonl").write_text("\n".join(lines), encoding="utf-8")
    emulator = Emulator()
    emulator.faults.limit(12, seconds=seconds, queue=4)
    emulator.faults.throttle(times=3, every=10)
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        await ml.ingest(
            "articles.jsonl",
            model="all-MiniLM-L6-v2",
            sink="articles.parquet",
            progress=told.append,
            concurrency=(4, 32),
        )
    return told


def drawn(told: list[Progress]) -> str:
    """Return the picture: the command, the steps until the job began, and its block."""
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_terminal=True, color_system="truecolor")
    console.print(Text.assemble(("$ ", "dim"), COMMAND))
    for step in (one for one in told if one.phase is Phase.DEPLOYED):
        console.print(Text(str(step)), soft_wrap=True)
    under_way = [one for one in told if one.phase is Phase.EMBEDDING and one.share]
    console.print(Block(min(under_way, key=lambda one: abs((one.share or 0) - MOMENT))))
    svg = console.export_svg(title="", theme=DIMMED_MONOKAI)
    # No font is fetched from anywhere: the viewer's own monospaced one serves.
    without_fonts = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"[ \t]+$", "", without_fonts, flags=re.MULTILINE) + "\n"


def main(rows: int = 8_000) -> None:
    """Draw the picture."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            told = asyncio.run(events(rows, Path(folder)))
        finally:
            os.chdir(here)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn(told), encoding="utf-8")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
