"""A real cluster with TLS, users and two nodes: each case is a test, and the summary shows them as a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from tests.opensearch.secured import CASES
from tests.opensearch.secured.case import Case, Scene
from tests.support.opensearch.secured import Cluster
from tests.support.opensearch.table import FAULT, TRIALS, pytest_terminal_summary


@pytest.mark.asyncio
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_promise_is_kept(
    case: Case, secured_cluster: Cluster, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property(FAULT, case.fault)
    record_property(TRIALS, await case.run(Scene(secured_cluster, tmp_path)))


def test_every_case_says_what_it_promises_in_a_sentence_of_its_own() -> None:
    assert len({case.fault for case in CASES}) == len(CASES)
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.promise.endswith(".") for case in CASES)


def test_the_summary_has_a_line_for_each_case() -> None:
    properties = [(FAULT, "kill -9"), (TRIALS, 3)]
    passed = pytest.TestReport(
        "a", ("a", 1, "a"), {}, "passed", None, "call", user_properties=properties, duration=1.25
    )
    failed = pytest.TestReport(
        "b", ("b", 1, "b"), {}, "failed", "why", "call", user_properties=[(FAULT, "a wrong name")]
    )
    other = pytest.TestReport("c", ("c", 1, "c"), {}, "passed", None, "call")
    screen = Screen({"passed": [other, passed], "failed": [failed]})
    pytest_terminal_summary(screen)  # type: ignore[arg-type]
    assert screen.lines == [
        "a real secured cluster",
        "result trials           fault",
        "passed     3     1.2 s  kill -9",
        "failed     0     0.0 s  a wrong name",
    ]


@attrs.define
class Screen:
    """What a summary is written on."""

    stats: dict[str, list[pytest.TestReport]]
    lines: list[str] = attrs.field(factory=list)

    def section(self, title: str) -> None:
        self.lines.append(title)

    def line(self, text: str) -> None:
        self.lines.append(text)
