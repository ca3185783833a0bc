"""The command-line options of the contract suite."""

from __future__ import annotations

from typing import Any

import pytest


def option(config: pytest.Config, name: str, default: Any = None) -> Any:
    """Return an option, or its default where it is not registered: the conftest is not loaded in a run of all tests."""
    found = config.getoption(name, default=None)
    return default if found is None else found
