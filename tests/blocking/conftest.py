"""An emulator that is served while a test without an event loop runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.support.threaded_emulator import ThreadedEmulator


@pytest.fixture
def served() -> Iterator[ThreadedEmulator]:
    served = ThreadedEmulator()
    yield served
    served.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("aiomlcommons")]
