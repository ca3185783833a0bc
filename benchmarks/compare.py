"""Compare the ratios of two runs of ``make bench``: ``python -m benchmarks.compare OLD.json NEW.json``.

Ratios to the bare work of the same run are compared, not microseconds: another machine has others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson


def ratios(figures: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield what each ratio is of, and the ratio."""
    for section in ("calls", "embeddings", "documents"):
        for table in figures.get(section, ()):
            for name, row in table["rows"].items():
                if row["parts"] != [name]:
                    yield f"{table['title']}: {name}", row["ratio"]


def report(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines: each ratio in both, and how they changed."""
    before = dict(ratios(old))
    yield f"{'ratio to the bare work':88}{old['about']['commit']:>10}{new['about']['commit']:>10}{'change':>9}"
    for name, ratio in ratios(new):
        if name in before:
            yield f"{name:88}{before[name]:10.2f}{ratio:10.2f}{ratio / before[name] - 1:+9.0%}"


if __name__ == "__main__":
    for line in report(*(orjson.loads(Path(name).read_bytes()) for name in sys.argv[1:3])):
        print(line)
