"""Type checkers report exactly the errors that ``tests/typing`` expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiomlcommons.cli.calls import endpoints

SHOWN = "".join(path.read_text(encoding="utf-8") for path in (Path(__file__).parent / "typing").glob("*.py"))


@pytest.mark.parametrize("name", [name for name, _ in endpoints()])
def test_the_type_checkers_see_each_call(name: str) -> None:
    assert f"await ml.{name}(" in SHOWN or f"async with ml.{name}(" in SHOWN
