"""What older servers do not have."""

from __future__ import annotations

import pytest

from aiomlcommons import Session


async def skip_before(ml: Session, version: tuple[int, int], reason: str) -> None:
    """Skip a test where the server is older."""
    found = await ml.version()
    if found is not None and found < version:
        pytest.skip(f"{reason} before {version[0]}.{version[1]}")
