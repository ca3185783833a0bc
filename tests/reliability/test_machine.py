"""The state machine over sessions, calls, nodes and a job leads some lives here, and finds faults put in on purpose."""

from __future__ import annotations

import sys

import pytest

from tests.reliability.machine import PLANTED, Machine, lead, planted

pytestmark = [
    pytest.mark.xdist_group("machine"),
    pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc"),
]


def test_lives_of_sessions_calls_nodes_and_a_job_keep_what_is_promised() -> None:
    lead(8, 40, derandomize=True)
    assert Machine.met["result"]


@pytest.mark.parametrize("fault", PLANTED)
def test_the_machine_finds_a_fault_that_is_put_in_on_purpose(fault: str) -> None:
    with planted(fault), pytest.raises(AssertionError, match=PLANTED[fault].said):
        lead(40, 40, derandomize=True)
