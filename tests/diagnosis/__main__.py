"""Break clusters: ``python -m tests.diagnosis`` prints what the doctor says of each, and whether that mends it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys

from tests.diagnosis.cases import CASES, broken, found_by, mend


async def main() -> int:
    """Print a table of the cases; return the number of those that are not found, or not mended."""
    wrong = 0
    for case in CASES:
        async with broken(case) as (url, ml):
            findings = found_by(case, await ml.diagnose())
            if not findings:
                print(f"{case.name}: NOT FOUND")
                wrong += 1
                continue
            finding = findings[0]
            with contextlib.redirect_stdout(_nowhere()), contextlib.redirect_stderr(_nowhere()):
                code = await mend(case, finding, url, ml)
            gone = not found_by(case, await ml.diagnose())
            wrong += not gone
            print(f"{case.name} ({case.version}): {finding.severity}: {finding.what}")
            print(f"    {finding.why}")
            print(f"    $ {finding.command}")
            print(f"    exit code {code}; the finding is {'gone' if gone else 'STILL THERE'}")
    return wrong


def _nowhere() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO())


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
