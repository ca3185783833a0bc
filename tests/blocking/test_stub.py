"""The types of the synchronous session are those of the async one."""

from __future__ import annotations

import runpy

from tests.support.paths import ROOT

MAKE = ROOT / "docs" / "blocking.py"


def test_the_stub_is_not_stale() -> None:
    made = runpy.run_path(str(MAKE))
    assert made["STUB"].read_text(encoding="utf-8") == made["Stub"]().text(), "the stub is stale: run `make docs`"
