"""On another event loop and in a forked process each use says so, nothing hangs, and the owner's session works on."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.reliability.owners import FORKS, LOOPS, Case, opened, trial
from tests.support.forked import forked
from tests.support.threaded_emulator import ThreadedEmulator

pytestmark = pytest.mark.xdist_group("owners")
CASES = {
    **{f"{name}, on another loop": case for name, case in LOOPS.items()},
    **{f"{name}, in a fork": case for name, case in FORKS.items()},
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    served = ThreadedEmulator()
    yield served.url
    served.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
async def test_what_is_not_the_owners_is_refused_and_harms_nobody(url: str, case: Case) -> None:
    async with opened(url) as at:
        assert await trial(case, at) == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_what_hangs_in_a_fork_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    from tests.support import forked as module

    monkeypatch.setattr(module, "PATIENCE", 1)
    assert forked(signal.pause) == module.HUNG
