"""Costs of ways to do the same work that take turns in one process, and their ratios: shared by the benchmarks."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median
from typing import Any, TypeAlias

import attrs

Way: TypeAlias = Callable[[], Awaitable[int]]
"""Does its work, and returns of how many units it was."""


@attrs.frozen
class Cost:
    """Microseconds of this process's CPU (all of its threads), and of time, for each unit of work."""

    cpu: float
    time: float


@attrs.frozen
class Table:
    """The costs of ways in each round. A row's ratio is to the sum of its ``parts`` in the same round."""

    title: str
    unit: str
    costs: Mapping[str, Sequence[Cost]]
    parts: Mapping[str, Sequence[str]]

    def cpu(self, name: str) -> float:
        """Return the median of a row's CPU."""
        return median(cost.cpu for cost in self.costs[name])

    def rate(self, name: str) -> float:
        """Return how many units a second there are, in the median."""
        return 1e6 / median(cost.time for cost in self.costs[name])

    def sum(self, name: str) -> float:
        """Return what the parts of a row cost together, in the median."""
        return median(sum(self.costs[part][i].cpu for part in self.parts[name]) for i in range(len(self.costs[name])))

    def ratio(self, name: str) -> float:
        """Return the median of a row's ratio to the sum of its parts."""
        some = self.costs[name]
        return median(
            cost.cpu / sum(self.costs[part][i].cpu for part in self.parts[name]) for i, cost in enumerate(some)
        )

    def as_json(self) -> dict[str, Any]:
        """Return the figures that are kept."""
        rows = {
            name: {
                "cpu_us": round(self.cpu(name), 3),
                "least_us": round(min(cost.cpu for cost in self.costs[name]), 3),
                "per_second": round(self.rate(name)),
                "parts": list(self.parts[name]),
                "sum_us": round(self.sum(name), 3),
                "ratio": round(self.ratio(name), 3),
            }
            for name in self.costs
        }
        return {"title": self.title, "unit": self.unit, "rows": rows}

    def show(self) -> None:
        """Print the table."""
        whole = any(len(parts) > 1 for parts in self.parts.values())
        print(f"\n{self.title + ', CPU for each ' + self.unit:60}{'median':>9}{'fastest':>12}{'units/s':>12}", end="")
        print(f"{'parts':>12}{'ratio':>7}" if whole else f"{'ratio':>7}")
        for name, row in self.as_json()["rows"].items():
            print(f"{name:57}{row['cpu_us']:9.2f} us {row['least_us']:8.2f} us {row['per_second']:11,}", end="")
            print(f"{row['sum_us']:9.2f} us" if whole else "", f"{row['ratio']:6.2f}", flush=True)


async def in_turns(ways: Mapping[str, Way], rounds: int, expected: int | None = None) -> dict[str, list[Cost]]:
    """Return the costs of each way in each round, after a warm-up; in each, another way is the first."""
    names, found = list(ways), {name: list[Cost]() for name in ways}
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            cost = await _cost(name, ways[name], expected)
            if turn:
                found[name].append(cost)
    return found


async def _cost(name: str, way: Way, expected: int | None) -> Cost:
    gc.collect()
    await asyncio.sleep(0)
    spent, started = time.process_time(), time.perf_counter()
    count = await way()
    spent, seconds = time.process_time() - spent, time.perf_counter() - started
    if expected is not None and count != expected:
        raise AssertionError(f"{name}: {count:,} came back, and {expected:,} were to")
    return Cost(1e6 * spent / count, 1e6 * seconds / count)
