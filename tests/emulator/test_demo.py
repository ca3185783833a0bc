"""The demo: a corpus goes into an index of the emulator, which answers queries by k-NN over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.paths import ROOT


def test_the_demo_embeds_into_an_index_and_searches_it() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENSEARCH_")}
    command = [sys.executable, str(ROOT / "examples" / "embed_corpus.py")]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout  # noqa: S603
    assert "1,137 read = 1,137 written + 0 deduplicated + 0 skipped + 0 failed" in said
    assert "proverbs-15-1: A soft answer turneth away wrath" in said
    assert "proverbs-6-6: Go to the ant, thou sluggard" in said
