"""Try every case on a real secured cluster, and print a table: ``python -m tests.opensearch.secured [--write]``."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.opensearch.secured import CASES
from tests.opensearch.secured.case import Case, Result, Scene, tried
from tests.reliability import ledger
from tests.support.opensearch.artifacts import SECURED
from tests.support.opensearch.secured import Cluster, secured
from tests.support.opensearch.table import line


def main() -> int:
    """Print the table; return 1 if a case failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help="their names (default: all)")
    parser.add_argument("--times", type=int, default=1, help="how often each case is tried")
    parser.add_argument("--write", action="store_true", help="write the ledger")
    given = parser.parse_args()
    chosen = [case for case in CASES if not given.cases or case.name in given.cases]
    with secured() as cluster:
        results = [_tried(case, cluster) for _ in range(given.times) for case in chosen]
    for result in results:
        print(result.failure, end="")
    failed = sum(bool(result.failure) for result in results)
    print(f"{len(results) - failed} passed, {failed} failed, {sum(result.trials for result in results)} trials")
    if given.write:
        command = "python -m tests.opensearch.secured" + (f" --times {given.times}" if given.times > 1 else "")
        ledger.write("secured", command, [_row(case, results) for case in chosen])
    return int(failed > 0)


def _tried(case: Case, cluster: Cluster) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(tried(case, Scene(cluster, Path(folder))))
    outcome = "failed" if result.failure else "passed"
    print(line(case.fault, outcome, result.trials, result.seconds), flush=True)
    return result


def _row(case: Case, results: list[Result]) -> ledger.Trials:
    own = [result for result in results if result.case is case]
    return ledger.Trials(
        group="secured cluster",
        fault=case.fault,
        promise=case.promise,
        test=case.module,
        against=f"OpenSearch {SECURED.version} with its security plugin",
        trials=sum(result.trials for result in own),
        losses=sum(bool(result.failure) for result in own),
    )


if __name__ == "__main__":
    sys.exit(main())
