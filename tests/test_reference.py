"""The reference page agrees with the docstrings of the endpoints."""

from __future__ import annotations

import runpy

from aiomlcommons import ENDPOINTS
from tests.support.paths import ROOT

MAKE = ROOT / "docs" / "reference.py"


def test_the_reference_page_is_not_stale() -> None:
    page = runpy.run_path(str(MAKE))
    assert page["PAGE"].read_text(encoding="utf-8") == page["reference"](), (
        "docs/reference.md is stale: run `make docs`"
    )


def test_the_reference_page_has_every_endpoint_with_its_routes_and_link() -> None:
    rows = [line for line in runpy.run_path(str(MAKE))["reference"]().splitlines() if line.startswith("| `ml.")]
    assert len(rows) == len(ENDPOINTS)
    for cls in ENDPOINTS:
        row = next(row for row in rows if f"| `{cls.endpoint.route}`" in row)
        assert all(f"`{route}`" in row for route in cls.endpoint.routes)
        assert f"]({(cls.__doc__ or '').split()[-1]}) |" in row
