"""Time of the first import and of `--help`, compared with opensearch-py in the same run.

    python -m benchmarks.imports [--rounds N]

Each figure is a fresh Python. The programs take turns, so that other load on the machine affects all of them alike.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from statistics import median

BARE = "python -c pass"
YARDSTICK = "import opensearchpy"
PROGRAMS: Mapping[str, Sequence[str]] = {
    BARE: ["-c", "pass"],
    "import aiomlcommons": ["-c", "import aiomlcommons"],
    "from aiomlcommons import Session": ["-c", "from aiomlcommons import Session"],
    "python -m aiomlcommons --help": ["-m", "aiomlcommons", "--help"],
    YARDSTICK: ["-c", "import opensearchpy"],
    "from opensearchpy import AsyncOpenSearch": ["-c", "from opensearchpy import AsyncOpenSearch"],
}


def seconds(arguments: Sequence[str]) -> float:
    """Return the run time of a fresh Python."""
    # Installed packages have their bytecode; this one has it after the warm-up, unless this variable forbids that.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True, env=environ)
    return time.perf_counter() - started


def measure(rounds: int) -> dict[str, list[float]]:
    """Return the times of each program, after a warm-up round."""
    turns = [{name: seconds(arguments) for name, arguments in PROGRAMS.items()} for _ in range(rounds + 1)]
    return {name: [turn[name] for turn in turns[1:]] for name in PROGRAMS}


def report(times: Mapping[str, Sequence[float]]) -> None:
    """Print a table: the time of each program, minus that of Python itself, and the ratio to opensearch-py."""
    bare = median(times[BARE])
    yardstick = median(times[YARDSTICK]) - bare
    print(f"{'':42} {'median':>8} {'fastest':>8} {'own part':>9} {'ratio':>6}")
    for name, some in times.items():
        own = median(some) - bare
        print(f"{name:42} {1000 * median(some):5.0f} ms {1000 * min(some):5.0f} ms {1000 * own:6.0f} ms", end=" ")
        print(f"{own / yardstick:6.2f}")


def as_json(times: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Return the figures that are kept: the median of each program in milliseconds, and its ratio."""
    bare = median(times[BARE])
    yardstick = median(times[YARDSTICK]) - bare
    return {
        name: {"ms": round(1000 * median(some), 1), "ratio": round((median(some) - bare) / yardstick, 2)}
        for name, some in times.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    report(measure(parser.parse_args().rounds))
