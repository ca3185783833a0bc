"""Running programs under callgrind, and reading the counts that it writes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

PROGRAMS = ("scenes", "ours", "reference")
AT_ONCE = 2
LABEL = re.compile(r"^desc: Trigger: Client Request: (.*)\|(.*)\|(\d+)$", re.MULTILINE)
TOTALS = re.compile(r"^totals: (\d+)$", re.MULTILINE)


@attrs.frozen
class Counted:
    """Instructions for each unit of a scene, and of its reference."""

    ours: float
    reference: float

    @property
    def ratio(self) -> float:
        """How many times those of the reference."""
        return self.ours / self.reference


def missing() -> str:
    """Return why nothing can be counted here; empty if it can."""
    if shutil.which("valgrind") is None:
        return "there is no valgrind on this machine (on Debian: apt install valgrind)"
    return ""


def count(programs: Iterable[str] = PROGRAMS) -> dict[str, Counted]:
    """Return the instructions of all scenes. Raises CalledProcessError, OSError if callgrind cannot run them."""
    # Written before, so that an import is not a compilation.
    imports = "from aiomlcommons import Session; import opensearchpy"
    subprocess.run([sys.executable, "-c", imports], check=True, env=_environment())
    with TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda program: _run(program, Path(folder)), programs))
        return per_unit(path.read_text() for path in sorted(Path(folder).iterdir()))


def _run(program: str, folder: Path) -> None:
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder / program}"]
    command += [sys.executable, "-m", "benchmarks.instructions.counted", program]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"callgrind could not run {program}:\n{done.stderr[-3000:]}")


def _environment() -> dict[str, str]:
    """Return the environment of what is counted: byte code is kept, and sets have the order of one hash seed."""
    return {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": ""}


def per_unit(dumps: Iterable[str]) -> dict[str, Counted]:
    """Return what each unit costs: the count of 2N of them less that of N, or that of the only one there is."""
    found: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for text in dumps:
        if (label := LABEL.search(text)) and (total := TOTALS.search(text)):
            found[label[1], label[2]][int(label[3])] = int(total[1])
    costs = {key: _slope(counts) for key, counts in found.items()}
    return {name: Counted(costs[name, "ours"], costs[name, "reference"]) for name, whose in costs if whose == "ours"}


def _slope(counts: dict[int, int]) -> float:
    fewer, more = min(counts), max(counts)
    return (counts[more] - counts[fewer]) / (more - fewer) if more > fewer else counts[more]
