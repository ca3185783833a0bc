"""The software bill of materials (SBOM, CycloneDX) of what an installation of the wheel consists of."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.release.building import time_of
from tests.release.trying import environment


def write_bill(commit: str, dist: Path) -> Path:
    """Install the wheel without extras and write what is then there, with licenses, beside the wheel."""
    wheel = next(dist.glob("*.whl"))
    bill = dist / f"{'-'.join(wheel.name.split('-')[:2])}.cdx.json"
    with tempfile.TemporaryDirectory() as folder:
        installed = environment(wheel, Path(folder, "installed"))
        command = [sys.executable, "-m", "cyclonedx_py", "environment", str(installed), "--output-reproducible"]
        command += ["--pyproject", "pyproject.toml", "--mc-type", "library", "--output-file", str(bill)]
        subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": time_of(commit)})
    return bill
