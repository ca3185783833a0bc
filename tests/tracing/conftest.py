"""Fixtures: what the package tells OpenTelemetry is recorded in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.telemetry import Recorded, recorded


@pytest.fixture
def found() -> Iterator[Recorded]:
    """Record for the whole test."""
    with recorded() as made:
        yield made
