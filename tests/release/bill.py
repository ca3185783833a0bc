"""The software bill of materials (SBOM, CycloneDX) of what an installation of the wheel consists of."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from aiomlcommons.__about__ import __version__
from tests.release.building import time_of
from tests.release.trying import environment

DYNAMIC = 'dynamic = ["version"]'


def write_bill(commit: str, dist: Path) -> Path:
    """Install the wheel without extras and write what is then there, with licenses, beside the wheel."""
    wheel = next(dist.glob("*.whl"))
    bill = dist / f"{'-'.join(wheel.name.split('-')[:2])}.cdx.json"
    with tempfile.TemporaryDirectory() as folder:
        installed, about = environment(wheel, Path(folder, "installed")), Path(folder, "pyproject.toml")
        # CycloneDX knows the version of the root from there only.
        about.write_text(Path("pyproject.toml").read_text().replace(DYNAMIC, f'version = "{__version__}"'))
        command = [sys.executable, "-m", "cyclonedx_py", "environment", str(installed), "--output-reproducible"]
        command += ["--pyproject", str(about), "--mc-type", "library", "--output-file", str(bill)]
        subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": time_of(commit)})
    return bill
