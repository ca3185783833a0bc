"""The page on the synchronous session is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.threaded_emulator import ThreadedEmulator


def test_the_page_runs_as_it_is_written(
    served: ThreadedEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "synchronous.md").read_text(), re.DOTALL)
    exec(code.replace('"https://localhost:9200", auth=("admin", "...")', repr(served.url)), {})  # noqa: S102
    printed = capsys.readouterr().out
    assert "(64, 384)" in printed
    assert "all-MiniLM-L6-v2" in printed
    assert (tmp_path / "vectors.npy").exists()
