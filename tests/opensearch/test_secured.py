"""A real cluster with TLS, users and two nodes: each case is a test, and the summary shows them as a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.opensearch.secured import CASES
from tests.opensearch.secured.case import Case, Scene
from tests.support.opensearch.secured import Cluster
from tests.support.opensearch.table import FAULT, TRIALS


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
