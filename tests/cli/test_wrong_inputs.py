"""Every wrong input ends with its exit code and with words that say what is wrong, and prints nothing else."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from tests.cli.wrong_inputs import CONFIG, TABLE, Wrong, said


@pytest.mark.parametrize("wrong", TABLE, ids=lambda wrong: wrong.typed)
def test_a_wrong_input_says_what_is_wrong(wrong: Wrong, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("OPENSEARCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AIOMLCOMMONS_CONFIG", "config.toml")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    Path("config.toml").write_text(CONFIG)
    Path("config.toml").chmod(0o600)
    code, out, errors = said(wrong)
    assert (code, out) == (wrong.code, ""), errors
    assert wrong.says in errors
    assert errors.startswith("aiomlcommons: ")
    assert "hush" not in errors
    assert len(errors.splitlines()) <= 2
