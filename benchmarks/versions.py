"""What a measurement depends on: the commit, Python, the libraries, and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import aiomlcommons

RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("aiohttp", "anyio", "attrs", "cattrs", "cbor2", "numpy", "opensearch-py", "orjson", "pyarrow", "uvloop")


def about() -> dict[str, Any]:
    """Return them, for the JSON of a run."""
    return {
        "commit": commit(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} of {_processor()}",
        # Of all processes: a machine that is busy with others makes all figures worse, those of small parts most.
        "load": round(os.getloadavg()[0], 1),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def commit() -> str:
    """Return the commit of the package that is measured; with a plus if files differ from it, empty if unknown."""
    where = Path(aiomlcommons.__file__).parent
    head = _git(where, "rev-parse", "--short", "HEAD")
    return head + ("+" if _git(where, "status", "--porcelain", "--untracked-files=no", ".") else "") if head else ""


def _git(where: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(where), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
