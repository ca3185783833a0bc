"""Fail where the package needs more instructions than the baseline, beyond noise: ``make bench-check``.

    python -m benchmarks.instructions [--write] [--runs N] [--no-imports]

What is compared is the ratio to a reference that does the bare work on the same bytes in the same run, so that another
machine, or a patch of Python, does not count as a regression. Each run takes about a minute on a quiet machine.
``--write`` makes this package's counts the baseline, with the noise that was seen in some runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import attrs
import orjson

from benchmarks.instructions.counted import IMPORT
from benchmarks.instructions.valgrind import PROGRAMS, Counted, count, missing
from benchmarks.versions import about

BASELINE = Path(__file__).parent / "baseline.json"
# Allowed beyond the baseline: so much, or some times the noise of the scene if that is more.
TOLERANCE, TIMES_NOISE = 0.03, 3.0


@attrs.frozen
class Bound:
    """What is known of a scene: its ratio, and by how much that differed between runs, as a share."""

    ratio: float
    noise: float

    @property
    def tolerance(self) -> float:
        """What is allowed beyond the ratio, as a share."""
        return max(TOLERANCE, TIMES_NOISE * self.noise)

    @classmethod
    def of(cls, ratios: Sequence[float]) -> Bound:
        """Return what some runs tell."""
        middle = median(ratios)
        return cls(middle, max(ratios) / min(ratios) - 1)


def compare(found: Mapping[str, Counted], known: Mapping[str, Bound]) -> list[str]:
    """Print a line for each scene; return the names of those that got worse, or that only one of both has."""
    worse = [f"{name} (in one of both only)" for name in found.keys() ^ known.keys()]
    print(f"{'instructions':28}{'each':>15}{'reference':>15}{'ratio':>8}{'before':>8}{'change':>9}{'allowed':>9}")
    for name in known:
        if name not in found:
            continue
        now, bound = found[name], known[name]
        change = now.ratio / bound.ratio - 1
        verdict = "WORSE" if change > bound.tolerance else "better" if change < -bound.tolerance else ""
        print(f"{name:28}{now.ours:15,.0f}{now.reference:15,.0f}{now.ratio:8.3f}{bound.ratio:8.3f}", end="")
        print(f"{change:+9.1%}{bound.tolerance:9.1%}  {verdict}", flush=True)
        if verdict == "WORSE":
            worse.append(name)
    return worse


def write(runs: Sequence[Mapping[str, Counted]]) -> None:
    """Make some runs the baseline."""
    bounds = {name: Bound.of([run[name].ratio for run in runs]) for name in runs[0]}
    scenes = {
        name: {
            "ratio": round(bound.ratio, 4),
            "noise": round(bound.noise, 5),
            "instructions": round(runs[0][name].ours),
            "reference": round(runs[0][name].reference),
        }
        for name, bound in bounds.items()
    }
    data = {"about": about(), "runs": len(runs), "scenes": scenes}
    BASELINE.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def baseline() -> dict[str, Bound]:
    """Return the bounds that are kept."""
    scenes = orjson.loads(BASELINE.read_bytes())["scenes"]
    return {name: Bound(scene["ratio"], scene["noise"]) for name, scene in scenes.items()}


def main() -> None:
    """Count, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make the counts the baseline")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--no-imports", action="store_true", help="leave out the imports, which take half of the time")
    options = parser.parse_args()
    if why := missing():
        sys.exit(f"bench-check counts nothing: {why}")
    known = baseline() if BASELINE.exists() else {}
    if options.no_imports:
        known.pop(IMPORT, None)
    runs = [count(["scenes"] if options.no_imports else PROGRAMS) for _ in range(options.runs)]
    worse = [compare(run, known) for run in runs]
    if options.write:
        write(runs)
    elif all(worse):
        sys.exit(f"more instructions than the baseline allows: {', '.join(worse[0])}")


if __name__ == "__main__":
    main()
